//! An agent forges what the check for a fast-forward looks at.

use std::fs;

use valetkey_git::Checkout;
use valetkey_model::ObjectId;

use crate::forge::{Forge, git, id, write};

/// A checkout in which `theirs` does not descend from `ours`.
async fn diverged(forge: &Forge) -> (Checkout, ObjectId, ObjectId) {
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    let dir = checkout.dir();
    let commit = |message: &str| {
        git(dir, &["commit", "--quiet", "--allow-empty", &format!("--message={message}")]);
        id(&git(dir, &["rev-parse", "HEAD"]))
    };
    let ours = commit("ours");
    git(dir, &["reset", "--quiet", "--hard", "HEAD^"]);
    commit("parent of theirs");
    let theirs = commit("theirs");
    (checkout, ours, theirs)
}

async fn check(forge: &Forge, (checkout, ours, theirs): &(Checkout, ObjectId, ObjectId)) -> Option<bool> {
    forge.git().is_fast_forward(checkout.dir(), ours, theirs).await.unwrap()
}

/// What git itself believes in that checkout.
fn git_believes(git_args: &[&str], (checkout, ours, theirs): &(Checkout, ObjectId, ObjectId)) -> bool {
    let mut command = crate::forge::git_command(checkout.dir());
    let merge_base = ["merge-base", "--is-ancestor", ours.as_str(), theirs.as_str()];
    command.args(git_args).args(merge_base).status().unwrap().success()
}

#[tokio::test]
async fn unforged_it_is_none() {
    let forge = Forge::start();
    let history = diverged(&forge).await;
    assert_eq!(check(&forge, &history).await, Some(false));
}

#[tokio::test]
async fn replace_refs_and_grafts_have_no_say() {
    let forge = Forge::start();
    let history = diverged(&forge).await;
    let (dir, ours, theirs) = (history.0.dir(), history.1.as_str(), history.2.as_str());
    git(dir, &["replace", "--graft", theirs, ours]);
    assert!(git_believes(&[], &history));
    assert_eq!(check(&forge, &history).await, Some(false));
    git(dir, &["replace", "--delete", theirs]);
    write(dir, ".git/info/grafts", &format!("{theirs} {ours}\n"));
    assert!(git_believes(&[], &history));
    assert_eq!(check(&forge, &history).await, Some(false));
}

#[tokio::test]
async fn a_forged_shallow_file_hides_nothing() {
    let forge = Forge::start();
    let history = diverged(&forge).await;
    let (dir, theirs) = (history.0.dir(), history.2.clone());
    let parent = id(&git(dir, &["rev-parse", "HEAD^"]));
    write(dir, ".git/shallow", &format!("{theirs}\n"));
    assert_eq!(forge.git().is_fast_forward(dir, &parent, &theirs).await.unwrap(), Some(true));
}

#[tokio::test]
async fn an_object_with_another_content_than_its_name_says_is_missing() {
    let forge = Forge::start();
    let history = diverged(&forge).await;
    let dir = history.0.dir();
    let parent = git(dir, &["rev-parse", "HEAD^"]);
    let forged = git(dir, &["commit-tree", "-p", history.1.as_str(), "-m", "forged", "HEAD^{tree}"]);
    let file = |id: &str| dir.join(".git/objects").join(&id[..2]).join(&id[2..]);
    fs::remove_file(file(&parent)).unwrap();
    fs::copy(file(&forged), file(&parent)).unwrap();
    assert!(git_believes(&[], &history), "git takes the forged parent for the real one");
    assert_eq!(check(&forge, &history).await, None);
}

#[tokio::test]
async fn broken_objects_are_missing() {
    for content in ["", "nonsense"] {
        let forge = Forge::start();
        let history = diverged(&forge).await;
        let parent = git(history.0.dir(), &["rev-parse", "HEAD^"]);
        let path = history.0.dir().join(".git/objects").join(&parent[..2]).join(&parent[2..]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, content).unwrap();
        assert_eq!(check(&forge, &history).await, None);
    }
}
