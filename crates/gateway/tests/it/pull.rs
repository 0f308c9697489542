use jiff::SignedDuration;
use valetkey_model::{Actor, IntegrationRef, Status};
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{Surface, Switch, Token, TokenState};

use crate::bench::{Bench, grant, until};

#[tokio::test]
async fn a_clone_carries_the_credential_upstream_and_nowhere_else() {
    for forge in [ForgeBed::gitlab_with_tls().await, ForgeBed::github().await] {
        let bench = Bench::with(forge, false).await;
        let folder = bench.checkout().await;
        assert!(folder.join("README.md").exists());
        assert!(
            bench.forge.twin.journal().iter().any(|r| r.path.ends_with("git-upload-pack") && r.status == Some(200))
        );
        let config = std::fs::read_to_string(folder.join(".git/config")).unwrap();
        assert!(!config.contains(&bench.forge.token) && !config.contains("vkl_"), "{config}");
        assert!(!format!("{:?}", bench.config().to_env()).contains(&bench.forge.token));
    }
}

#[tokio::test]
async fn every_spelling_of_the_repository_leads_to_the_gateway() {
    let bench = Bench::new().await;
    let url = bench.forge.url();
    for spelling in [url.browse_url(), url.clone_url(), format!("git@{}:{}.git", url.instance().host(), url.path())] {
        bench.git(bench.bed.folder.path(), &["ls-remote", &spelling]).await.ok();
    }
}

#[tokio::test]
async fn only_the_sessions_repositories() {
    let bench = Bench::new().await;
    bench.forge.repository("team/other");
    let config = bench.gateway.git_config(&bench.lease, &[bench.forge.url_of("team/other")]);
    let asked = bench.forge.twin.journal().len();
    let other = bench.forge.url_of("team/other").clone_url();
    let said = bench.git_with(&config, bench.bed.folder.path(), &["ls-remote", &other]).await;
    said.refused("may not reach this repository");
    assert_eq!(bench.forge.twin.journal().len(), asked, "nothing was asked upstream");
}

#[tokio::test]
async fn a_forged_an_ended_and_another_sessions_lease_open_nothing() {
    let bench = Bench::new().await;
    bench.forge.repository("team/other");
    let (other_session, other_lease) =
        grant(&bench.bed, Some(&bench.integration), bench.forge.url_of("team/other"), false).await;
    let (folder, url) = (bench.bed.folder.path(), bench.forge.url().clone_url());

    let foreign = bench.gateway.git_config(&other_lease, &[bench.forge.url()]);
    bench.git_with(&foreign, folder, &["ls-remote", &url]).await.refused("may not reach this repository");

    let forged = format!(
        "http://{}/vkl_forged/http/{}/{}.git",
        bench.gateway.local_addr(),
        bench.forge.url().instance().authority(),
        bench.forge.path
    );
    bench.git(folder, &["ls-remote", &forged]).await.refused("lease is not known");

    bench.bed.integrations.end_grant(&bench.session).await.unwrap();
    bench.git(folder, &["ls-remote", &url]).await.refused("has ended");

    let own = bench.gateway.git_config(&other_lease, &[bench.forge.url_of("team/other")]);
    let other = bench.forge.url_of("team/other").clone_url();
    bench.git_with(&own, folder, &["ls-remote", &other]).await.ok();
    bench.bed.clock.advance(SignedDuration::from_hours(2));
    bench.git_with(&own, folder, &["ls-remote", &other]).await.refused("has ended");
    drop(other_session);
}

#[tokio::test]
async fn look_alike_hosts_get_no_credential() {
    let bench = Bench::new().await;
    let evil = ForgeBed::gitlab().await;
    let asked = bench.forge.twin.journal().len();
    let gateway = format!("http://{}/{}", bench.gateway.local_addr(), bench.lease.as_path_segment());
    let good = bench.forge.url().instance().authority();
    let evil_host = evil.url().instance().authority();
    for path in [
        format!("http/{evil_host}/{}.git", bench.forge.path),
        format!("http/{good}@{evil_host}/{}.git", bench.forge.path),
        format!("http/{evil_host}/{good}/{}.git", bench.forge.path),
        format!("http/localhost:{}/{}.git", bench.forge.twin.address().port(), bench.forge.path),
        format!("https/{good}/{}.git", bench.forge.path),
        format!("http/{good}./{}.git", bench.forge.path),
        format!("http/{good}/../{}.git", bench.forge.path),
        format!("http/{good}/{}%2f..%2fother.git", bench.forge.path),
    ] {
        let said = bench.git(bench.bed.folder.path(), &["ls-remote", &format!("{gateway}/{path}")]).await;
        assert!(!said.ok, "{path}: {}", said.text);
    }
    assert!(evil.twin.journal().is_empty(), "the other host heard of it");
    assert_eq!(bench.forge.twin.journal().len(), asked);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let bench = Bench::new().await;
    let evil = ForgeBed::gitlab().await;
    bench.forge.twin.switch_at(Surface::Git, Switch::RedirectTo(evil.twin.url().to_owned()));
    let url = bench.forge.url().clone_url();
    bench.git(bench.bed.folder.path(), &["ls-remote", &url]).await.refused("Redirects are not followed");
    assert!(evil.twin.journal().is_empty());
}

#[tokio::test]
async fn a_dead_token_is_told_and_becomes_the_status() {
    let bench = Bench::new().await;
    bench.forge.twin.set_token_state(&bench.forge.token, TokenState::Revoked);
    let url = bench.forge.url().clone_url();
    bench.git(bench.bed.folder.path(), &["ls-remote", &url]).await.refused("no longer accepts the token");
    let which = IntegrationRef::Id(bench.integration.id.clone());
    // The check after a refusal runs beside the answer; asking for it again leads to the same status.
    let status = bench.bed.integrations.test(&Actor::admin(), &which).await.unwrap().status(jiff::Timestamp::MIN).0;
    assert_eq!(status, Status::Disconnected);
}

#[tokio::test]
async fn a_dead_token_that_is_used_over_and_over_is_checked_once() {
    let bench = Bench::new().await;
    let checks = || bench.forge.twin.journal().iter().filter(|r| r.path == "/api/v4/user").count();
    let before = checks();
    bench.forge.twin.set_token_state(&bench.forge.token, TokenState::Revoked);
    let (host, path) = (bench.forge.url().instance().authority(), bench.forge.path);
    let rest = format!("http/{host}/{path}.git/info/refs?service=git-upload-pack");
    assert_eq!(bench.raw("GET", &rest, b"").await.0, 403);
    until(|| checks() > before).await;
    for _ in 0..20 {
        assert_eq!(bench.raw("GET", &rest, b"").await.0, 403);
    }
    assert_eq!(checks(), before + 1);
}

#[tokio::test]
async fn faults_upstream_are_told_in_words() {
    let bench = Bench::new().await;
    let url = bench.forge.url().clone_url();
    for (fault, words) in [
        (Switch::RateLimited { retry_after: Some(7) }, "Retry in 7 s"),
        (Switch::ServerError, "answered 502"),
        (Switch::Down, "error: 502"),
    ] {
        bench.forge.twin.heal();
        bench.forge.twin.switch_at(Surface::Git, fault);
        bench.git(bench.bed.folder.path(), &["ls-remote", &url]).await.refused(words);
    }
}

#[tokio::test]
async fn a_pack_that_breaks_off_is_a_failure() {
    for fault in [Switch::TruncatePack, Switch::ShortPack] {
        let bench = Bench::new().await;
        bench.forge.twin.switch(fault);
        let url = bench.forge.url().clone_url();
        let said = bench.git(bench.bed.folder.path(), &["clone", "-q", &url, "broken"]).await;
        assert!(!said.ok, "{}", said.text);
    }
}

#[tokio::test]
async fn what_is_disconnected_now_is_gone_with_the_next_request() {
    let bench = Bench::new().await;
    let (folder, url) = (bench.bed.folder.path(), bench.forge.url().clone_url());
    let which = IntegrationRef::Id(bench.integration.id.clone());
    bench.git(folder, &["ls-remote", &url]).await.ok();
    let held = bench.bed.integrations.disconnect(&Actor::admin(), &which, false).await.unwrap();
    assert_eq!(held, valetkey_integrations::Disconnected::UntilSessionsEnd(vec![bench.session.clone()]));
    bench.git(folder, &["ls-remote", &url]).await.ok();
    bench.bed.integrations.end_grant(&bench.session).await.unwrap();
    bench.git(folder, &["ls-remote", &url]).await.refused("has ended");

    // The old token was revoked when the session that held it ended.
    let another = bench.forge.twin.token(&bench.forge.john, Token::generated().scopes(["api"]));
    let again = bench.bed.try_connect(&bench.forge, &another).await.unwrap();
    let (_, lease) = grant(&bench.bed, Some(&again), bench.forge.url(), false).await;
    let config = bench.gateway.git_config(&lease, &[bench.forge.url()]);
    bench.git_with(&config, folder, &["ls-remote", &url]).await.ok();
    bench.bed.integrations.disconnect(&Actor::admin(), &IntegrationRef::Id(again.id), true).await.unwrap();
    bench.git_with(&config, folder, &["ls-remote", &url]).await.refused("may not reach this repository");
}

#[tokio::test]
async fn a_long_fetch_request_is_compressed_by_git_and_understood() {
    let bench = Bench::new().await;
    let folder = bench.checkout().await;
    for n in 0..40 {
        bench.git(&folder, &["commit", "-q", "--allow-empty", "-m", &format!("local {n}")]).await.ok();
    }
    bench.forge.twin.commit(bench.forge.path, "main", "new.txt", "new");
    bench.git(&folder, &["fetch", "-q", "origin"]).await.ok();
    let compressed = |r: &valetkey_twins::Recorded| r.header("content-encoding") == Some("gzip");
    assert!(bench.forge.twin.journal().iter().any(compressed), "git sent no compressed request");
}

#[tokio::test]
async fn other_requests_than_gits_are_refused() {
    let bench = Bench::new().await;
    let (host, path) = (bench.forge.url().instance().authority(), bench.forge.path);
    let asked = bench.forge.twin.journal().len();
    for (method, rest) in [
        ("GET", format!("http/{host}/api/v4/user")),
        ("GET", format!("http/{host}/{path}.git/HEAD")),
        ("GET", format!("http/{host}/{path}.git/info/refs")),
        ("POST", format!("http/{host}/{path}.git/info/lfs/objects/batch")),
        ("DELETE", format!("http/{host}/{path}.git/git-receive-pack")),
    ] {
        let status = bench.raw(method, &rest, b"").await.0;
        assert!((400..500).contains(&status), "{method} {rest}: {status}");
    }
    assert_eq!(bench.forge.twin.journal().len(), asked);
}

#[tokio::test]
async fn a_request_without_a_body_announces_none_upstream() {
    let bench = Bench::new().await;
    let (host, path) = (bench.forge.url().instance().authority(), bench.forge.path);
    let rest = format!("http/{host}/{path}.git/info/refs?service=git-upload-pack");
    assert_eq!(bench.raw("GET", &rest, b"swallows the next request").await.0, 200);
    let asked = bench.forge.twin.journal().into_iter().rfind(|r| r.path.ends_with("/info/refs")).unwrap();
    assert_eq!(asked.header("content-length"), None);
}

#[tokio::test]
async fn two_processes_share_one_store() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let it = bed.connect(&forge).await;
    let (_, lease) = grant(&bed, Some(&it), forge.url(), false).await;
    let other = bed.another_process();
    assert!(other.still_authorized(lease.as_path_segment(), &forge.url()).await);
}
