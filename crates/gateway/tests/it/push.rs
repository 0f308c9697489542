use valetkey_git::pkt_line::{encode, encode_flush};
use valetkey_testbed::ForgeBed;
use valetkey_twins::Switch;

use crate::bench::Bench;

/// Bytes that don't compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// How many requests of pushes reached the forge.
fn pushes(bench: &Bench) -> usize {
    bench.forge.twin.journal().iter().filter(|r| r.path.ends_with("/git-receive-pack")).count()
}

#[tokio::test]
async fn the_push_branch_is_let_through() {
    for forge in [ForgeBed::gitlab_with_tls().await, ForgeBed::github().await] {
        let bench = Bench::with(forge, false).await;
        let folder = bench.checkout().await;
        bench.commit(&folder, "new.txt", b"new\n").await;
        bench.git(&folder, &["push", "-q", "origin", "HEAD:refs/heads/feature/x"]).await.ok();
        assert_eq!(bench.forge.twin.file_at(bench.forge.path, "feature/x", "new.txt").as_deref(), Some("new\n"));
        // And again, now that the branch exists: forward is fine.
        bench.commit(&folder, "more.txt", b"more\n").await;
        bench.git(&folder, &["push", "-q", "origin", "HEAD:feature/x"]).await.ok();
    }
}

#[tokio::test]
async fn other_refs_are_refused_in_gits_own_words_and_nothing_goes_upstream() {
    let bench = Bench::new().await;
    let folder = bench.checkout().await;
    bench.commit(&folder, "new.txt", b"new\n").await;
    bench.git(&folder, &["tag", "v1"]).await.ok();
    let before = bench.forge.twin.refs(bench.forge.path);
    for (arguments, words) in [
        (vec!["push", "origin", "HEAD:main"], "(this session may push only to feature/x)"),
        (vec!["push", "origin", "HEAD:feature/x2"], "(this session may push only to feature/x)"),
        (vec!["push", "origin", "HEAD:refs/for/main"], "(this session may push only to feature/x)"),
        (vec!["push", "origin", "v1"], "(this session may not push tags)"),
        (vec!["push", "origin", ":main"], "(this session may push only to feature/x)"),
        (vec!["push", "--force", "origin", "HEAD:main"], "(this session may push only to feature/x)"),
        (vec!["push", "--atomic", "origin", "HEAD:feature/x", "HEAD:main"], "[remote rejected] HEAD -> main"),
        (vec!["push", "origin", "HEAD:feature/x", "HEAD:main"], "another ref was refused"),
        (vec!["push", "--mirror", "origin"], "[remote rejected]"),
    ] {
        bench.git(&folder, &arguments).await.refused(words);
    }
    assert_eq!(pushes(&bench), 0);
    assert_eq!(bench.forge.twin.refs(bench.forge.path), before);
}

#[tokio::test]
async fn history_is_not_rewritten_and_branches_are_not_deleted() {
    let bench = Bench::new().await;
    let folder = bench.checkout().await;
    bench.commit(&folder, "one.txt", b"1").await;
    bench.git(&folder, &["push", "-q", "origin", "HEAD:feature/x"]).await.ok();
    let head = bench.forge.twin.head(bench.forge.path, "feature/x");
    bench.git(&folder, &["commit", "-q", "--amend", "-m", "another"]).await.ok();
    bench.git(&folder, &["push", "--force", "origin", "HEAD:feature/x"]).await.refused("may not rewrite history");
    bench.git(&folder, &["push", "origin", ":feature/x"]).await.refused("may not delete branches");
    assert_eq!(bench.forge.twin.head(bench.forge.path, "feature/x"), head);
}

#[tokio::test]
async fn history_is_rewritten_where_that_was_asked_for() {
    let bench = Bench::with(ForgeBed::gitlab().await, true).await;
    let folder = bench.checkout().await;
    bench.commit(&folder, "one.txt", b"1").await;
    bench.git(&folder, &["push", "-q", "origin", "HEAD:feature/x"]).await.ok();
    bench.git(&folder, &["commit", "-q", "--amend", "-m", "another"]).await.ok();
    bench.git(&folder, &["push", "-q", "--force", "origin", "HEAD:feature/x"]).await.ok();
}

#[tokio::test]
async fn a_rewrite_from_elsewhere_can_not_be_told_and_is_refused() {
    let bench = Bench::new().await;
    let folder = bench.checkout().await;
    bench.commit(&folder, "one.txt", b"1").await;
    bench.git(&folder, &["push", "-q", "origin", "HEAD:feature/x"]).await.ok();
    let elsewhere = bench.bed.folder.path().join("elsewhere");
    let url = bench.forge.url().clone_url();
    bench.git(bench.bed.folder.path(), &["clone", "-q", "--branch", "feature/x", &url, "elsewhere"]).await.ok();
    bench.commit(&elsewhere, "two.txt", b"2").await;
    bench.git(&elsewhere, &["push", "origin", "HEAD:feature/x"]).await.refused("push from the session's checkout");
}

#[tokio::test]
async fn a_large_push_is_streamed_with_its_probe() {
    let bench = Bench::new().await;
    let folder = bench.checkout().await;
    let noise = noise(3 << 20);
    bench.commit(&folder, "large.bin", &noise).await;
    bench.git(&folder, &["push", "-q", "origin", "HEAD:feature/x"]).await.ok();
    assert!(pushes(&bench) >= 2, "git probes with an empty request before a chunked one");
}

#[tokio::test]
async fn a_large_push_that_is_refused_ends_in_words_not_in_a_broken_pipe() {
    let bench = Bench::new().await;
    let folder = bench.checkout().await;
    let noise = noise(3 << 20);
    bench.commit(&folder, "large.bin", &noise).await;
    bench.git(&folder, &["push", "origin", "HEAD:main"]).await.refused("(this session may push only to feature/x)");
    assert_eq!(
        bench.forge.twin.head(bench.forge.path, "main"),
        bench.forge.twin.refs(bench.forge.path).get("refs/heads/main").cloned()
    );
}

#[tokio::test]
async fn a_push_that_the_forge_refuses_has_the_contracts_text() {
    let bench = Bench::new().await;
    let folder = bench.checkout().await;
    bench.commit(&folder, "new.txt", b"new\n").await;
    bench.forge.twin.switch(Switch::PushForbidden);
    bench.git(&folder, &["push", "origin", "HEAD:feature/x"]).await.refused(
        "GitLab push failed: Insufficient permissions. Ensure your GitLab token has 'write_repository' scope. You can update your token by reconnecting your GitLab account with the required permissions.",
    );
}

#[tokio::test]
async fn push_options_do_not_widen_what_a_session_may_do() {
    let bench = Bench::new().await;
    let command = format!("{} {} refs/heads/feature/x\0report-status push-options", "0".repeat(40), "a".repeat(40));
    let rest = format!("http/{}/{}.git/git-receive-pack", bench.forge.url().instance().authority(), bench.forge.path);
    for option in ["merge_request.merge_when_pipeline_succeeds", "repo.private=false", "ci.variable=A=B"] {
        let mut list = Vec::new();
        encode(&mut list, command.as_bytes()).unwrap();
        encode_flush(&mut list);
        encode(&mut list, option.as_bytes()).unwrap();
        encode_flush(&mut list);
        let (_, answer) = bench.raw("POST", &rest, &list).await;
        assert!(answer.contains("ng refs/heads/feature/x this session may not use push options"), "{answer}");
    }
    assert_eq!(pushes(&bench), 0);
}
