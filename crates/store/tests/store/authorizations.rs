//! Authorizations that people are sent to give: each is used once, in time, and asked after at the provider's pace.

use crate::support::{Counter, at, store};
use jiff::SignedDuration;
use serde_json::json;
use valetkey_model::{OAuthAttemptId, ProviderKind, UserId};
use valetkey_store::{AttemptWay, OAuthAttempt, StoreError, Taken};

/// Lasts until second 600.
fn attempt(way: AttemptWay) -> OAuthAttempt {
    OAuthAttempt {
        id: OAuthAttemptId::new(at(0), &Counter),
        way,
        browser_hash: "browser".into(),
        owner: UserId::admin(),
        provider: ProviderKind::GitHub,
        instance_url: "https://github.com".parse().unwrap(),
        body: json!({"alias": "Ünits", "scopes": ["repo"]}),
        sealed: b"verifier".to_vec(),
        created_at: at(0),
        expires_at: at(600),
        outcome: None,
    }
}

fn web(state: &str) -> OAuthAttempt {
    attempt(AttemptWay::Web { state_hash: state.into() })
}

/// May be asked after from second 10 on, every 5 seconds.
fn device() -> OAuthAttempt {
    attempt(AttemptWay::Device { poll_after: at(10), interval: SignedDuration::from_secs(5) })
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    let (_database, store) = store().await;
    for new in [web("state"), device(), device()] {
        store.insert_oauth_attempt(&new).await.unwrap();
        assert_eq!(store.oauth_attempt(&new.id).await.unwrap().as_ref(), Some(&new));
        assert!(!format!("{new:?}").contains("118"), "the bytes are not shown");
        assert!(matches!(store.insert_oauth_attempt(&new).await, Err(StoreError::Conflict(_))));
    }
    assert!(matches!(store.insert_oauth_attempt(&web("state")).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.oauth_attempt(&web("unknown").id).await.unwrap(), None);
}

#[tokio::test]
async fn unknown_expired_and_used_states_are_told_apart() {
    let (_database, store) = store().await;
    let (used, late) = (web("used"), web("late"));
    store.insert_oauth_attempt(&used).await.unwrap();
    store.insert_oauth_attempt(&late).await.unwrap();
    let take = async |state, second| store.take_oauth_attempt(state, at(second)).await.unwrap();
    assert_eq!(take("unknown", 1).await, Taken::Unknown);
    assert_eq!(take("used", 599).await, Taken::Attempt(Box::new(used)));
    assert_eq!(take("used", 599).await, Taken::AlreadyUsed);
    assert_eq!(take("used", 601).await, Taken::AlreadyUsed);
    assert_eq!(take("late", 600).await, Taken::Expired);
    assert_eq!(store.purge(at(599), at(0)).await.unwrap(), 0, "used ones stay until they expire");
    assert_eq!(store.purge(at(600), at(0)).await.unwrap(), 2);
    assert_eq!(take("used", 601).await, Taken::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_callbacks_bring_one_state_and_one_gets_the_attempt() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    store.insert_oauth_attempt(&web("state")).await.unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = if n % 2 == 0 { store.clone() } else { other_process.clone() };
            tokio::spawn(async move { store.take_oauth_attempt("state", at(1)).await.unwrap() })
        })
        .collect();
    let mut got = 0;
    for task in tasks {
        match task.await.unwrap() {
            Taken::Attempt(_) => got += 1,
            other => assert_eq!(other, Taken::AlreadyUsed),
        }
    }
    assert_eq!(got, 1);
}

#[tokio::test]
async fn the_first_outcome_counts_and_leaves_nothing_sealed_behind() {
    let (_database, store) = store().await;
    for new in [web("state"), device()] {
        store.insert_oauth_attempt(&new).await.unwrap();
        let outcome = json!({"integration": "7"});
        assert!(store.finish_oauth_attempt(&new.id, &outcome).await.unwrap());
        assert!(!store.finish_oauth_attempt(&new.id, &json!("another")).await.unwrap());
        let after = store.oauth_attempt(&new.id).await.unwrap().unwrap();
        assert_eq!((after.outcome, after.sealed), (Some(outcome), Vec::new()));
    }
    assert_eq!(store.take_oauth_attempt("state", at(1)).await.unwrap(), Taken::AlreadyUsed);
    assert!(!store.finish_oauth_attempt(&web("unknown").id, &json!(1)).await.unwrap());
}

#[tokio::test]
async fn a_device_is_asked_after_at_the_providers_pace_until_there_is_an_outcome() {
    let (_database, store) = store().await;
    let device = device();
    store.insert_oauth_attempt(&device).await.unwrap();
    let claim = async |second| store.claim_device_poll(&device.id, at(second)).await.unwrap();
    assert!(!claim(9).await, "too early");
    assert!(claim(10).await);
    assert!(!claim(14).await);
    assert!(claim(15).await);
    store.slow_device_polls(&device.id, SignedDuration::from_secs(5), at(16)).await.unwrap();
    assert!(!claim(25).await);
    assert!(claim(26).await);
    assert!(!claim(35).await, "it stays slow");
    assert!(claim(36).await);
    assert!(!claim(600).await, "it has expired");
    store.finish_oauth_attempt(&device.id, &json!("denied")).await.unwrap();
    assert!(!claim(60).await, "it is over");
    let web = web("state");
    store.insert_oauth_attempt(&web).await.unwrap();
    assert!(!store.claim_device_poll(&web.id, at(60)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_pollers_one_asks_in_each_interval() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    let device = device();
    store.insert_oauth_attempt(&device).await.unwrap();
    for round in 0..5 {
        let now = at(10 + 5 * round);
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let (store, id) = (if n % 2 == 0 { store.clone() } else { other_process.clone() }, device.id.clone());
                tokio::spawn(async move { store.claim_device_poll(&id, now).await.unwrap() })
            })
            .collect();
        let mut asked = 0;
        for task in tasks {
            asked += usize::from(task.await.unwrap());
        }
        assert_eq!(asked, 1, "round {round}");
    }
}
