//! Repositories that a session reads without an integration.

use valetkey_git::ConfigEntries;
use valetkey_model::RepoUrl;
use valetkey_twins::Repository;

use crate::bench::{Bench, grant};

/// A bench with a repository that everybody may read, and the configuration of a session that reads `path` without an
/// integration.
async fn reading(path: &str) -> (Bench, RepoUrl, ConfigEntries) {
    let bench = Bench::new().await;
    bench.forge.twin.repository("team/docs", Repository::new().public().file("a.txt", "a"));
    let url = bench.forge.url_of(path);
    let (_, lease) = grant(&bench.bed, None, url.clone(), false).await;
    let config = bench.gateway.git_config(&lease, std::slice::from_ref(&url));
    (bench, url, config)
}

#[tokio::test]
async fn what_everybody_may_read_is_cloned_without_a_credential() {
    let (bench, url, config) = reading("team/docs").await;
    let asked = bench.forge.twin.journal().len();
    let folder = bench.bed.folder.path();
    bench.git_with(&config, folder, &["clone", "-q", &url.clone_url(), "docs"]).await.ok();
    assert!(folder.join("docs/a.txt").exists());
    let journal = bench.forge.twin.journal();
    assert!(journal.len() > asked);
    for request in &journal[asked..] {
        assert!(request.headers.iter().all(|(name, _)| name != "authorization"), "{request:?}");
    }
}

#[tokio::test]
async fn a_push_there_is_refused_and_does_not_go_upstream() {
    let (bench, url, config) = reading("team/docs").await;
    let folder = bench.bed.folder.path();
    bench.git_with(&config, folder, &["clone", "-q", &url.clone_url(), "docs"]).await.ok();
    let asked = bench.forge.twin.journal().len();
    let said = bench.git_with(&config, &folder.join("docs"), &["push", "origin", "HEAD:feature/x"]).await;
    said.refused("uses no integration");
    assert_eq!(bench.forge.twin.journal().len(), asked, "nothing was asked upstream");
    // Nor by a request that was not announced.
    let (_, lease) = grant(&bench.bed, None, url.clone(), false).await;
    let bench = Bench { lease, ..bench };
    let path = format!("http/{}/{}.git/git-receive-pack", url.instance().authority(), url.path());
    let (status, answer) = bench.raw("POST", &path, b"0000").await;
    assert_eq!(status, 403, "{answer}");
    assert_eq!(bench.forge.twin.journal().len(), asked, "nothing was asked upstream");
}

#[tokio::test]
async fn what_is_private_stays_private_though_an_account_is_connected() {
    let (bench, url, config) = reading("team/sub/app").await;
    let said = bench.git_with(&config, bench.bed.folder.path(), &["ls-remote", &url.clone_url()]).await;
    said.refused("not for everybody to read");
    let last = bench.forge.twin.journal().pop().unwrap();
    assert_eq!(last.authenticated_as, None);
}

#[tokio::test]
async fn whoever_may_start_no_session_any_more_reads_nothing() {
    let (bench, url, config) = reading("team/docs").await;
    let folder = bench.bed.folder.path();
    bench.git_with(&config, folder, &["ls-remote", &url.clone_url()]).await.ok();
    let admin = valetkey_model::UserId::admin();
    bench.bed.store.set_disabled(&admin, true).await.unwrap();
    let said = bench.git_with(&config, folder, &["ls-remote", &url.clone_url()]).await;
    said.refused("may not use");
}
