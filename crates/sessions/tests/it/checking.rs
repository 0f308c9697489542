use std::collections::BTreeMap;

use valetkey_model::{Actor, ProblemCode, ProjectName};
use valetkey_sessions::{CheckedRepository, NewRepository, ServedBy};
use valetkey_twins::{AccessLevel, Repository, TokenState};

use crate::bench::Bench;

async fn check(bench: &Bench, repositories: serde_json::Value) -> Vec<CheckedRepository> {
    let repositories: Vec<NewRepository> = serde_json::from_value(repositories).unwrap();
    bench.engine.check(&Actor::admin(), &ProjectName::default_project(), None, &repositories).await.unwrap()
}

#[tokio::test]
async fn one_is_told_what_a_session_would_act_with_and_whether_it_may_push() {
    let bench = Bench::new().await;
    let read_only = Repository::new().private().file("a", "a").member(&bench.forge.john, AccessLevel::Reporter);
    bench.forge.twin.repository("team/read", read_only);
    let found = check(
        &bench,
        serde_json::json!([
            {"url": bench.forge.url()},
            {"url": bench.forge.url_of("team/read")},
            {"url": bench.forge.url_of("team/none")},
            {"url": "https://git.example.test/a/b"},
            {"url": bench.forge.url_of("team/other"), "integration": "nobody's"},
        ]),
    )
    .await;
    let codes: Vec<_> = found.iter().map(|it| it.problem.as_ref().map(|problem| problem.code)).collect();
    let expected = [
        None,
        Some(ProblemCode::PushNotAllowed),
        Some(ProblemCode::RepositoryNotFound),
        Some(ProblemCode::IntegrationMissing),
        Some(ProblemCode::IntegrationUnusable),
    ];
    assert_eq!(codes, expected, "{found:?}");
    let Some(ServedBy::Integration(integration, reason)) = &found[0].served_by else { panic!("{found:?}") };
    assert_eq!(integration.account.username, "john");
    assert!(reason.contains("only User Global integration"), "{reason}");
    assert_eq!(found[0].default_branch.as_deref(), Some("main"));
    assert_eq!(found[1].default_branch.as_deref(), Some("main"), "known also where one may not push");
    assert!(found[3].served_by.is_none() && found[1].served_by.is_some());
}

#[tokio::test]
async fn a_dead_token_explains_all_its_repositories_and_nothing_is_granted() {
    let bench = Bench::new().await;
    bench.forge.twin.set_token_state(&bench.forge.token, TokenState::Revoked);
    let found =
        check(&bench, serde_json::json!([{"url": bench.forge.url()}, {"url": bench.forge.url_of("x/y")}])).await;
    for it in &found {
        assert_eq!(it.problem.as_ref().unwrap().code, ProblemCode::TokenRevoked, "{it:?}");
    }
    let integration = found[0].served_by.as_ref().unwrap().integration().unwrap();
    assert_eq!(bench.bed.store.grants_holding(&integration.id, integration.created_at).await.unwrap(), []);
}

#[tokio::test]
async fn what_goes_without_an_integration_can_be_read_or_not() {
    let bench = Bench::new().await;
    bench.forge.twin.repository("team/docs", Repository::new().public().file("a", "a"));
    let without = |url| serde_json::json!({"url": url, "integration": "none"});
    let urls = [bench.forge.url_of("team/docs"), bench.forge.url(), bench.forge.url_of("team/none")];
    let found = check(&bench, urls.map(without).into()).await;
    let codes: Vec<_> = found.iter().map(|it| it.problem.as_ref().map(|problem| problem.code)).collect();
    let not_found = Some(ProblemCode::RepositoryNotFound);
    assert_eq!(codes, [None, not_found, not_found], "{found:?}");
    for it in &found {
        assert!(matches!(&it.served_by, Some(ServedBy::Nothing(why)) if why.contains("was chosen")), "{it:?}");
        assert!(!it.can_push());
    }
}

#[tokio::test]
async fn no_address_is_reached_without_an_integration_that_the_policy_refuses() {
    let bench = Bench::new().await;
    let hidden = serde_json::json!([{"url": "https://169.254.169.254/latest/meta-data", "integration": "none"}]);
    let found = check(&bench, hidden).await;
    assert_eq!(found[0].problem.as_ref().unwrap().code, ProblemCode::AddressRefused, "{found:?}");
}

#[tokio::test]
async fn only_who_could_start_a_session_may_ask() {
    let bench = Bench::new().await;
    let project = ProjectName::default_project();
    let stranger = Actor::new("eve".parse().unwrap(), false, BTreeMap::new());
    let refused = bench.engine.check(&stranger, &project, None, &[]).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::NotFound);
    let viewer = Actor::new("eve".parse().unwrap(), false, [(project.clone(), valetkey_model::Role::Viewer)].into());
    assert_eq!(bench.engine.check(&viewer, &project, None, &[]).await.unwrap_err().code, ProblemCode::Forbidden);
    assert!(bench.engine.check(&Actor::admin(), &project, None, &[]).await.unwrap().is_empty());
}
