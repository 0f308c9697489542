//! What happens to a credential while nobody looks: checks by themselves, what is told of them, and when.

use jiff::SignedDuration;
use valetkey_integrations::{AtProvider, DueChecks, Happening, Integrations, Portion};
use valetkey_model::{Actor, Clock as _, Integration, IntegrationId, IntegrationRef, OwnerScope, ProjectName, Status};
use valetkey_seal::Secret;
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{Switch, Token, TokenState};

fn admin() -> Actor {
    Actor::admin()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A forge, an account of it that is connected, and its events so far forgotten.
async fn connected() -> (ForgeBed, Testbed, Integration) {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let it = bed.connect(&forge).await;
    (forge, bed, it)
}

async fn events(of: &Integrations, id: Option<&IntegrationId>) -> Vec<Happening> {
    let mut events = of.events(&admin(), id, None, 100).await.unwrap();
    events.reverse();
    events.into_iter().map(|event| event.what).collect()
}

async fn pause(bed: &Testbed) -> SignedDuration {
    let due = bed.integrations.next_due_check().await.unwrap().expect("a check is scheduled");
    due.duration_since(bed.clock.now())
}

/// Lets time pass until something is due, and does it.
async fn next_checks(bed: &Testbed) -> DueChecks {
    let wait = pause(bed).await;
    bed.clock.advance(wait + SignedDuration::from_secs(1));
    bed.integrations.run_due_checks(10).await.unwrap()
}

#[tokio::test]
async fn what_was_just_connected_is_checked_half_a_day_later_and_then_again() {
    let (forge, bed, _) = connected().await;
    assert_eq!(bed.integrations.run_due_checks(10).await.unwrap(), DueChecks::default());
    for _ in 0..3 {
        let pause = pause(&bed).await;
        assert!(pause > hours(8) && pause < hours(16), "{pause:?}");
        let asked = forge.twin.journal().len();
        assert_eq!(next_checks(&bed).await, DueChecks { passed: 1, ..DueChecks::default() });
        assert!(forge.twin.journal().len() > asked);
    }
    assert_eq!(events(&bed.integrations, None).await, [Happening::Connected], "nothing else is news");
}

#[tokio::test]
async fn a_revoked_token_is_found_out_told_and_not_asked_for_again() {
    let (forge, bed, it) = connected().await;
    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    assert_eq!(next_checks(&bed).await, DueChecks { failed: 1, ..DueChecks::default() });
    let now_is = bed.integrations.get(&admin(), &IntegrationRef::Id(it.id.clone())).await.unwrap();
    assert_eq!(now_is.status(bed.clock.now()).0, Status::Disconnected);
    assert_eq!(bed.integrations.next_due_check().await.unwrap(), None);
    let [Happening::Connected, Happening::StatusChanged { from, to, reason }] =
        &events(&bed.integrations, None).await[..]
    else {
        panic!("{:?}", events(&bed.integrations, None).await)
    };
    assert_eq!((*from, *to), (Status::Connected, Status::Disconnected));
    assert!(reason.is_some());

    let newer = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    bed.integrations.replace(&admin(), &IntegrationRef::Id(it.id.clone()), Secret::from(newer.as_str())).await.unwrap();
    let back = Happening::StatusChanged { from: Status::Disconnected, to: Status::Connected, reason: None };
    assert_eq!(events(&bed.integrations, Some(&it.id)).await[2..], [Happening::Replaced, back]);
    assert!(pause(&bed).await > hours(8), "and it is checked again");
}

#[tokio::test]
async fn a_check_after_a_refusal_elsewhere_counts_like_any_other() {
    let (forge, bed, it) = connected().await;
    forge.twin.set_token_state(&forge.token, TokenState::Expired);
    bed.integrations.recheck(&it.id).await.unwrap();
    let pause = pause(&bed).await;
    assert!(pause > hours(14) && pause < hours(24), "an expired one is asked for once a day: {pause:?}");
    let told = events(&bed.integrations, None).await;
    assert!(
        matches!(told[..], [Happening::Connected, Happening::StatusChanged { to: Status::Disconnected, .. }]),
        "{told:?}"
    );
    bed.integrations.recheck(&it.id).await.unwrap();
    assert_eq!(events(&bed.integrations, None).await.len(), 2, "the same answer is no news");
}

#[tokio::test]
async fn who_does_not_answer_is_asked_less_and_less_often() {
    let (forge, bed, _) = connected().await;
    forge.twin.switch(Switch::Down);
    assert_eq!(next_checks(&bed).await, DueChecks { failed: 1, ..DueChecks::default() });
    let mut before = pause(&bed).await;
    assert!(before >= SignedDuration::from_mins(7) && before < SignedDuration::from_mins(13), "{before:?}");
    for _ in 0..3 {
        next_checks(&bed).await;
        let next = pause(&bed).await;
        assert!(next > before * 14 / 10 && next < before * 26 / 10, "{before:?}, then {next:?}");
        before = next;
    }
    assert_eq!(
        events(&bed.integrations, None).await,
        [Happening::Connected],
        "an outage says nothing of the credential"
    );
    forge.twin.heal();
    assert_eq!(next_checks(&bed).await.passed, 1);
    assert!(pause(&bed).await > hours(8));
}

#[tokio::test]
async fn a_provider_that_wants_to_be_left_alone_is() {
    let (forge, bed, _) = connected().await;
    forge.twin.switch(Switch::RateLimited { retry_after: Some(3000) });
    next_checks(&bed).await;
    assert!(pause(&bed).await > SignedDuration::from_secs(2990));
    let counts = bed.integrations.counts();
    assert!(counts.checks.contains(&("rate_limited", 1)), "{counts:?}");
    assert!(counts.limited_calls.iter().any(|(how, calls)| *how == "refused" && *calls > 0), "{counts:?}");
}

#[tokio::test]
async fn what_is_left_of_a_limit_is_left_to_people() {
    let (forge, bed, it) = connected().await;
    let wait = pause(&bed).await;
    bed.clock.advance(wait + SignedDuration::from_secs(1));
    forge.twin.switch(Switch::RateLimited { retry_after: Some(60) });
    let project = ProjectName::default_project();
    let found =
        bed.integrations.search(&admin(), &project, None, None, "app", Portion { skip: 0, limit: 10 }).await.unwrap();
    assert_eq!(found.failures.len(), 1);
    forge.twin.heal();
    let asked = forge.twin.journal().len();
    assert_eq!(bed.integrations.run_due_checks(10).await.unwrap(), DueChecks { postponed: 1, ..DueChecks::default() });
    assert_eq!(forge.twin.journal().len(), asked, "nothing was asked");
    assert_eq!(bed.integrations.get(&admin(), &IntegrationRef::Id(it.id.clone())).await.unwrap().unreachable, None);
    assert_eq!(next_checks(&bed).await.passed, 1, "an hour later");
}

#[tokio::test]
async fn an_end_that_comes_near_is_told_once_a_day_whoever_checks() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let ends_at = (bed.clock.now() + hours(5 * 24)).strftime("%Y-%m-%d").to_string();
    let token = forge.twin.token(&forge.john, Token::generated().scopes(["api"]).expires(&ends_at));
    bed.try_connect(&forge, &token).await.unwrap();
    let other = bed.another_process();
    let told = async || {
        let all = events(&bed.integrations, None).await;
        all.iter().filter(|what| matches!(what, Happening::Expiring { .. })).count()
    };
    assert_eq!(told().await, 1, "at once");
    let mut checks = 0;
    for _ in 0..48 {
        bed.clock.advance(hours(1));
        let (one, two) = futures_util::join!(bed.integrations.run_due_checks(10), other.run_due_checks(10));
        checks += one.unwrap().total() + two.unwrap().total();
    }
    assert!((6..=12).contains(&checks), "each six hours, not twice by two: {checks}");
    assert!((2..=3).contains(&told().await), "two days have passed: {}", told().await);
}

#[tokio::test]
async fn what_is_disconnected_is_told_with_what_became_of_it_and_checked_no_more() {
    let (_forge, bed, it) = connected().await;
    bed.integrations.disconnect(&admin(), &IntegrationRef::Id(it.id.clone()), true).await.unwrap();
    let told = bed.integrations.events(&admin(), Some(&it.id), None, 10).await.unwrap();
    let Happening::Disconnected { at_provider } = &told[0].what else { panic!("{told:?}") };
    assert_ne!(*at_provider, AtProvider::InUse);
    assert_eq!((told[0].subject.account.as_str(), &told[0].subject.alias), ("john", &it.alias));
    assert_eq!(bed.integrations.next_due_check().await.unwrap(), None);
    let eve = Actor::new("eve".parse().unwrap(), false, std::collections::BTreeMap::new());
    assert_eq!(bed.integrations.events(&eve, Some(&it.id), None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_can_not_be_opened_is_put_off_and_in_nobodys_way() {
    let (_forge, bed, it) = connected().await;
    assert_eq!(it.scope, OwnerScope::UserGlobal);
    let wait = pause(&bed).await;
    bed.clock.advance(wait + SignedDuration::from_secs(1));
    std::fs::remove_file(bed.folder.path().join("master.key")).unwrap();
    let stranger = bed.another_process();
    assert_eq!(stranger.run_due_checks(10).await.unwrap(), DueChecks { postponed: 1, ..DueChecks::default() });
    let pause = pause(&bed).await;
    assert!(pause > SignedDuration::from_mins(40) && pause < SignedDuration::from_mins(80), "{pause:?}");
}
