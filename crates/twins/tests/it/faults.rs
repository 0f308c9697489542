//! Each switch, and the way back.

use std::time::Duration;

use reqwest::Method;
use valetkey_twins::{Forge, Surface, Switch, Twin};

use crate::support::{Answer, Fixture, PROJECT, git_in};

const GITLAB_USER: &str = "/api/v4/user";
const GITHUB_USER: &str = "/api/v3/user";

#[tokio::test]
async fn gitlabs_limit_answers_in_plain_text_and_ends() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.twin.switch(Switch::RateLimited { retry_after: Some(42) });
    let limited = fixture.get(GITLAB_USER).await;
    assert_eq!((limited.status, limited.text.as_str()), (429, "Retry later\n"));
    assert_eq!((limited.header("retry-after"), limited.header("ratelimit-remaining")), (Some("42"), Some("0")));
    assert!(limited.header("content-type").unwrap().starts_with("text/plain"));
    assert!(limited.header("ratelimit-resettime").unwrap().ends_with("GMT"));

    fixture.twin.switch(Switch::SecondaryRateLimited { retry_after: None });
    fixture.twin.heal();
    assert_eq!(fixture.get(GITLAB_USER).await.status, 200);
}

#[tokio::test]
async fn gitlabs_application_limit_shows_in_no_header() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.twin.switch(Switch::SecondaryRateLimited { retry_after: None });
    let limited = fixture.get(GITLAB_USER).await;
    assert_eq!((limited.status, limited.header("ratelimit-limit"), limited.header("retry-after")), (429, None, None));
}

#[tokio::test]
async fn githubs_limits_are_two() {
    let fixture = Fixture::new(Forge::GitHub).await;
    fixture.twin.switch(Switch::RateLimited { retry_after: None });
    let primary = fixture.get(GITHUB_USER).await;
    assert_eq!(
        (primary.status, primary.header("x-ratelimit-remaining"), primary.header("retry-after")),
        (403, Some("0"), None)
    );
    assert!(primary.json()["message"].as_str().unwrap().starts_with("API rate limit exceeded"));

    fixture.twin.heal();
    fixture.twin.switch(Switch::SecondaryRateLimited { retry_after: Some(60) });
    let secondary = fixture.get(GITHUB_USER).await;
    assert_eq!((secondary.status, secondary.header("retry-after")), (403, Some("60")));
    assert!(secondary.json()["message"].as_str().unwrap().starts_with("You have exceeded a secondary rate limit"));
    assert_ne!(secondary.header("x-ratelimit-remaining"), Some("0"));
}

#[tokio::test]
async fn down_cuts_open_connections_and_new_ones_until_it_is_over() {
    let fixture = Fixture::new(Forge::GitLab).await;
    assert_eq!(fixture.get(GITLAB_USER).await.status, 200);
    fixture.twin.switch(Switch::Down);
    for _ in 0..2 {
        assert!(fixture.http.get(fixture.twin.url()).send().await.is_err());
    }
    fixture.twin.heal();
    assert_eq!(fixture.get(GITLAB_USER).await.status, 200);
}

#[tokio::test]
async fn a_proxys_error_and_somebody_elses_server_answer_in_html() {
    let fixture = Fixture::new(Forge::GitLab).await;
    for (switch, status) in [(Switch::ServerError, 502), (Switch::NotTheForge, 200)] {
        fixture.twin.switch(switch);
        let answer = fixture.get(GITLAB_USER).await;
        assert_eq!((answer.status, answer.text.contains("<html>")), (status, true));
        fixture.git(&["ls-remote", &fixture.url()]).await.failed();
        fixture.twin.heal();
    }
}

#[tokio::test]
async fn a_fault_may_strike_one_surface_only() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.twin.switch_at(Surface::Git, Switch::ServerError);
    assert_eq!(fixture.get(GITLAB_USER).await.status, 200);
    let refused = fixture.git(&["ls-remote", &fixture.url()]).await.failed();
    assert!(refused.contains("502"), "{refused}");
    fixture.twin.switch_at(Surface::Api, Switch::ServerError);
    fixture.git(&["ls-remote", &fixture.url()]).await.succeeded();
}

#[tokio::test]
async fn a_slow_twin_has_the_request_in_its_journal_before_it_answers() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.twin.switch(Switch::Slow(Duration::from_secs(3600)));
    let request = fixture.http.get(format!("{}{GITLAB_USER}", fixture.twin.url())).send();
    let request = tokio::spawn(request);
    let waiting = loop {
        match fixture.twin.journal().pop() {
            Some(recorded) => break recorded,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(!request.is_finished());
    request.abort();
    assert_eq!((waiting.path.as_str(), waiting.status), (GITLAB_USER, None));
}

#[tokio::test]
async fn a_missing_scope_is_each_forges_own_403() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.twin.switch(Switch::InsufficientScope);
    let refused = fixture.get(GITLAB_USER).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (403, Some("insufficient_scope")));
    fixture.git(&["ls-remote", &fixture.url()]).await.succeeded();

    let fixture = Fixture::new(Forge::GitHub).await;
    fixture.twin.switch(Switch::InsufficientScope);
    assert_eq!(fixture.get(GITHUB_USER).await.json()["status"], "403");
}

#[tokio::test]
async fn a_push_may_be_forbidden_whatever_the_api_says() {
    for (forge, text) in [
        (Forge::GitLab, "remote: You are not allowed to push code to this project."),
        (Forge::GitHub, "remote: Write access to repository not granted."),
    ] {
        let fixture = Fixture::new(forge).await;
        let clone = fixture.clone_with_change(b"new").await;
        fixture.twin.switch(Switch::PushForbidden);
        let refused = git_in(&clone, &["push", "origin", "HEAD:feature/x"]).await.failed();
        assert!(refused.contains(text) && refused.contains("403"), "{refused}");
        git_in(&clone, &["fetch", "origin"]).await.succeeded();
    }
}

#[tokio::test]
async fn a_redirect_leads_to_another_server_which_records_what_follows() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let other = Twin::builder(Forge::GitLab).start().await.unwrap();
    fixture.twin.switch(Switch::RedirectTo(other.url().to_owned()));

    let get = fixture.get(&format!("{GITLAB_USER}?a=b")).await;
    assert_eq!((get.status, get.header("location")), (302, Some(format!("{}{GITLAB_USER}?a=b", other.url()).as_str())));
    let post = fixture.http.request(Method::POST, format!("{}/x.git/git-upload-pack", fixture.twin.url()));
    assert_eq!(Answer::of(post.send().await.unwrap()).await.status, 307);
    assert!(other.journal().is_empty());

    fixture.git(&["ls-remote", &fixture.url()]).await.failed();
    let followed = other.journal();
    assert_eq!(followed[0].path, format!("/{PROJECT}.git/info/refs"));
    assert!(!followed[0].mentions(&fixture.token), "git sends no password along on the redirected request itself");
}

#[tokio::test]
async fn a_pack_that_breaks_off_fails_the_clone_in_either_way() {
    let fixture = Fixture::with(Forge::GitLab, |repository| repository.files_generated(300_000)).await;
    for (switch, folder) in [(Switch::TruncatePack, "broken"), (Switch::ShortPack, "short")] {
        fixture.twin.switch(switch);
        fixture.git(&["ls-remote", &fixture.url()]).await.succeeded();
        let complaint = fixture.git(&["clone", &fixture.url(), folder]).await.failed();
        assert!(complaint.contains("early EOF") || complaint.contains("RPC failed"), "{complaint}");
        fixture.twin.heal();
    }
    fixture.git(&["clone", &fixture.url(), "whole"]).await.succeeded();
}

#[tokio::test]
async fn a_huge_body_keeps_coming() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.twin.switch(Switch::HugeBody);
    let mut answer = fixture.http.get(format!("{}{GITLAB_USER}", fixture.twin.url())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut read = 0;
    while read < 8 << 20 {
        read += answer.chunk().await.unwrap().expect("more than 8 MiB").len();
    }
}

#[tokio::test]
async fn single_sign_on_may_be_wanted_of_everybody() {
    let fixture = Fixture::new(Forge::GitHub).await;
    fixture.twin.switch(Switch::SsoRequired);
    assert_eq!(fixture.get("/api/v3/repos/group/project").await.status, 403);
    let refused = fixture.git(&["ls-remote", &fixture.url()]).await.failed();
    assert!(refused.contains("SAML SSO"), "{refused}");
}
