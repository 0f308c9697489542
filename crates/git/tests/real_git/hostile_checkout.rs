//! An agent owned the checkout. Nothing that it left in there runs, leads elsewhere or is read from elsewhere.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use valetkey_git::{ChangesLimits, Checkout, CheckoutError, GitError, PushOutcome};
use valetkey_model::RepoUrl;

use crate::forge::{Forge, Trap, branch, git, git_command, options, write};

const HOOKS: [&str; 14] = [
    "applypatch-msg",
    "pre-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-push",
    "post-checkout",
    "post-rewrite",
    "post-index-change",
    "reference-transaction",
    "pre-auto-gc",
    "fsmonitor-watchman",
    "sendemail-validate",
    "pre-merge-commit",
];

fn set_hooks(folder: &Path, trap: &Trap) {
    fs::create_dir_all(folder).unwrap();
    for hook in HOOKS {
        let _ = fs::remove_file(folder.join(hook));
        fs::copy(&trap.program, folder.join(hook)).unwrap();
        fs::set_permissions(folder.join(hook), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Everything in a configuration that names a program or another place.
fn evil_config(trap: &Trap, elsewhere: &str) -> String {
    let trap = trap.path();
    let mut config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n\tgitProxy = {trap}\n\
         \teditor = {trap}\n\tpager = {trap}\n\taskPass = {trap}\n\talternateRefsCommand = {trap}\n\
         \tworktree = {elsewhere}\n\thooksPath = {elsewhere}/hooks\n\tattributesFile = {elsewhere}/attributes\n\
         [include]\n\tpath = {elsewhere}/included\n[includeIf \"gitdir:/\"]\n\tpath = {elsewhere}/included\n\
         [filter \"x\"]\n\tclean = {trap}\n\tsmudge = {trap}\n\tprocess = {trap}\n\trequired = true\n\
         [diff]\n\texternal = {trap}\n[diff \"x\"]\n\ttextconv = {trap}\n\tcommand = {trap}\n\
         [merge \"x\"]\n\tdriver = {trap}\n[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n\
         [credential]\n\thelper = !{trap}\n[trailer \"x\"]\n\tcommand = {trap}\n[sequence]\n\teditor = {trap}\n\
         [uploadpack]\n\tpackObjectsHook = {trap}\n[protocol]\n\tallow = always\n\
         [remote \"origin\"]\n\turl = ext::{trap}\n\tuploadpack = {trap}\n\treceivepack = {trap}\n\tproxy = http://127.0.0.1:1\n\
         [http]\n\tproxy = http://127.0.0.1:1\n[submodule]\n\trecurse = true\n[gc]\n\tauto = 1\n\
         [url \"ext::{trap} \"]\n\tinsteadOf = http\n\tpushInsteadOf = http\n"
    );
    for command in ["status", "update-index", "commit", "push", "read-tree", "cat-file", "diff-tree"] {
        config.push_str(&format!("[alias]\n\t{command} = !{trap}\n"));
    }
    config
}

#[tokio::test]
async fn configuration_hooks_filters_and_aliases_do_nothing() {
    let forge = Forge::start();
    let url = forge.repository("repo", &[("a.txt", "a\n"), (".gitattributes", "* filter=x diff=x merge=x\n")]);
    let checkout = forge.checkout(&url).await;
    let (dir, trap) = (checkout.dir(), forge.trap());
    let base = checkout.head().unwrap().commit().unwrap().clone();
    let elsewhere = forge.temp.path().join("elsewhere");
    let config = evil_config(&trap, elsewhere.to_str().unwrap());
    write(&elsewhere, "included", &config.replace("[include", "[ignored"));
    write(&elsewhere, "attributes", "* filter=x\n");
    set_hooks(&elsewhere.join("hooks"), &trap);
    set_hooks(&dir.join(".git/hooks"), &trap);
    write(dir, ".git/config", &config);
    write(dir, ".git/config.worktree", &config);
    write(dir, ".git/info/attributes", "* filter=x\n");
    write(dir, ".git/info/exclude", "*.log\n");
    write(dir, "a.txt", "changed\n");
    write(dir, "b.txt", "new\n");
    write(dir, "c.log", "ignored\n");

    let tool = forge.git();
    let published = checkout.publish(&tool, &options()).await.unwrap();
    let head = published.head.unwrap();
    assert_eq!(published.changed_files, 2);
    assert_eq!(checkout.push(&tool, &head, &url, &branch("x"), false).await.unwrap(), PushOutcome::Pushed);
    assert_eq!(checkout.is_fast_forward(&tool, &base, &head).await.unwrap(), Some(true));
    let limits = ChangesLimits { files: 9, patch: 999, file_patch: 999 };
    assert_eq!(checkout.changes(&tool, Some(&base), &head, limits).await.unwrap().files_changed, 2);
    assert_eq!(forge.branch_at_forge("repo", "x").0, [".gitattributes", "a.txt", "b.txt"]);
    trap.assert_not_sprung();
    write(dir, ".git/config", &config.replace("worktree =", "ignored =").replace("[alias", "[ignored"));
    let _ = git_command(dir).args(["status"]).output();
    trap.assert_sprung();
}

/// A checkout with a submodule whose own repository is hostile; `bumped` if it has a commit that is not committed here.
async fn with_submodule(forge: &Forge, trap: &Trap, bumped: bool) -> Checkout {
    let inner = forge.repository("inner", &[("x", "x"), (".gitattributes", "* filter=x\n")]);
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    let dir = checkout.dir();
    git(dir, &["submodule", "--quiet", "add", &inner.clone_url(), "sub"]);
    git(dir, &["config", "--file=.gitmodules", "submodule.sub.ignore", "none"]);
    git(dir, &["commit", "--quiet", "--all", "--message=add a submodule"]);
    git(&dir.join("sub"), &["commit", "--quiet", "--allow-empty", "--message=more"]);
    if !bumped {
        git(dir, &["commit", "--quiet", "--all", "--message=with more"]);
    }
    let config = fs::read_to_string(dir.join(".git/modules/sub/config")).unwrap();
    let evil = format!("[core]\n\tfsmonitor = {0}\n[filter \"x\"]\n\tclean = {0}\n\tprocess = {0}\n", trap.path());
    write(dir, ".git/modules/sub/config", &format!("{config}{evil}"));
    set_hooks(&dir.join(".git/modules/sub/hooks"), trap);
    write(dir, "sub/x", "y");
    checkout
}

#[tokio::test]
async fn git_does_not_go_into_submodules() {
    let forge = Forge::start();
    let trap = forge.trap();
    let checkout = with_submodule(&forge, &trap, false).await;
    let dir = checkout.dir();
    assert!(!forge.publish(&checkout).await.committed_by_us);
    write(dir, "b", "new");
    assert_eq!(forge.publish(&checkout).await.changed_files, 1);
    write(dir, "a", "changed");
    git(dir, &["update-index", "a"]);
    write(dir, "a", "a");
    assert!(!forge.publish(&checkout).await.committed_by_us);
    trap.assert_not_sprung();
    let _ = git_command(dir).arg("status").output();
    trap.assert_sprung();
}

#[tokio::test]
async fn a_new_commit_of_a_submodule_is_committed() {
    let forge = Forge::start();
    let trap = forge.trap();
    let checkout = with_submodule(&forge, &trap, true).await;
    assert_eq!(forge.publish(&checkout).await.changed_files, 1);
    trap.assert_not_sprung();
    let inner = fs::read_to_string(checkout.dir().join(".git/modules/sub/refs/heads/main")).unwrap();
    assert!(git(checkout.dir(), &["ls-tree", "HEAD", "sub"]).contains(inner.trim()));
}

#[tokio::test]
async fn a_cloned_repository_runs_nothing_and_stays_inside() {
    let forge = Forge::start();
    let files = [
        (".gitattributes", "* filter=x\n"),
        (".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c touch% /tmp/x\n\tupdate = !touch /tmp/x\n"),
        ("hooks/post-checkout", "#!/bin/sh\n"),
    ];
    let url = forge.repository("repo", &files);
    let seed = forge.temp.path().join("seed-repo");
    symlink(forge.temp.path().join("outside"), seed.join("link")).unwrap();
    git(&seed, &["add", "link"]);
    git(&seed, &["update-index", "--add", "--cacheinfo", &format!("160000,{},s", "1".repeat(40))]);
    git(&seed, &["commit", "--quiet", "--message=link"]);
    git(&seed, &["push", "--quiet", forge.bare("repo").to_str().unwrap(), "main"]);
    let checkout = forge.checkout(&url).await;
    assert!(fs::symlink_metadata(checkout.dir().join("link")).unwrap().is_symlink());
    assert!(!forge.temp.path().join("outside").exists());
    assert!(!checkout.dir().join(".git/hooks").exists());
    assert!(!forge.publish(&checkout).await.committed_by_us, "the submodule that was not fetched counts as unchanged");
}

#[tokio::test]
async fn files_are_not_read_through_links() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("dir/file", "mine")])).await;
    let outside = forge.temp.path().join("outside");
    write(&outside, "file", "a secret of this machine");
    fs::remove_dir_all(checkout.dir().join("dir")).unwrap();
    symlink(&outside, checkout.dir().join("dir")).unwrap();
    forge.publish(&checkout).await;
    assert!(git(checkout.dir(), &["ls-tree", "-r", "HEAD"]).starts_with("120000 blob"));
    assert_no_object_holds(&checkout, "a secret of this machine");
}

fn assert_no_object_holds(checkout: &Checkout, text: &str) {
    let all = git(checkout.dir(), &["cat-file", "--batch", "--batch-all-objects", "--buffer"]);
    assert!(!all.contains(text), "{all}");
}

#[tokio::test]
async fn an_index_that_names_files_outside_reads_none_of_them() {
    for (planted, forged) in [("xx/file", "../file"), ("xxxx/config", ".git/config")] {
        let forge = Forge::start();
        let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
        let dir = checkout.dir();
        write(dir, planted, "p");
        git(dir, &["add", planted]);
        fs::remove_dir_all(dir.join(planted.split('/').next().unwrap())).unwrap();
        let index = fs::read(dir.join(".git/index")).unwrap();
        let at = index.windows(planted.len()).position(|window| window == planted.as_bytes()).unwrap();
        let forged = [&index[..at], forged.as_bytes(), &index[at + planted.len()..]].concat();
        fs::write(dir.join(".git/index"), forged).unwrap();
        write(forge.temp.path(), "file", "a secret of this machine");
        write(dir, ".git/config", "[core]\n\t# a secret of this machine\n");
        let _ = checkout.publish(&forge.git(), &options()).await;
        assert_no_object_holds(&checkout, "a secret of this machine");
    }
}

async fn refused(forge: &Forge, checkout: &Checkout, url: &RepoUrl) -> CheckoutError {
    let tool = forge.git();
    let base = "a".repeat(40).parse().unwrap();
    assert!(checkout.push(&tool, &base, url, &branch("x"), false).await.is_err());
    match checkout.publish(&tool, &options()).await {
        Err(GitError::Checkout(error)) => error,
        other => panic!("{other:?}"),
    }
}

type Trick<'a> = &'a dyn Fn(&Path);

#[tokio::test]
async fn objects_of_other_repositories_can_not_be_pushed() {
    let forge = Forge::start();
    let private = forge.repository("private", &[("secret", "s")]);
    let bare = forge.bare("private");
    git(&bare, &["gc", "--quiet"]);
    let theirs = bare.join("objects");
    let url = forge.repository("repo", &[("a", "a")]);
    assert_ne!(private, url);
    let tricks: [(&str, Trick<'_>); 6] = [
        ("alternates", &|objects| write(objects, "info/alternates", theirs.to_str().unwrap())),
        ("objects", &|objects| {
            fs::rename(objects, objects.with_extension("old")).unwrap();
            symlink(&theirs, objects).unwrap();
        }),
        ("pack folder", &|objects| {
            fs::rename(objects.join("pack"), objects.join("old")).unwrap();
            symlink(theirs.join("pack"), objects.join("pack")).unwrap();
        }),
        ("one pack", &|objects| {
            for file in fs::read_dir(theirs.join("pack")).unwrap() {
                let file = file.unwrap();
                symlink(file.path(), objects.join("pack").join(file.file_name())).unwrap();
            }
        }),
        ("info", &|objects| symlink(theirs.join("info"), objects.join("info")).unwrap()),
        ("pipe", &|objects| mknodat(CWD, objects.join("pack/pack-1.idx"), FileType::Fifo, Mode::RWXU, 0).unwrap()),
    ];
    for (number, (name, trick)) in tricks.iter().enumerate() {
        let folder = forge.temp.path().join(format!("checkout-{number}"));
        let checkout = forge.git().clone_repo(&url, &folder, |_| ()).await.unwrap();
        let _ = fs::remove_dir(folder.join(".git/objects/info"));
        trick(&folder.join(".git/objects"));
        let error = refused(&forge, &checkout, &url).await;
        assert!(matches!(error, CheckoutError::Objects(_) | CheckoutError::NotARepository), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_git_folder_that_is_elsewhere_is_refused() {
    let forge = Forge::start();
    let url = forge.repository("repo", &[("a", "a")]);
    let checkout = forge.checkout(&url).await;
    let (dir, away) = (checkout.dir().to_owned(), forge.temp.path().join("away"));
    fs::rename(dir.join(".git"), &away).unwrap();
    assert!(matches!(refused(&forge, &checkout, &url).await, CheckoutError::NotARepository), "none");
    write(&dir, ".git", &format!("gitdir: {}\n", away.display()));
    assert!(matches!(refused(&forge, &checkout, &url).await, CheckoutError::NotARepository), "a file");
    fs::remove_file(dir.join(".git")).unwrap();
    symlink(&away, dir.join(".git")).unwrap();
    assert!(matches!(refused(&forge, &checkout, &url).await, CheckoutError::NotARepository), "a link");
    fs::remove_file(dir.join(".git")).unwrap();
    fs::rename(&away, dir.join(".git")).unwrap();
    let moved = dir.with_extension("moved");
    fs::rename(&dir, &moved).unwrap();
    symlink(&moved, &dir).unwrap();
    assert!(matches!(Checkout::open(&dir), Err(CheckoutError::NotARepository)), "a link to the checkout");
}

#[tokio::test]
async fn files_of_the_git_folder_that_are_links_or_pipes_are_refused() {
    let forge = Forge::start();
    let url = forge.repository("repo", &[("a", "a")]);
    write(forge.temp.path(), "outside", "a secret of this machine");
    for file in ["HEAD", "index", "refs/heads/work"] {
        for pipe in [false, true] {
            let folder = forge.temp.path().join(format!("{}-{pipe}", file.replace('/', "-")));
            let tool = forge.git();
            let checkout = tool.clone_repo(&url, &folder, |_| ()).await.unwrap();
            let base = checkout.remote_branch_commit(&branch("main")).unwrap();
            checkout.start_branch(&tool, base.as_ref(), &branch("work")).await.unwrap();
            let path = folder.join(".git").join(file);
            fs::remove_file(&path).unwrap();
            if pipe {
                mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
            } else {
                symlink(forge.temp.path().join("outside"), &path).unwrap();
            }
            write(&folder, "a", "changed");
            let error = checkout.publish(&tool, &options()).await.unwrap_err();
            assert!(matches!(error, GitError::Checkout(_)), "{file}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_branch_file_is_not_written_through_a_link() {
    let forge = Forge::start();
    let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
    let (dir, outside) = (checkout.dir(), forge.temp.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    git(dir, &["pack-refs", "--all"]);
    fs::remove_dir_all(dir.join(".git/refs/heads")).unwrap();
    symlink(&outside, dir.join(".git/refs/heads")).unwrap();
    write(dir, "a", "changed");
    assert!(matches!(checkout.publish(&forge.git(), &options()).await, Err(GitError::Checkout(_))));
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
}

#[tokio::test]
async fn a_pipe_that_git_waits_for_does_not_last() {
    for name in [".gitignore", ".gitattributes"] {
        let forge = Forge::start();
        let checkout = forge.checkout(&forge.repository("repo", &[("a", "a")])).await;
        mknodat(CWD, checkout.dir().join(name), FileType::Fifo, Mode::RWXU, 0).unwrap();
        write(checkout.dir(), "a", "changed");
        tokio::time::pause();
        let error = checkout.publish(&forge.git(), &options()).await.unwrap_err();
        assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
        tokio::time::resume();
    }
}
