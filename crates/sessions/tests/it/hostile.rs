use valetkey_model::ProblemCode;
use valetkey_twins::{AccessLevel, Repository};

use crate::bench::Bench;

/// A marker that hostile content would make if it ran in our process.
fn marker(bench: &Bench) -> std::path::PathBuf {
    bench.bed.folder.path().join("ran")
}

#[tokio::test]
async fn what_a_repository_brings_does_not_run() {
    let bench = Bench::new().await;
    let marker = marker(&bench);
    let touch = format!("touch {}", marker.display());
    let hostile = Repository::new()
        .private()
        .member(&bench.forge.john, AccessLevel::Developer)
        .file(".gitattributes", "* filter=evil diff=evil merge=evil\n")
        .file(".gitmodules", format!("[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c '{touch}'\n"))
        .executable(".githooks/post-checkout", format!("#!/bin/sh\n{touch}\n"))
        .symlink("out", "/etc")
        .file("a", "a");
    bench.forge.twin.repository("team/hostile", hostile);
    let body = serde_json::json!({
        "task": "t",
        "repositories": [{"url": bench.forge.url_of("team/hostile"), "pushBranch": "x"}],
        "agent": {"command": ["sh", "-c", "test -L out && echo b > b"]},
    });
    bench.run_as(body).await.completed();
    assert!(!marker.exists(), "something that the repository brought was run");
    assert_eq!(bench.forge.twin.file_at("team/hostile", "x", "b").as_deref(), Some("b\n"));
    assert_eq!(bench.forge.twin.file_at("team/hostile", "x", "a").as_deref(), Some("a"), "no filter touched it");
}

#[tokio::test]
async fn what_an_agent_leaves_in_its_git_folder_does_not_run() {
    let bench = Bench::new().await;
    let marker = marker(&bench);
    let script = format!(
        r#"
        e={m}-evil
        printf '#!/bin/sh\ntouch {m}\n' > $e; chmod +x $e
        for h in pre-commit commit-msg post-commit pre-push reference-transaction post-index-change post-checkout; do cp $e .git/hooks/$h 2>/dev/null || (mkdir -p .git/hooks && cp $e .git/hooks/$h); done
        git config core.fsmonitor $e; git config core.sshCommand $e; git config core.editor $e; git config core.pager $e
        git config filter.evil.clean $e; git config filter.evil.process $e; git config filter.evil.required true
        git config commit.gpgSign true; git config gpg.program $e; git config core.hooksPath .git/hooks
        git config url.ext::$e.insteadOf http://; git config remote.origin.pushurl ext::$e; git config http.proxy http://127.0.0.1:1
        git config credential.helper "!$e"; git config alias.push "!$e"; git config diff.external $e
        echo '* filter=evil' > .gitattributes
        echo new > new.txt
        rm -f {m}
        "#,
        m = marker.display()
    );
    bench.run(&script).await.completed();
    assert!(!marker.exists(), "something that the agent left was run");
    assert_eq!(bench.forge.twin.file_at(bench.forge.path, "feature/x", "new.txt").as_deref(), Some("new\n"));
}

#[tokio::test]
async fn a_git_folder_that_leads_elsewhere_is_refused() {
    let bench = Bench::new().await;
    for script in ["mv .git ../away && ln -s ../away .git", "mv .git ../away && echo 'gitdir: ../away' > .git"] {
        bench.run(script).await.failed(ProblemCode::CheckoutFailed, "can't be committed");
    }
}

#[tokio::test]
async fn a_link_out_of_the_tree_is_committed_as_a_link() {
    let bench = Bench::new().await;
    bench.run("ln -s /etc/passwd passwd").await.completed();
    assert_eq!(bench.forge.twin.file_at(bench.forge.path, "feature/x", "passwd").as_deref(), Some("/etc/passwd"));
}

#[tokio::test]
async fn the_agents_git_is_held_to_the_push_branch() {
    let bench = Bench::new().await;
    let script = "git commit -q --allow-empty -m x; git push origin HEAD:main; git push origin HEAD:other; git push origin :main; git tag t; git push origin t; true";
    let ended = bench.run(script).await.completed();
    assert_eq!(ended.output().matches("[remote rejected]").count(), 4, "{}", ended.output());
    let refs: Vec<String> = bench.forge.twin.refs(bench.forge.path).into_keys().collect();
    assert!(refs.iter().all(|name| name.ends_with("main") || name.ends_with("feature/x")), "{refs:?}");
}
