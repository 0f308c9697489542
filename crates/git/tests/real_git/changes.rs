//! What lies between two commits, as real git sees it.

use std::{fs, os::unix::fs::symlink};

use valetkey_git::ChangesLimits;
use valetkey_model::{FileStatus, LeftOut};

use crate::forge::{Forge, branch, write};

const LIMITS: ChangesLimits = ChangesLimits { files: 200, patch: 256 << 10, file_patch: 64 << 10 };

#[tokio::test]
async fn files_are_told_apart_by_what_became_of_them() {
    let forge = Forge::start();
    let poem = "one\ntwo\nthree\nfour\nfive\nsix\n";
    let files =
        [("a.txt", "old\n"), ("gone.txt", "x\n"), ("poem.txt", poem), ("turn", "t\n"), ("weird \"1\".txt", "w\n")];
    let url = forge.repository("repo", &files);
    let tool = forge.git();
    let checkout = tool.clone_repo(&url, &forge.temp.path().join("w"), |_| ()).await.unwrap();
    let base = checkout.remote_branch_commit(&branch("main")).unwrap().unwrap();
    checkout.start_branch(&tool, Some(&base), &branch("x")).await.unwrap();

    let folder = checkout.dir();
    write(folder, "a.txt", "new\nmore\n");
    write(folder, "weird \"1\".txt", "ww\n");
    write(folder, "ünd/new.txt", "n\n");
    fs::write(folder.join("logo.png"), b"\x89PNG\0\0\x01").unwrap();
    fs::remove_file(folder.join("gone.txt")).unwrap();
    fs::rename(folder.join("poem.txt"), folder.join("verse.txt")).unwrap();
    fs::remove_file(folder.join("turn")).unwrap();
    symlink("/etc/passwd", folder.join("turn")).unwrap();
    let head = forge.publish(&checkout).await.head.unwrap();

    let changes = checkout.changes(&tool, Some(&base), &head, LIMITS).await.unwrap();
    let seen: Vec<_> = changes.files.iter().map(|file| (&*file.path, file.status, file.patch.is_some())).collect();
    assert_eq!(
        seen,
        [
            ("a.txt", FileStatus::Modified, true),
            ("gone.txt", FileStatus::Deleted, true),
            ("logo.png", FileStatus::Added, false),
            ("turn", FileStatus::Modified, true),
            ("verse.txt", FileStatus::Renamed, true),
            ("weird \"1\".txt", FileStatus::Modified, true),
            ("ünd/new.txt", FileStatus::Added, true),
        ]
    );
    assert_eq!(changes.files_changed, 7);
    assert_eq!((changes.files[0].lines_added, changes.files[0].lines_removed), (Some(2), Some(1)));
    assert!(changes.files[0].patch.as_ref().unwrap().ends_with("@@ -1 +1,2 @@\n-old\n+new\n+more\n"));
    assert_eq!((changes.files[2].left_out, changes.files[2].lines_added), (Some(LeftOut::Binary), None));
    assert_eq!(changes.files[4].old_path.as_deref(), Some("poem.txt"));
    assert!(!changes.files[3].patch.as_ref().unwrap().contains("root:"), "a link is not followed");
}

#[tokio::test]
async fn what_an_empty_repository_got_is_all_new() {
    let forge = Forge::start();
    let url = forge.empty("repo");
    let tool = forge.git();
    let checkout = tool.clone_repo(&url, &forge.temp.path().join("w"), |_| ()).await.unwrap();
    checkout.start_branch(&tool, None, &branch("first")).await.unwrap();
    write(checkout.dir(), "a", "1\n2\n");
    let head = forge.publish(&checkout).await.head.unwrap();
    let changes = checkout.changes(&tool, None, &head, LIMITS).await.unwrap();
    assert_eq!((changes.files_changed, changes.lines_added, changes.lines_removed), (1, 2, 0));
}

#[tokio::test]
async fn much_is_counted_and_the_beginning_shown() {
    let forge = Forge::start();
    let url = forge.repository("repo", &[("README", "hi\n")]);
    let tool = forge.git();
    let checkout = tool.clone_repo(&url, &forge.temp.path().join("w"), |_| ()).await.unwrap();
    let base = checkout.remote_branch_commit(&branch("main")).unwrap().unwrap();
    checkout.start_branch(&tool, Some(&base), &branch("x")).await.unwrap();
    for n in 0..250 {
        write(checkout.dir(), &format!("{n:03}"), "line\n");
    }
    write(checkout.dir(), "000-large", &"a line of some length\n".repeat(400_000));
    let head = forge.publish(&checkout).await.head.unwrap();
    let changes = checkout.changes(&tool, Some(&base), &head, LIMITS).await.unwrap();
    assert_eq!((changes.files_changed, changes.files.len()), (251, 200));
    let large = changes.files.iter().find(|file| file.path == "000-large").unwrap();
    assert_eq!(large.left_out, Some(LeftOut::Binary), "nobody reads nine megabytes");
    assert!(changes.files.iter().all(|file| file.patch.is_some() || file.path == "000-large"));
}
