//! A credential's life against a forge that behaves as the providers document.

mod audit;
mod consent;
mod fixed_apps;
mod forges;
mod life;
mod master_key;
mod refresh;
mod secrets;
mod services;
mod webhooks;

use jiff::SignedDuration;
use valetkey_integrations::Connect;
use valetkey_model::{Actor, Clock as _, IntegrationRef, OwnerScope, ProblemCode, ProjectName, ProviderKind, Status};
use valetkey_providers::Credential;
use valetkey_seal::Secret;
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{Switch, Token, TokenState, User};

fn admin() -> Actor {
    Actor::admin()
}

#[tokio::test]
async fn connected_as_the_provider_says() {
    for forge in [ForgeBed::gitlab_with_tls().await, ForgeBed::github().await] {
        let bed = Testbed::new(&[&forge]).await;
        let it = bed.connect(&forge).await;
        assert_eq!((it.account.username.as_str(), it.account.name.as_deref()), ("john", Some("John Doe")));
        assert_eq!(it.alias.as_str(), format!("john@{}", it.instance_url.authority()));
        assert_eq!(it.status(bed.clock.now()).0, Status::Connected);
        assert!(!it.granted_scopes.is_empty());
        assert_eq!(bed.integrations.own(&admin(), None).await.unwrap(), [it]);
    }
}

#[tokio::test]
async fn a_token_that_will_not_do_is_not_stored() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let narrow = forge.twin.token(&forge.john, Token::generated().scopes(["read_api", "read_user"]));
    let revoked = forge.twin.token(&forge.john, Token::generated().scopes(["api"]).state(TokenState::Revoked));
    for (token, code) in [
        ("short", ProblemCode::TokenMalformed),
        ("glpat-with a space in it", ProblemCode::TokenMalformed),
        ("glpat-unknown-to-the-forge", ProblemCode::TokenInvalid),
        (revoked.as_str(), ProblemCode::TokenRevoked),
        (narrow.as_str(), ProblemCode::InsufficientScope),
    ] {
        let problem = bed.try_connect(&forge, token).await.unwrap_err();
        assert_eq!(problem.code, code, "{problem}");
        assert!(!format!("{problem:?}").contains(token), "{problem:?}");
    }
    assert!(bed.integrations.own(&admin(), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_malformed_token_is_sent_nowhere() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    bed.try_connect(&forge, "short").await.unwrap_err();
    assert!(forge.twin.journal().is_empty());
}

#[tokio::test]
async fn the_same_account_again_gets_the_new_token() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let first = bed.connect(&forge).await;
    let newer = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    let second = bed.try_connect(&forge, &newer).await.unwrap();
    assert_eq!((&second.id, second.generation), (&first.id, 2));
    assert_eq!(bed.integrations.own(&admin(), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn another_account_is_another_integration_and_then_one_must_choose() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let john = bed.connect(&forge).await;
    let jane = forge.twin.user(User::new("jane"));
    let token = forge.twin.token(&jane, Token::generated().scopes(["api"]));
    let jane = bed.try_connect(&forge, &token).await.unwrap();
    assert_ne!(john.id, jane.id);

    let project = ProjectName::default_project();
    let (url, me) = (forge.url(), admin());
    let resolve = |explicit: Option<IntegrationRef>| {
        let (integrations, project, url, me) = (bed.integrations.clone(), project.clone(), url.clone(), me.clone());
        async move { integrations.resolve(&me, &project, None, Some(url.instance()), explicit.as_ref()).await }
    };
    assert_eq!(resolve(None).await.unwrap_err().code, ProblemCode::IntegrationAmbiguous);
    let by_alias = resolve(Some(IntegrationRef::Alias(jane.alias.clone()))).await.unwrap();
    assert_eq!(by_alias.integration.id, jane.id);
    bed.integrations.set_default(&me, &IntegrationRef::Id(john.id.clone()), true).await.unwrap();
    assert_eq!(resolve(None).await.unwrap().integration.id, john.id);
}

#[tokio::test]
async fn an_alias_is_used_once_whatever_its_case() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let john = bed.connect(&forge).await;
    bed.integrations.rename(&admin(), &IntegrationRef::Id(john.id), &"Work".parse().unwrap()).await.unwrap();
    let jane = forge.twin.user(User::new("jane"));
    let token = forge.twin.token(&jane, Token::generated().scopes(["api"]));
    let wanted = Connect {
        provider: ProviderKind::GitLab,
        scope: OwnerScope::UserGlobal,
        by: admin(),
        alias: Some("wORK".parse().unwrap()),
        instance_url: Some(forge.url().instance().clone()),
        credential: Credential::pat(Secret::from(token.as_str())),
    };
    assert_eq!(bed.integrations.connect(wanted).await.unwrap_err().code, ProblemCode::Conflict);
}

#[tokio::test]
async fn the_status_is_what_the_provider_last_said() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let which = IntegrationRef::Id(bed.connect(&forge).await.id);
    let status = async || {
        let it = bed.integrations.test(&admin(), &which).await.unwrap();
        it.status(bed.clock.now())
    };
    forge.twin.switch(Switch::Down);
    let (unreachable, reason) = status().await;
    assert_eq!(unreachable, Status::Unreachable);
    assert!(reason.is_some());
    forge.twin.heal();
    assert_eq!(status().await, (Status::Connected, None));
    forge.twin.switch(Switch::RateLimited { retry_after: Some(3) });
    assert_eq!(status().await.0, Status::Unreachable);
    forge.twin.heal();
    // Until then nothing is asked.
    bed.clock.advance(SignedDuration::from_secs(4));
    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    assert_eq!(status().await.0, Status::Disconnected);
    // An outage afterwards does not make a dead token look alive.
    forge.twin.switch(Switch::Down);
    assert_eq!(status().await.0, Status::Disconnected);
}

#[tokio::test]
async fn rotation_takes_only_a_token_of_the_same_account() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let john = bed.connect(&forge).await;
    let which = IntegrationRef::Id(john.id);
    let jane = forge.twin.user(User::new("jane"));
    let janes = forge.twin.token(&jane, Token::generated().scopes(["api"]));
    let problem = bed.integrations.replace(&admin(), &which, Secret::from(janes.as_str())).await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::IntegrationUnusable);
    let newer = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    let rotated = bed.integrations.replace(&admin(), &which, Secret::from(newer.as_str())).await.unwrap();
    assert_eq!(rotated.generation, 2);
}

#[tokio::test]
async fn somebody_elses_integration_does_not_exist() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let which = IntegrationRef::Id(bed.connect(&forge).await.id);
    let eve = Actor::new("eve".parse().unwrap(), false, std::collections::BTreeMap::new());
    assert!(bed.integrations.own(&eve, None).await.unwrap().is_empty());
    for problem in [
        bed.integrations.get(&eve, &which).await.unwrap_err(),
        bed.integrations.test(&eve, &which).await.unwrap_err(),
        bed.integrations.disconnect(&eve, &which, true).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(problem.code, ProblemCode::NotFound);
    }
}

#[tokio::test]
async fn the_master_key_changes_while_another_process_works() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let which = IntegrationRef::Id(bed.connect(&forge).await.id);
    let other = bed.another_process();
    assert_eq!(bed.integrations.rotate_master_key().await.unwrap().rewrapped, 1);
    assert_eq!(other.test(&admin(), &which).await.unwrap().status(bed.clock.now()).0, Status::Connected);
    // The other process has the old key in memory; what it stores now must open for everybody.
    let newer = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    other.replace(&admin(), &which, Secret::from(newer.as_str())).await.unwrap();
    assert_eq!(bed.integrations.test(&admin(), &which).await.unwrap().status(bed.clock.now()).0, Status::Connected);
    assert_eq!(bed.integrations.rotate_master_key().await.unwrap().rewrapped, 1);
}

#[tokio::test]
async fn a_lost_master_key_is_an_error_and_nothing_else() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let which = IntegrationRef::Id(bed.connect(&forge).await.id);
    std::fs::remove_file(bed.folder.path().join("master.key")).unwrap();
    let problem = bed.another_process().test(&admin(), &which).await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::SealBroken);
}
