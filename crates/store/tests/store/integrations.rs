//! What is stored of an integration, and the rules that its table keeps.

use crate::support::{at, connected, integration, store, user};
use valetkey_model::{
    CheckOutcome, Details, IntegrationId, OwnerScope, Problem, ProblemCode, ProjectName, ProviderKind,
};
use valetkey_store::{CheckRecord, Everybodys, Finding, StoreError};

#[tokio::test]
async fn what_goes_in_comes_out() {
    let (_database, store) = store().await;
    let mut plain = integration("plain");
    plain.account.name = None;
    plain.expires_at = None;
    let mut full = integration("Fully Ünusual 'alias' ; --");
    full.provider = ProviderKind::GitHub;
    full.scope = OwnerScope::User(ProjectName::default_project());
    full.owner = user("someone@example.org");
    full.outcome = CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason: "revoked".into() };
    full.unreachable = Some("no answer".into());
    full.is_default = true;
    full.generation = 7;
    full.last_used_at = Some(at(5));
    full.details = Details { team: Some("Ünits".into()), ..Details::default() };
    full.refresh_expires_at = Some(at(99_000));
    for integration in [&plain, &full] {
        store.insert_integration(integration, b"sealed").await.unwrap();
        assert_eq!(store.integration(&integration.id).await.unwrap().as_ref(), Some(integration));
    }
    let of = |provider| Everybodys { provider, include_removing: false };
    assert_eq!(store.integrations(of(None)).await.unwrap(), [plain.clone(), full.clone()]);
    assert_eq!(store.integrations(of(Some(ProviderKind::GitHub))).await.unwrap(), [full]);
    assert_eq!(store.integrations(of(Some(ProviderKind::GitLab))).await.unwrap(), [plain]);
}

#[tokio::test]
async fn an_alias_is_taken_in_every_case_variant_by_the_same_owner_scope_and_project_only() {
    let (_database, store) = store().await;
    connected(&store, "Straße Ö").await;
    for variant in ["Straße Ö", "straße ö", "STRAßE Ö", " straße Ö "] {
        let mut other = integration(variant);
        other.provider = ProviderKind::GitHub;
        let refused = store.insert_integration(&other, b"x").await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{variant}: {refused:?}");
    }
    let mut others = integration("straße ö");
    others.owner = user("somebody-else");
    let mut in_project = integration("straße ö");
    in_project.scope = OwnerScope::User(ProjectName::default_project());
    let mut of_project = integration("straße ö");
    of_project.scope = OwnerScope::Project(ProjectName::default_project());
    for free in [&others, &in_project, &of_project] {
        store.insert_integration(free, b"x").await.unwrap();
    }
    let mut again = integration("STRAßE Ö");
    again.scope = of_project.scope;
    assert!(matches!(store.insert_integration(&again, b"x").await, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn renaming_keeps_aliases_apart_but_may_change_the_case_of_ones_own() {
    let (_database, store) = store().await;
    let first = connected(&store, "first").await;
    let second = connected(&store, "second").await;
    let alias = |text: &str| text.parse().unwrap();
    assert!(matches!(store.rename(&second.id, &alias("FIRST"), at(2)).await, Err(StoreError::Conflict(_))));
    store.rename(&first.id, &alias("First"), at(2)).await.unwrap();
    let renamed = store.integration(&first.id).await.unwrap().unwrap();
    assert_eq!((renamed.alias.as_str(), renamed.updated_at), ("First", at(2)));
    let gone = IntegrationId::new(at(1), &crate::support::Counter);
    assert!(matches!(store.rename(&gone, &alias("x"), at(2)).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_project_must_exist() {
    let (_database, store) = store().await;
    assert_eq!(store.projects().await.unwrap(), [ProjectName::default_project()]);
    assert!(store.project_exists(&ProjectName::default_project()).await.unwrap());
    let unknown: ProjectName = "unknown".parse().unwrap();
    assert!(!store.project_exists(&unknown).await.unwrap());
    let mut stray = integration("stray");
    stray.scope = OwnerScope::Project(unknown);
    assert!(matches!(store.insert_integration(&stray, b"x").await, Err(StoreError::NotFound("project"))));
}

#[tokio::test]
async fn one_default_per_owner_scope_project_and_provider() {
    let (_database, store) = store().await;
    let defaults = async || {
        let all = store.integrations(Everybodys::default()).await.unwrap();
        all.into_iter().filter(|i| i.is_default).map(|i| i.id).collect::<Vec<_>>()
    };
    let (a, b) = (connected(&store, "a").await, connected(&store, "b").await);
    let mut elsewhere = integration("c");
    elsewhere.provider = ProviderKind::GitHub;
    elsewhere.is_default = true;
    store.insert_integration(&elsewhere, b"x").await.unwrap();
    store.set_default(&a.id, true, at(2)).await.unwrap();
    assert_eq!(defaults().await, [a.id.clone(), elsewhere.id.clone()]);
    store.set_default(&b.id, true, at(2)).await.unwrap();
    assert_eq!(defaults().await, [b.id.clone(), elsewhere.id.clone()]);
    let mut newest = integration("d");
    newest.is_default = true;
    store.insert_integration(&newest, b"x").await.unwrap();
    assert_eq!(defaults().await, [elsewhere.id.clone(), newest.id.clone()]);
    store.set_default(&newest.id, false, at(2)).await.unwrap();
    assert_eq!(defaults().await, [elsewhere.id]);
    let gone = IntegrationId::new(at(1), &crate::support::Counter);
    assert!(matches!(store.set_default(&gone, true, at(2)).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_check_records_what_the_provider_said_and_nothing_else() {
    let (_database, store) = store().await;
    let before = connected(&store, "a").await;
    let check = async |second, finding| {
        let check = CheckRecord { generation: 1, checked_at: at(second), finding };
        assert!(store.record_check(&before.id, &check).await.unwrap().is_some());
        store.integration(&before.id).await.unwrap().unwrap()
    };
    let same = Finding::Described {
        outcome: before.outcome.clone(),
        account: before.account.clone(),
        granted_scopes: before.granted_scopes.clone(),
        expires_at: before.expires_at,
        details: Details::default(),
    };
    let now = check(2_000, same.clone()).await;
    assert_eq!((now.updated_at, now.last_checked_at), (at(1_000), at(2_000)), "nothing new");

    let now = check(3_000, Finding::Unreachable("no answer".into())).await;
    assert_eq!((now.unreachable.as_deref(), now.last_checked_at), (Some("no answer"), at(3_000)));
    assert_eq!((&now.outcome, now.expires_at), (&before.outcome, before.expires_at));

    let refused = CheckOutcome::Disconnected { code: ProblemCode::TokenExpired, reason: "expired".into() };
    let now = check(4_000, Finding::Judged(refused.clone())).await;
    assert_eq!((&now.outcome, &now.unreachable, &now.account), (&refused, &None, &before.account));
    assert_eq!((now.updated_at, now.expires_at), (at(4_000), before.expires_at));

    let mut account = before.account.clone();
    account.username = "jane".into();
    let outcome = CheckOutcome::InsufficientScope { reason: "lacks api".into() };
    let sites = Details { notes: vec!["Two sites.".into()], ..Details::default() };
    let described = Finding::Described {
        outcome: outcome.clone(),
        account,
        granted_scopes: Vec::new(),
        expires_at: None,
        details: sites.clone(),
    };
    let now = check(5_000, described).await;
    assert_eq!((now.account.username.as_str(), now.expires_at, now.updated_at), ("jane", None, at(5_000)));
    assert_eq!((now.outcome, now.granted_scopes, now.details), (outcome, Vec::new(), sites));
}

#[tokio::test]
async fn a_check_of_a_replaced_credential_changes_nothing() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    assert_eq!(store.replace_credential(&it.id, 1, b"second", at(2)).await.unwrap(), 2);
    let before = store.integration(&it.id).await.unwrap();
    let refused = CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason: "revoked".into() };
    let late = CheckRecord { generation: 1, checked_at: at(9), finding: Finding::Judged(refused) };
    assert_eq!(store.record_check(&it.id, &late).await.unwrap(), None);
    assert_eq!(store.integration(&it.id).await.unwrap(), before);
}

#[tokio::test]
async fn uses_are_recorded_to_the_minute() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    for (second, recorded) in [(100, 100), (130, 100), (159, 100), (160, 160), (90, 160)] {
        store.touch_used(&it.id, at(second)).await.unwrap();
        let used = store.integration(&it.id).await.unwrap().unwrap().last_used_at;
        assert_eq!(used, Some(at(recorded)), "used at {second}");
    }
}

#[tokio::test]
async fn a_credential_is_replaced_only_by_who_knows_the_present_one() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let replace = |sealed: &'static [u8]| {
        let (store, id) = (store.clone(), it.id.clone());
        tokio::spawn(async move { store.replace_credential(&id, 1, sealed, at(2)).await })
    };
    let (x, y) = (replace(b"x"), replace(b"y"));
    let (x, y) = (x.await.unwrap(), y.await.unwrap());
    let stored = store.sealed(&it.id).await.unwrap().unwrap();
    assert_eq!(stored.generation, 2);
    match (x, y) {
        (Ok(2), Err(StoreError::Stale(_))) => assert_eq!(stored.sealed, b"x"),
        (Err(StoreError::Stale(_)), Ok(2)) => assert_eq!(stored.sealed, b"y"),
        both => panic!("{both:?}"),
    }
    assert!(!format!("{stored:?}").contains("120"), "the bytes are not shown");
}

#[tokio::test]
async fn key_rotation_swaps_only_what_it_has_read() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let id = it.id;
    assert!(!store.rewrap(&id, 1, b"other", b"new").await.unwrap());
    assert!(!store.rewrap(&id, 2, b"a", b"new").await.unwrap());
    assert!(store.rewrap(&id, 1, b"a", b"new").await.unwrap());
    let after = store.sealed(&id).await.unwrap().unwrap();
    assert_eq!((after.generation, after.sealed.as_slice()), (1, b"new".as_slice()));
}

#[tokio::test]
async fn a_damaged_record_is_an_error_wherever_it_is_read() {
    for (field, sql) in [
        ("provider", "UPDATE integrations SET provider = 'gopher'"),
        ("alias", "UPDATE integrations SET alias = ''"),
        ("instance_url", "UPDATE integrations SET instance_url = 'http://evil.example/'"),
        ("account", "UPDATE integrations SET account = '{'"),
        ("auth_method", "UPDATE integrations SET auth_method = 'magic'"),
        ("granted_scopes", "UPDATE integrations SET granted_scopes = '7'"),
        ("outcome", "UPDATE integrations SET outcome = '{\"outcome\":\"splendid\"}'"),
        ("created_at", "UPDATE integrations SET created_at = 9223372036854775807"),
        ("expires_at", "UPDATE integrations SET expires_at = -9223372036854775807"),
    ] {
        let (database, store) = store().await;
        let it = connected(&store, "a").await;
        database.tamper(sql).await;
        let read =
            [store.integration(&it.id).await.map(drop), store.integrations(Everybodys::default()).await.map(drop)];
        for result in read {
            let Err(StoreError::Damaged { what: "integration", id, field: named }) = &result else {
                panic!("{field}: {result:?}")
            };
            assert_eq!((id.as_str(), *named), (it.id.as_str(), field));
            let problem = Problem::from(result.unwrap_err());
            assert_eq!(problem.code, ProblemCode::Internal);
        }
    }
}

#[tokio::test]
async fn the_database_itself_refuses_what_makes_no_sense() {
    let (database, store) = store().await;
    connected(&store, "a").await;
    for sql in [
        "UPDATE integrations SET scope = 'everyone'",
        "UPDATE integrations SET scope = 'project'",
        "UPDATE integrations SET project = 'default'",
        "UPDATE integrations SET is_default = 2",
        "INSERT INTO events (session, seq, at, body) VALUES ('nobody', 1, 1, '{}')",
    ] {
        assert!(database.try_tamper(sql).await.is_err(), "{sql}");
    }
}
