//! What a session does with git, against a forge that is real git over HTTP.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use valetkey_git::{ConfigEntries, Git, GitError, Head, PushOutcome, Version};

use crate::forge::{Forge, branch, git, git_command, id, options, write};

#[tokio::test]
async fn clone_commit_push() {
    let forge = Forge::start();
    let url = forge.repository("repo", &[("README", "hi\n"), ("src/a.rs", "a\n"), (".gitignore", "target/\n")]);
    let tool = forge.git();
    let said = Mutex::new(Vec::new());
    let folder = forge.temp.path().join("workspace");
    let note = |line: &str| said.lock().unwrap().push(line.to_owned());
    let checkout = tool.clone_repo(&url, &folder, note).await.unwrap();
    assert!(said.lock().unwrap().iter().any(|line| line.starts_with("Receiving objects")), "{said:?}");
    assert_eq!(checkout.default_branch().unwrap(), Some(branch("main")));
    let base = checkout.remote_branch_commit(&branch("main")).unwrap().unwrap();
    assert_eq!(checkout.remote_branch_commit(&branch("other")).unwrap(), None);

    checkout.start_branch(&tool, Some(&base), &branch("feature/x")).await.unwrap();
    assert_eq!(checkout.head().unwrap(), Head::Branch(branch("feature/x"), Some(base.clone())));
    assert_eq!(git(&folder, &["status", "--porcelain"]), "");
    assert_eq!(fs::read_to_string(folder.join("src/a.rs")).unwrap(), "a\n");
    assert_eq!(checkout.publish(&tool, &options()).await.unwrap().head, Some(base.clone()));

    write(&folder, "new file", "n\n");
    write(&folder, "target/ignored", "i\n");
    fs::remove_file(folder.join("src/a.rs")).unwrap();
    let published = checkout.publish(&tool, &options()).await.unwrap();
    let head = published.head.clone().unwrap();
    assert_eq!((published.committed_by_us, published.changed_files), (true, 2));
    let log = git(&folder, &["log", "-1", "--format=%an <%ae> %cn %at %ct%n%P%n%B"]);
    let message = "Add feature X\n\nSession: https://valetkey.test/1";
    assert_eq!(log, format!("Jo Doe <jo@example.test> Jo Doe 1767323045 1767323045\n{base}\n{message}"));
    assert_eq!(git(&folder, &["symbolic-ref", "HEAD"]), "refs/heads/feature/x");
    assert_eq!(git(&folder, &["rev-parse", "HEAD"]), head.as_str());
    assert_eq!(git(&folder, &["status", "--porcelain"]), "");
    git(&folder, &["fsck", "--strict"]);

    let push = async || checkout.push(&tool, &head, &url, &branch("feature/x"), false).await.unwrap();
    assert_eq!(push().await, PushOutcome::Pushed);
    assert_eq!(push().await, PushOutcome::UpToDate);
    let (files, subject) = forge.branch_at_forge("repo", "feature/x");
    assert_eq!(
        (files, subject.as_str()),
        (vec![".gitignore".into(), "README".into(), "new file".into()], "Add feature X")
    );
    let left: Vec<_> =
        fs::read_dir(forge.temp.path().join("scratch")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["home"], "own git directories are gone");
}

#[tokio::test]
async fn an_empty_repository_gets_its_first_commit() {
    let forge = Forge::start();
    let url = forge.empty("repo");
    let tool = forge.git();
    let checkout = tool.clone_repo(&url, &forge.temp.path().join("w"), |_| ()).await.unwrap();
    assert_eq!(checkout.default_branch().unwrap(), Some(branch("main")));
    checkout.start_branch(&tool, None, &branch("first")).await.unwrap();
    assert_eq!(checkout.head().unwrap(), Head::Branch(branch("first"), None));
    let nothing = forge.publish(&checkout).await;
    assert_eq!((nothing.head, nothing.committed_by_us), (None, false));
    write(checkout.dir(), "a", "a");
    let published = forge.publish(&checkout).await;
    let head = published.head.unwrap();
    assert_eq!(published.changed_files, 1);
    assert_eq!(checkout.push(&tool, &head, &url, &branch("first"), false).await.unwrap(), PushOutcome::Pushed);
    assert_eq!(forge.branch_at_forge("repo", "first").0, ["a"]);
    assert_eq!(git(checkout.dir(), &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn repositories_with_sha256_names() {
    let forge = Forge::start();
    let url = forge.empty("repo");
    let bare = forge.bare("repo");
    fs::remove_dir_all(&bare).unwrap();
    fs::create_dir_all(&bare).unwrap();
    git(&bare, &["init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", "."]);
    git(&bare, &["config", "http.receivepack", "true"]);
    let checkout = forge.temp.path().join("w");
    git(forge.temp.path(), &["init", "--quiet", "--object-format=sha256", "--initial-branch=main", "w"]);
    let checkout = valetkey_git::Checkout::open(checkout).unwrap();
    write(checkout.dir(), "a", "a");
    let head = forge.publish(&checkout).await.head.unwrap();
    assert_eq!(head.as_str().len(), 64);
    write(checkout.dir(), "b", "b");
    let next = forge.publish(&checkout).await.head.unwrap();
    let tool = forge.git();
    assert_eq!(checkout.push(&tool, &next, &url, &branch("x"), false).await.unwrap(), PushOutcome::Pushed);
    assert_eq!(checkout.is_fast_forward(&tool, &head, &next).await.unwrap(), Some(true));
}

#[tokio::test]
async fn commits_of_the_agent_stay_and_the_rest_goes_on_top() {
    let forge = Forge::start();
    let url = forge.repository("repo", &[("a", "a")]);
    let checkout = forge.checkout(&url).await;
    let dir = checkout.dir();
    git(dir, &["switch", "--quiet", "-c", "agents/own"]);
    write(dir, "b", "b");
    git(dir, &["add", "b"]);
    git(dir, &["commit", "--quiet", "--message=by the agent"]);
    let agents = git(dir, &["rev-parse", "HEAD"]);
    let published = forge.publish(&checkout).await;
    assert_eq!((published.head, published.committed_by_us), (Some(id(&agents)), false));

    git(dir, &["pack-refs", "--all"]);
    write(dir, "staged", "s");
    git(dir, &["add", "staged"]);
    write(dir, "unstaged", "u");
    let published = forge.publish(&checkout).await;
    assert_eq!(published.changed_files, 2);
    assert_eq!(git(dir, &["rev-parse", "agents/own^"]), agents);
    assert_eq!(checkout.head().unwrap(), Head::Branch(branch("agents/own"), published.head));
}

#[tokio::test]
async fn a_detached_head_stays_detached() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    git(checkout.dir(), &["checkout", "--quiet", "--detach"]);
    write(checkout.dir(), "a", "changed");
    let published = forge.publish(&checkout).await;
    assert_eq!(checkout.head().unwrap(), Head::Detached(published.head.unwrap()));
    assert_eq!(git(checkout.dir(), &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn changes_that_cancel_out_make_no_commit() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    write(checkout.dir(), "a", "changed");
    git(checkout.dir(), &["add", "a"]);
    write(checkout.dir(), "a", "a");
    let published = forge.publish(&checkout).await;
    assert_eq!((published.committed_by_us, published.changed_files), (false, 0));
}

#[tokio::test]
async fn what_is_only_staged_is_committed() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    git(checkout.dir(), &["rm", "--quiet", "--cached", "a"]);
    fs::remove_file(checkout.dir().join("a")).unwrap();
    let published = forge.publish(&checkout).await;
    assert_eq!((published.committed_by_us, published.changed_files), (true, 1));
    assert_eq!(git(checkout.dir(), &["ls-tree", "HEAD"]), "");
}

#[tokio::test]
async fn of_an_unfinished_merge_the_working_tree_counts() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("kept", "a"), ("both", "a"), ("gone", "a")])).await;
    let dir = checkout.dir();
    git(dir, &["switch", "--quiet", "-c", "side"]);
    git(dir, &["rm", "--quiet", "kept", "gone"]);
    write(dir, "both", "theirs");
    git(dir, &["commit", "--quiet", "--all", "--message=side"]);
    git(dir, &["switch", "--quiet", "work"]);
    for file in ["kept", "both", "gone"] {
        write(dir, file, "ours");
    }
    git(dir, &["commit", "--quiet", "--all", "--message=ours"]);
    assert!(!git_command(dir).args(["merge", "side"]).output().unwrap().status.success());
    fs::remove_file(dir.join("gone")).unwrap();
    write(dir, "both", "resolved");
    assert!(forge.publish(&checkout).await.committed_by_us);
    assert_eq!(git(dir, &["ls-tree", "--name-only", "HEAD"]), "both\nkept");
    assert_eq!(git(dir, &["show", "HEAD:both"]), "resolved");
}

#[tokio::test]
async fn odd_names_files_for_folders_and_modes() {
    use std::os::unix::fs::PermissionsExt as _;
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("file", "f"), ("dir/x", "x"), ("tool", "t")])).await;
    let dir = checkout.dir();
    fs::remove_file(dir.join("file")).unwrap();
    write(dir, "file/inside", "i");
    fs::remove_dir_all(dir.join("dir")).unwrap();
    write(dir, "dir", "now a file");
    write(dir, "--help", "h");
    write(dir, "line\nfeed \"quoted\"", "l");
    std::os::unix::fs::symlink("/etc/passwd", dir.join("link")).unwrap();
    fs::set_permissions(dir.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    forge.publish(&checkout).await;
    assert_eq!(git(dir, &["status", "--porcelain"]), "");
    let tree = git(dir, &["ls-tree", "-r", "-z", "HEAD"]);
    let entries: Vec<_> = tree.split_terminator('\0').map(|e| (&e[..6], e.split_once('\t').unwrap().1)).collect();
    assert_eq!(
        entries,
        [
            ("100644", "--help"),
            ("100644", "dir"),
            ("100644", "file/inside"),
            ("100644", "line\nfeed \"quoted\""),
            ("120000", "link"),
            ("100755", "tool")
        ]
    );
}

#[tokio::test]
async fn a_lost_or_broken_index_is_rebuilt() {
    for index in [None, Some("DIRC nonsense")] {
        let forge = Forge::start();
        let checkout =
            forge.checkout(&forge.repository("repo", &[("a", "a"), (".gitignore", "a\n"), ("b", "b")])).await;
        let path = checkout.dir().join(".git/index");
        fs::remove_file(&path).unwrap();
        if let Some(bytes) = index {
            fs::write(&path, bytes).unwrap();
        }
        write(checkout.dir(), "b", "changed");
        assert_eq!(forge.publish(&checkout).await.changed_files, 1);
        assert_eq!(git(checkout.dir(), &["status", "--porcelain"]), "");
    }
}

#[tokio::test]
async fn other_repositories_inside_are_left_out_and_named() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    git(checkout.dir(), &["init", "--quiet", "inner"]);
    write(checkout.dir(), "inner/x", "x");
    git(&checkout.dir().join("inner"), &["add", "x"]);
    git(&checkout.dir().join("inner"), &["commit", "--quiet", "--message=inner"]);
    let published = forge.publish(&checkout).await;
    assert_eq!((published.committed_by_us, published.left_out), (false, vec!["inner/".to_owned()]));
}

#[tokio::test]
async fn messages_and_authors_survive_as_they_are() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    for (message, name) in [("# not a comment\n\n\n--fixup x\n", "…"), ("", "-n"), ("ünï\0code", "Jo")] {
        write(checkout.dir(), "a", message.replace('\0', "x").as_str());
        write(checkout.dir(), "b", name);
        let author = valetkey_git::Author::new(name, "");
        let options = valetkey_git::PublishOptions { author, message: message.to_owned(), at: None };
        checkout.publish(&forge.git(), &options).await.unwrap();
        let said = git(checkout.dir(), &["log", "-1", "--format=%B"]);
        assert_eq!(said.trim_end(), message.replace('\0', "").trim_end());
    }
}

#[tokio::test]
async fn a_push_that_loses_commits_needs_force() {
    let forge = Forge::start();
    let url = forge.repository("repo", &[("a", "a")]);
    let checkout = forge.checkout(&url).await;
    let tool = forge.git();
    write(checkout.dir(), "a", "one");
    let one = forge.publish(&checkout).await.head.unwrap();
    git(checkout.dir(), &["reset", "--quiet", "--hard", "HEAD^"]);
    write(checkout.dir(), "a", "two");
    let two = forge.publish(&checkout).await.head.unwrap();
    let push = async |commit, force| checkout.push(&tool, commit, &url, &branch("x"), force).await.unwrap();
    assert_eq!(push(&one, false).await, PushOutcome::Pushed);
    let PushOutcome::Refused { reason, .. } = push(&two, false).await else { panic!("it was let through") };
    assert_eq!(reason, "non-fast-forward");
    assert_eq!(push(&two, true).await, PushOutcome::Pushed);
}

#[tokio::test]
async fn the_forges_own_words_come_through() {
    use std::os::unix::fs::PermissionsExt as _;
    let forge = Forge::start();
    let url = forge.repository("repo", &[("a", "a")]);
    let checkout = forge.checkout(&url).await;
    let hook = forge.bare("repo").join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nprintf 'GitLab: You are not \\033[31mallowed\\n' >&2; exit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    write(checkout.dir(), "a", "b");
    let head = forge.publish(&checkout).await.head.unwrap();
    let outcome = checkout.push(&forge.git(), &head, &url, &branch("x"), false).await.unwrap();
    let (reason, message) = ("pre-receive hook declined".to_owned(), "GitLab: You are not [31mallowed".to_owned());
    assert_eq!(outcome, PushOutcome::Refused { reason, message });
}

#[tokio::test]
async fn refusals_of_the_whole_request_carry_their_status() {
    for status in [401, 403, 404, 500] {
        let forge = Forge::start_with(move |path, _| {
            let service = path.starts_with("/LEASE");
            service.then(|| (status, "text/plain".to_owned(), b"Ask your administrator.\n".to_vec()))
        });
        let url = forge.repository("repo", &[("a", "a")]);
        let checkout = forge.checkout(&url).await;
        let head = checkout.head().unwrap().commit().unwrap().clone();
        let mut config = ConfigEntries::new();
        let gateway = format!("{}/LEASE/x", url.instance());
        config.push(format!("url.{gateway}.insteadOf"), url.browse_url());
        let tool = forge.git().with_config(&config);
        let pushed = checkout.push(&tool, &head, &url, &branch("x"), false).await;
        let cloned =
            tool.clone_repo(&url, &forge.temp.path().join("again"), |line| assert!(!line.contains("LEASE"))).await;
        for error in [pushed.unwrap_err(), cloned.unwrap_err()] {
            let GitError::Failed(failure) = error else { panic!("{error}") };
            assert_eq!(failure.http_status(), Some(status), "{failure:?}");
            assert!(!failure.stderr.contains("LEASE"), "{failure:?}");
            if status != 401 {
                assert_eq!(failure.remote_message(), "Ask your administrator.");
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let reached = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&reached);
    let other = Forge::start_with(move |_, _| {
        note.store(true, Ordering::SeqCst);
        None
    });
    let target = other.repository("repo", &[("a", "a")]).instance().to_string();
    let forge = Forge::start_with(move |path, _| {
        let location = format!("text/plain\r\nLocation: {target}{path}?service=git-upload-pack");
        Some((302, location, Vec::new()))
    });
    let url = forge.empty("repo");
    let error = forge.git().clone_repo(&url, &forge.temp.path().join("w"), |_| ()).await.unwrap_err();
    let GitError::Failed(failure) = error else { panic!("{error}") };
    assert_eq!(failure.http_status(), Some(302), "{failure:?}");
    assert!(!reached.load(Ordering::SeqCst));
}

#[tokio::test]
async fn fast_forwards_are_told_apart() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    let dir = checkout.dir();
    let commit = |message: &str| {
        git(dir, &["commit", "--quiet", "--allow-empty", &format!("--message={message}")]);
        id(&git(dir, &["rev-parse", "HEAD"]))
    };
    let base = checkout.head().unwrap().commit().unwrap().clone();
    let (one, two) = (commit("one"), commit("two"));
    git(dir, &["reset", "--quiet", "--hard", base.as_str()]);
    let side = commit("side");
    git(dir, &["merge", "--quiet", "--no-ff", "--message=merge", two.as_str()]);
    let merge = id(&git(dir, &["rev-parse", "HEAD"]));
    git(dir, &["gc", "--quiet"]);
    let tool = forge.git();
    let tree = id(&git(dir, &["rev-parse", "HEAD^{tree}"]));
    let unknown = id(&"e".repeat(40));
    for (old, new, wanted) in [
        (&base, &two, Some(true)),
        (&one, &merge, Some(true)),
        (&side, &merge, Some(true)),
        (&one, &one, Some(true)),
        (&side, &two, Some(false)),
        (&two, &one, Some(false)),
        (&unknown, &two, Some(false)),
        (&one, &unknown, None),
        (&one, &tree, None),
    ] {
        assert_eq!(tool.is_fast_forward(dir, old, new).await.unwrap(), wanted, "{old} {new}");
    }
}

#[tokio::test]
async fn a_missing_or_old_git_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let missing = Git::with_program(temp.path().join("no-git"), temp.path().join("scratch")).unwrap();
    assert!(matches!(missing.version().await, Err(GitError::NotInstalled)));
    let old = temp.path().join("old-git");
    fs::write(&old, "#!/bin/sh\necho git version 2.30.9\n").unwrap();
    fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let old = Git::with_program(old, temp.path().join("scratch")).unwrap();
    let Err(GitError::TooOld { found }) = old.version().await else { panic!("it was accepted") };
    assert_eq!(found.to_string(), "2.30.9");
    assert!(Git::new(temp.path().join("scratch")).unwrap().version().await.unwrap() >= Version::OLDEST);
}

#[tokio::test]
async fn plain_git_in_the_checkout_pushes_the_current_branch() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    let output = git_command(checkout.dir()).arg("push").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(forge.branch_at_forge("repo", "work").1, "first");
}
