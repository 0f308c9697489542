use valetkey_model::{Actor, IntegrationRef, ProblemCode, Step, StepOutcome};
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{AccessLevel, Repository, Switch, Token, TokenState, User};

use crate::bench::Bench;

#[tokio::test]
async fn nothing_starts_with_a_credential_that_is_dead() {
    let bench = Bench::new().await;
    bench.forge.twin.set_token_state(&bench.forge.token, TokenState::Expired);
    let ended = bench.run("true").await.failed(ProblemCode::TokenExpired, "Authentication failed");
    assert_eq!(ended.steps(), [(Step::Resolve, StepOutcome::Done), (Step::Preflight, StepOutcome::Failed)]);
    assert!(!bench.forge.twin.journal().iter().any(|r| r.path.contains("git-upload-pack")), "git was not started");
}

#[tokio::test]
async fn a_provider_that_can_not_be_asked_is_not_a_bad_token() {
    for (fault, code) in [
        (Switch::Down, ProblemCode::ProviderUnreachable),
        (Switch::ServerError, ProblemCode::ProviderUnreachable),
        (Switch::NotTheForge, ProblemCode::NotTheProvider),
        (Switch::RateLimited { retry_after: Some(9) }, ProblemCode::RateLimited),
        (Switch::InsufficientScope, ProblemCode::InsufficientScope),
    ] {
        let bench = Bench::new().await;
        bench.forge.twin.switch(fault.clone());
        let ended = bench.run("true").await;
        assert_eq!(ended.session.failure.as_ref().unwrap().code, code, "{fault:?}: {}", ended.log());
    }
}

#[tokio::test]
async fn an_account_that_may_only_read_is_told_before_anything_is_cloned() {
    let bench = Bench::new().await;
    let read_only = Repository::new().private().file("a", "a").member(&bench.forge.john, AccessLevel::Reporter);
    bench.forge.twin.repository("team/read-only", read_only);
    let url = bench.forge.url_of("team/read-only");
    let body = serde_json::json!({"task": "t", "repositories": [{"url": url}], "agent": {"command": ["true"]}});
    bench.run_as(body).await.failed(ProblemCode::PushNotAllowed, "can't push to");
}

#[tokio::test]
async fn a_repository_that_is_not_there_and_one_that_is_not_visible_look_alike() {
    let bench = Bench::new().await;
    bench.forge.twin.repository("secret/project", Repository::new().private().file("a", "a"));
    for path in ["secret/project", "no/such"] {
        let body = serde_json::json!({"task": "t", "repositories": [{"url": bench.forge.url_of(path)}], "agent": {"command": ["true"]}});
        bench.run_as(body).await.failed(ProblemCode::RepositoryNotFound, "");
    }
}

#[tokio::test]
async fn a_branch_that_is_not_there() {
    let bench = Bench::new().await;
    let body = serde_json::json!({"task": "t", "repositories": [{"url": bench.forge.url(), "branch": "nowhere"}], "agent": {"command": ["true"]}});
    bench.run_as(body).await.failed(ProblemCode::BranchNotFound, "no branch 'nowhere'");
}

#[tokio::test]
async fn a_host_where_nothing_is_connected() {
    let bench = Bench::new().await;
    let body = serde_json::json!({"task": "t", "repositories": [{"url": "https://github.com/team/app"}], "agent": {"command": ["true"]}});
    let ended =
        bench.run_as(body).await.failed(ProblemCode::IntegrationMissing, "No integration is connected for GitHub");
    assert!(ended.session.failure.unwrap().remediation.unwrap().contains("valetkey connect github"));
}

#[tokio::test]
async fn the_chosen_integration_is_used_or_the_session_fails() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    bed.connect(&forge).await;
    let jane = forge.twin.user(User::new("jane").name("Jane").email("jane@example.test"));
    let token = forge.twin.token(&jane, Token::generated().scopes(["api"]));
    let janes = bed.try_connect(&forge, &token).await.unwrap();
    let repository = Repository::new().private().file("a", "a").member(&jane, AccessLevel::Developer);
    forge.twin.repository("team/janes", repository.member(&forge.john, AccessLevel::Developer));
    let bench = Bench::on(bed, forge, &[]).await;
    let body = |integration: &str| {
        serde_json::json!({
            "task": "t",
            "repositories": [{"url": bench.forge.url_of("team/janes"), "pushBranch": "x", "integration": integration}],
            "agent": {"command": ["sh", "-c", "echo b > b"]},
        })
    };
    bench.run_as(body(janes.alias.as_str())).await.completed();
    assert_eq!(bench.forge.twin.commits("team/janes", "x")[0].author_name, "Jane");
    bench.run_as(body("nobody's")).await.failed(ProblemCode::IntegrationUnusable, "nobody's");
}

#[tokio::test]
async fn a_credential_that_is_taken_away_during_a_session_is_gone() {
    let bench = Bench::new().await;
    let gate = bench.bed.folder.path().join("gate");
    let script =
        format!("echo started; while ! test -e {}; do sleep 0.05; done; git fetch; echo x > x", gate.display());
    let id = bench.start(&script).await;
    bench.wait_for_output(&id, "started").await;
    let me = Actor::admin();
    let it = bench.bed.integrations.own(&me, None).await.unwrap().remove(0);
    bench.bed.integrations.disconnect(&me, &IntegrationRef::Id(it.id), true).await.unwrap();
    std::fs::write(gate, "").unwrap();
    let ended = bench.end_of(&id).await.failed(ProblemCode::PushRefused, "may not reach this repository");
    assert!(ended.output().contains("may not reach this repository"), "{}", ended.output());
}
