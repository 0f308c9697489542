//! Each rule of docs/refresh.md.

use std::sync::atomic::Ordering;

use valetkey_model::{CheckOutcome, Clock as _, ProblemCode, Status};
use valetkey_providers::{
    Credential,
    oauth::{OAuthError, Rotation},
};

use super::{
    Bench, access,
    fake::{Course, FIRST_ACCESS, FIRST_REFRESH, Fake},
    minutes,
};
use crate::{TokenCheck, refresh::AfterRefusal};

const ROTATING: [Rotation; 2] = [Rotation::RefreshOnly, Rotation::KillsAccess];
const ALL: [Rotation; 3] = [Rotation::None, Rotation::RefreshOnly, Rotation::KillsAccess];

fn wrong_secret() -> OAuthError {
    OAuthError::ClientRejected { said: "invalid_client".to_owned() }
}

fn limited() -> OAuthError {
    OAuthError::RateLimited { retry_after_seconds: Some(40) }
}

#[tokio::test]
async fn a_token_that_lives_long_enough_is_used_as_it_is() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, []);
    let it = bench.connected_to(&fake, 30).await;
    let current = bench.process().usable_from(fake.clone(), &it).await.unwrap();
    assert_eq!((access(&current).as_str(), fake.sends()), (FIRST_ACCESS, 0));
}

#[tokio::test]
async fn a_token_that_ends_soon_is_replaced_and_stored_before_it_is_used() {
    for rotation in ALL {
        let bench = Bench::new().await;
        let fake = Fake::new(rotation, &bench.clock, []);
        let it = bench.connected_to(&fake, 4).await;
        let process = bench.process();
        let current = process.usable_from(fake.clone(), &it).await.unwrap();
        assert_eq!((access(&current).as_str(), current.integration.generation), ("access-2", 2));
        // Known by the old record, found by the new one; another process too.
        for process in [process, bench.process()] {
            let again = process.usable_from(fake.clone(), &it).await.unwrap();
            assert_eq!((access(&again).as_str(), fake.sends()), ("access-2", 1));
        }
    }
}

#[tokio::test]
async fn a_failure_that_may_pass_keeps_the_old_token_while_it_lives_and_is_not_tried_again_at_once() {
    for (error, code, rest) in [
        (limited(), ProblemCode::RateLimited, 40),
        (OAuthError::Unavailable { retry_after_seconds: None }, ProblemCode::ProviderUnreachable, 15),
        (wrong_secret(), ProblemCode::OauthAppRefused, 15),
    ] {
        let bench = Bench::new().await;
        let script = [Course::Refused(error.clone()), Course::Refused(error)];
        let fake = Fake::new(Rotation::KillsAccess, &bench.clock, script);
        let it = bench.connected_to(&fake, 4).await;
        let process = bench.process();
        for _ in 0..3 {
            let current = process.usable_from(fake.clone(), &it).await.unwrap();
            assert_eq!((access(&current).as_str(), fake.sends()), (FIRST_ACCESS, 1));
        }
        assert_eq!(bench.now_is(&it).await.status(bench.clock.now()).0, Status::Unreachable);
        // Over by now.
        bench.clock.advance(minutes(4));
        let problem = process.usable_from(fake.clone(), &it).await.unwrap_err();
        assert_eq!((problem.code, fake.sends()), (code, 2), "{problem}");
        assert_eq!(process.usable_from(fake.clone(), &it).await.unwrap_err(), problem, "nobody asks again at once");
        assert_eq!(fake.sends(), 2);
        bench.clock.advance(jiff::SignedDuration::from_secs(rest));
        assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), "access-2");
        assert_eq!(bench.now_is(&it).await.status(bench.clock.now()).0, Status::Connected);
        assert_eq!(fake.sent_blindly(), 0);
    }
}

#[tokio::test]
async fn a_dead_grant_disconnects_with_the_reason_and_is_not_asked_again() {
    for rotation in ALL {
        let bench = Bench::new().await;
        let dead = OAuthError::GrantDead { said: "Token has been expired or revoked.".to_owned() };
        let fake = Fake::new(rotation, &bench.clock, [Course::Refused(dead)]);
        let it = bench.connected_to(&fake, 4).await;
        for process in [bench.process(), bench.process()] {
            let problem = process.usable_from(fake.clone(), &it).await.unwrap_err();
            assert_eq!((problem.code, fake.sends()), (ProblemCode::TokenRevoked, 1));
            assert!(problem.detail.contains("Token has been expired or revoked."), "{problem}");
            assert!(problem.remediation.is_some());
        }
        let CheckOutcome::Disconnected { code, .. } = bench.outcome(&it).await else { panic!("still connected") };
        assert_eq!(code, ProblemCode::TokenRevoked);
    }
}

#[tokio::test]
async fn a_refresh_token_that_stays_is_sent_again_after_a_lost_answer() {
    for lost in [Course::AnswerLost, Course::RequestLost] {
        let bench = Bench::new().await;
        let fake = Fake::new(Rotation::None, &bench.clock, [lost]);
        let it = bench.connected_to(&fake, 4).await;
        let process = bench.process();
        assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), FIRST_ACCESS);
        bench.clock.advance(minutes(1));
        assert!(fake.accepts(&access(&process.usable_from(fake.clone(), &it).await.unwrap())));
        assert_eq!(fake.sends(), 2);
        assert_eq!(bench.now_is(&it).await.generation, 2);
    }
}

#[tokio::test]
async fn where_only_the_refresh_token_rotates_a_lost_answer_disconnects() {
    for lost in [Course::AnswerLost, Course::RequestLost] {
        let bench = Bench::new().await;
        let fake = Fake::new(Rotation::RefreshOnly, &bench.clock, [lost]);
        let it = bench.connected_to(&fake, 4).await;
        let problem = bench.process().usable_from(fake.clone(), &it).await.unwrap_err();
        assert_eq!((problem.code, fake.sends()), (ProblemCode::TokenRevoked, 1));
        assert_eq!(fake.asked.load(Ordering::Relaxed), 0, "the answer would prove nothing");
    }
}

#[tokio::test]
async fn where_the_access_token_dies_too_its_death_tells_that_a_lost_answer_had_new_tokens() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, [Course::AnswerLost]);
    let it = bench.connected_to(&fake, 4).await;
    let problem = bench.process().usable_from(fake.clone(), &it).await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::TokenRevoked);
    assert!(problem.detail.contains("its answer was lost"), "{problem}");
    assert_eq!((fake.sends(), fake.asked.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test]
async fn where_the_access_token_dies_too_its_life_tells_that_nothing_happened_and_it_is_sent_again_later() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, [Course::RequestLost]);
    let it = bench.connected_to(&fake, 4).await;
    let process = bench.process();
    assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), FIRST_ACCESS);
    assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), FIRST_ACCESS);
    assert_eq!((fake.sends(), fake.asked.load(Ordering::Relaxed)), (1, 1), "it may still be on its way");
    bench.clock.advance(minutes(2));
    assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), "access-2");
    assert_eq!((fake.sends(), fake.asked.load(Ordering::Relaxed), fake.sent_blindly()), (2, 2, 0));
}

#[tokio::test]
async fn an_access_token_whose_own_time_is_over_proves_nothing() {
    for lost in [Course::AnswerLost, Course::RequestLost] {
        let bench = Bench::new().await;
        let fake = Fake::new(Rotation::KillsAccess, &bench.clock, [lost]);
        let it = bench.connected_to(&fake, 0).await;
        let problem = bench.process().usable_from(fake.clone(), &it).await.unwrap_err();
        assert!(problem.detail.contains("not sent again"), "{problem}");
        assert_eq!(fake.sends(), 1);
        assert!(matches!(bench.outcome(&it).await, CheckOutcome::Disconnected { .. }));
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_decides_nothing_while_the_old_token_lives() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, [Course::RequestLost]);
    fake.reachable(false);
    let it = bench.connected_to(&fake, 4).await;
    let process = bench.process();
    assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), FIRST_ACCESS);
    bench.clock.advance(minutes(2));
    assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), FIRST_ACCESS);
    assert_eq!((fake.sends(), fake.asked.load(Ordering::Relaxed)), (1, 2));
    fake.reachable(true);
    bench.clock.advance(minutes(1));
    assert_eq!(access(&process.usable_from(fake.clone(), &it).await.unwrap()), "access-2");
    assert_eq!(fake.sent_blindly(), 0);
}

#[tokio::test]
async fn a_refused_token_that_should_live_is_replaced_once() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, []);
    fake.kill(FIRST_ACCESS);
    let it = bench.connected_to(&fake, 30).await;
    let process = bench.process();
    let old = process.current(&it).await.unwrap();
    let AfterRefusal::Newer(newer) = process.after_refusal(&old, fake.clone()).await else { panic!("no newer token") };
    assert_eq!(access(&newer), "access-2");
    // Who comes late with the same refusal gets the result; a refusal of the new one is the last word.
    let AfterRefusal::Newer(again) = process.after_refusal(&old, fake.clone()).await else { panic!("no newer token") };
    assert_eq!(access(&again), "access-2");
    assert!(matches!(process.after_refusal(&newer, fake.clone()).await, AfterRefusal::Stands));
    assert_eq!(fake.sends(), 1);
    bench.clock.advance(minutes(5));
    assert!(matches!(process.after_refusal(&newer, fake.clone()).await, AfterRefusal::Newer(_)));
}

#[tokio::test]
async fn a_refused_token_of_an_ended_grant_disconnects() {
    for rotation in ROTATING {
        let bench = Bench::new().await;
        let dead = OAuthError::GrantDead { said: String::new() };
        let fake = Fake::new(rotation, &bench.clock, [Course::Refused(dead)]);
        let it = bench.connected_to(&fake, 30).await;
        let process = bench.process();
        let old = process.current(&it).await.unwrap();
        let after = process.after_refusal(&old, fake.clone()).await;
        assert!(matches!(after, AfterRefusal::NotRenewed(problem) if problem.code == ProblemCode::TokenRevoked));
        assert!(matches!(bench.outcome(&it).await, CheckOutcome::Disconnected { .. }));
    }
}

#[tokio::test]
async fn without_an_app_the_old_token_serves_while_it_lives_and_then_the_administrator_is_named() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, []);
    let it = bench.connected_to(&fake, 4).await;
    let process = bench.process();
    assert_eq!(process.usable(&it).await.unwrap().1, 1);
    bench.clock.advance(minutes(4));
    let problem = process.usable(&it).await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::OauthNotConfigured);
    assert!(problem.remediation.unwrap().contains("administrator"));
    assert_eq!(process.refresh_if_due(&it.id).await.unwrap_err().code, ProblemCode::OauthNotConfigured);
}

#[tokio::test]
async fn a_credential_without_a_refresh_token_is_left_alone() {
    let bench = Bench::new().await;
    let it = bench.connected(0, FIRST_ACCESS, FIRST_REFRESH).await;
    let process = bench.process();
    let plain = Credential::pat("glpat-plain".into());
    let sealed = process.sealer.seal(&crate::connect::identity(&it.id, 2), &plain.to_text());
    bench.store.replace_credential(&it.id, 1, sealed.as_bytes(), bench.clock.now()).await.unwrap();
    let current = process.fresh(&it).await.unwrap();
    assert_eq!((access(&current).as_str(), current.integration.generation), ("glpat-plain", 2));
    assert!(!process.refresh_if_due(&it.id).await.unwrap());
    assert!(matches!(process.refresh_refused(&current.integration, 2).await.unwrap(), AfterRefusal::Stands));
    assert!(matches!(process.refresh_refused(&current.integration, 1).await.unwrap(), AfterRefusal::Newer(_)));
}

#[tokio::test]
async fn a_check_that_finds_no_new_token_shows_why_and_disconnects_nobody() {
    let bench = Bench::new().await;
    let it = bench.connected(0, FIRST_ACCESS, FIRST_REFRESH).await;
    let checked = bench.process().check(&it).await.unwrap();
    assert!(matches!(checked, TokenCheck::Failed(problem) if problem.code == ProblemCode::OauthNotConfigured));
    let (status, reason) = bench.now_is(&it).await.status(bench.clock.now());
    assert_eq!(status, Status::Unreachable);
    assert!(reason.unwrap().contains("OAuth is not configured"));
}
