//! What a person's git shows when a push is judged and refused on the wire.

use std::sync::{Arc, Mutex};

use valetkey_git::receive_pack::{CommandListError, CommandListParser, Progress, Push, report_refused};

use crate::forge::{Forge, git, git_command, write};

const KIND: &str = "application/x-git-receive-pack-result";

/// A forge that refuses every update of `main`, and the pushes that it saw.
fn forge_that_guards_main() -> (Forge, Arc<Mutex<Vec<Push>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let forge = Forge::start_with(move |path, body| {
        if body.is_empty() || !path.ends_with("/git-receive-pack") {
            return None;
        }
        let Progress::Done(push) = CommandListParser::new().push(body).unwrap() else { panic!("it has no end") };
        let guarded = |name: &str| (name == "refs/heads/main").then(|| "only to feature/x".to_owned());
        let refusals: Vec<_> = push.commands.iter().map(|command| guarded(&command.name)).collect();
        log.lock().unwrap().push(push.clone());
        let refused = refusals.iter().any(Option::is_some);
        refused.then(|| (200, KIND.to_owned(), report_refused(&push, &refusals, Some("Valetkey guards main."))))
    });
    (forge, seen)
}

/// A clone in which there is something to push.
fn clone(forge: &Forge) -> std::path::PathBuf {
    let url = forge.repository("repo", &[("a", "a")]);
    let dir = forge.temp.path().join("clone");
    git(forge.temp.path(), &["clone", "--quiet", &url.clone_url(), "clone"]);
    write(&dir, "b", "b");
    git(&dir, &["add", "b"]);
    git(&dir, &["commit", "--quiet", "--message=b"]);
    dir
}

#[test]
fn git_names_the_ref_and_the_reason() {
    let (forge, _) = forge_that_guards_main();
    let dir = clone(&forge);
    let output = git_command(&dir).args(["push", "origin", "main"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(stderr.contains(" ! [remote rejected] main -> main (only to feature/x)"), "{stderr}");
    assert!(stderr.contains("remote: Valetkey guards main."), "{stderr}");
}

#[test]
fn one_refused_ref_takes_the_others_along() {
    let (forge, seen) = forge_that_guards_main();
    let dir = clone(&forge);
    let output = git_command(&dir).args(["push", "origin", "main", "main:feature/x"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("main -> feature/x (not pushed because another ref was refused)"), "{stderr}");
    assert_eq!(seen.lock().unwrap()[0].commands.len(), 2);
    assert!(!git(&forge.bare("repo"), &["branch"]).contains("feature/x"));
}

#[test]
fn large_pushes_come_behind_a_probe_and_pass() {
    let (forge, seen) = forge_that_guards_main();
    let dir = clone(&forge);
    let noise: String = (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect();
    write(&dir, "large", &noise);
    git(&dir, &["add", "large"]);
    git(&dir, &["commit", "--quiet", "--message=large"]);
    git(&dir, &["-c", "http.postBuffer=65536", "push", "--quiet", "origin", "HEAD:feature/x", "HEAD~0:refs/tags/v1"]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|push| push.commands.len()).collect::<Vec<_>>(), [0, 2]);
    assert!(git(&forge.bare("repo"), &["branch"]).contains("feature/x"));
}

#[test]
fn push_options_and_deletions_are_read() {
    let (forge, seen) = forge_that_guards_main();
    let dir = clone(&forge);
    git(&forge.bare("repo"), &["config", "receive.advertisePushOptions", "true"]);
    git(&dir, &["push", "--quiet", "-o", "merge_request.create", "origin", "HEAD:feature/x"]);
    git(&dir, &["push", "--quiet", "origin", ":feature/x"]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].options, ["merge_request.create"]);
    assert!(seen[0].commands[0].old.is_zero() && seen[1].commands[0].new.is_zero());
}

#[test]
fn a_shallow_clone_says_where_it_ends() {
    let (forge, seen) = forge_that_guards_main();
    let dir = clone(&forge);
    git(&dir, &["push", "--quiet", "origin", "HEAD:feature/x"]);
    let url = git(&dir, &["remote", "get-url", "origin"]);
    git(forge.temp.path(), &["clone", "--quiet", "--depth=1", "--branch=feature/x", &url, "shallow"]);
    let shallow = forge.temp.path().join("shallow");
    git(&shallow, &["commit", "--quiet", "--allow-empty", "--message=more"]);
    git(&shallow, &["push", "--quiet", "origin", "HEAD:feature/y"]);
    assert_eq!(seen.lock().unwrap().last().unwrap().shallow.len(), 1);
}

#[test]
fn a_signed_push_is_named_as_such() {
    let mut line = Vec::new();
    let payload = "push-cert\0 report-status side-band-64k push-cert=nonce\n";
    valetkey_git::pkt_line::encode(&mut line, payload.as_bytes()).unwrap();
    assert_eq!(CommandListParser::new().push(&line), Err(CommandListError::Signed));
}
