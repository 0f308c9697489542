//! Refreshing a credential: one at a time, whoever asks, and nothing lost without being noticed.

use crate::support::{at, connected, store};
use valetkey_model::{AuthMethod, CheckOutcome, Integration, ProblemCode};
use valetkey_store::{
    CheckRecord, Claim, Finding, Reconnection, RefreshLease, Refreshed, RemovalMode, Store, StoreError,
};

fn lease(of: &Integration, generation: i64, holder: &str) -> RefreshLease {
    RefreshLease { integration: of.id.clone(), generation, holder: holder.into() }
}

/// Claims for 30 seconds.
async fn claim(store: &Store, lease: &RefreshLease, second: i64) -> Claim {
    store.claim_refresh(lease, at(second), at(second + 30)).await.unwrap()
}

/// Claims, and marks the refresh token as sent, for 30 seconds from then.
async fn send(store: &Store, lease: &RefreshLease, second: i64) {
    assert_eq!(claim(store, lease, second).await, Claim::Won);
    assert!(store.mark_refresh_sent(lease, at(second + 30)).await.unwrap());
}

const NEW: Refreshed<'static> =
    Refreshed { sealed: b"new", expires_at: None, refresh_expires_at: None, granted_scopes: None };

fn dead() -> CheckOutcome {
    CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason: "the grant was revoked".into() }
}

#[tokio::test]
async fn a_refresh_replaces_the_credential_and_makes_way_for_the_next() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let first = lease(&it, 1, "first");
    send(&store, &first, 100).await;
    let scopes = ["api".to_owned(), "more".to_owned()];
    let new = Refreshed {
        sealed: b"new",
        expires_at: Some(at(7_000)),
        refresh_expires_at: Some(at(90_000)),
        granted_scopes: Some(&scopes),
    };
    assert_eq!(store.complete_refresh(&first, &new, at(101)).await.unwrap(), 2);
    let credential = store.sealed(&it.id).await.unwrap().unwrap();
    assert_eq!((credential.generation, credential.sealed.as_slice()), (2, b"new".as_slice()));
    let now = store.integration(&it.id).await.unwrap().unwrap();
    assert_eq!((now.generation, now.expires_at, now.refresh_expires_at), (2, Some(at(7_000)), Some(at(90_000))));
    assert_eq!((now.granted_scopes.as_slice(), now.updated_at), (scopes.as_slice(), at(101)));

    assert_eq!(claim(&store, &lease(&it, 1, "late"), 102).await, Claim::Superseded);
    let second = lease(&it, 2, "second");
    send(&store, &second, 103).await;
    assert_eq!(store.complete_refresh(&second, &NEW, at(104)).await.unwrap(), 3);
    let now = store.integration(&it.id).await.unwrap().unwrap();
    assert_eq!((now.expires_at, now.granted_scopes.as_slice()), (None, scopes.as_slice()), "not said: they stay");
}

#[tokio::test]
async fn a_lease_is_the_holders_until_its_time_is_up() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let (first, second) = (lease(&it, 1, "first"), lease(&it, 1, "second"));
    assert_eq!(claim(&store, &first, 100).await, Claim::Won);
    assert_eq!(claim(&store, &second, 129).await, Claim::Busy { until: at(130) });
    assert_eq!(claim(&store, &first, 129).await, Claim::Busy { until: at(130) }, "nor again by itself");
    assert_eq!(claim(&store, &second, 130).await, Claim::Won, "nothing was sent: nothing is stale");
    assert!(!store.mark_refresh_sent(&first, at(200)).await.unwrap(), "the first must not send any more");
    assert!(!store.abandon_refresh(&first).await.unwrap());
    assert!(!store.fail_refresh(&first, &dead(), at(131)).await.unwrap());
    assert!(matches!(store.complete_refresh(&first, &NEW, at(131)).await, Err(StoreError::Stale("refresh"))));
    assert!(store.mark_refresh_sent(&second, at(200)).await.unwrap());
    assert!(!store.mark_refresh_sent(&second, at(300)).await.unwrap(), "it sends once");
    let now = store.integration(&it.id).await.unwrap().unwrap();
    assert_eq!(now, it, "the first changed nothing");
}

#[tokio::test]
async fn only_what_was_sent_is_completed() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let lease = lease(&it, 1, "first");
    assert!(!store.mark_refresh_sent(&lease, at(200)).await.unwrap(), "not claimed");
    claim(&store, &lease, 100).await;
    assert!(matches!(store.complete_refresh(&lease, &NEW, at(101)).await, Err(StoreError::Stale("refresh"))));
    assert_eq!(store.sealed(&it.id).await.unwrap().unwrap().generation, 1);
}

#[tokio::test]
async fn what_was_abandoned_is_free_at_once() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let (held, sent) = (lease(&it, 1, "held"), lease(&it, 1, "sent"));
    claim(&store, &held, 100).await;
    assert!(store.abandon_refresh(&held).await.unwrap());
    assert!(!store.abandon_refresh(&held).await.unwrap());
    send(&store, &sent, 100).await;
    assert!(store.abandon_refresh(&sent).await.unwrap(), "the provider certainly did not act on it");
    assert_eq!(claim(&store, &lease(&it, 1, "next"), 100).await, Claim::Won);
}

#[tokio::test]
async fn a_crash_after_sending_is_noticed_by_every_holder_until_it_is_settled() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    send(&store, &lease(&it, 1, "crashes"), 100).await;
    let stale = Claim::WonStale { since: at(100) };

    let second = lease(&it, 1, "crashes too, before it sends");
    assert_eq!(claim(&store, &second, 130).await, stale);
    let third = lease(&it, 1, "gives up");
    assert_eq!(claim(&store, &third, 160).await, stale);
    assert!(store.abandon_refresh(&third).await.unwrap());
    let fourth = lease(&it, 1, "sends, and crashes");
    assert_eq!(claim(&store, &fourth, 160).await, stale);
    assert!(store.mark_refresh_sent(&fourth, at(190)).await.unwrap());
    let fifth = lease(&it, 1, "settles it");
    assert_eq!(claim(&store, &fifth, 190).await, stale);
    assert!(store.mark_refresh_sent(&fifth, at(220)).await.unwrap());
    assert_eq!(store.complete_refresh(&fifth, &NEW, at(191)).await.unwrap(), 2);
    assert_eq!(claim(&store, &lease(&it, 2, "next"), 192).await, Claim::Won);
}

#[tokio::test]
async fn a_grant_that_ended_is_not_refreshed_again_until_somebody_reconnects() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let first = lease(&it, 1, "first");
    send(&store, &first, 100).await;
    assert!(store.fail_refresh(&first, &dead(), at(101)).await.unwrap());
    let now = store.integration(&it.id).await.unwrap().unwrap();
    assert_eq!((now.outcome, now.generation, now.last_checked_at), (dead(), 1, at(101)));
    for second in [102, 9_000] {
        assert_eq!(claim(&store, &lease(&it, 1, "next"), second).await, Claim::Ended(dead()));
    }
    assert!(!store.abandon_refresh(&first).await.unwrap());
    assert!(!store.fail_refresh(&first, &CheckOutcome::Connected, at(103)).await.unwrap());

    let new = Reconnection {
        sealed: b"from a person",
        auth_method: AuthMethod::Pat,
        expires_at: Some(at(8_000)),
        refresh_expires_at: Some(at(80_000)),
    };
    assert!(matches!(store.reconnect(&it.id, 7, &new, at(104)).await, Err(StoreError::Stale("credential"))));
    assert_eq!(store.reconnect(&it.id, 1, &new, at(104)).await.unwrap(), 2);
    let now = store.integration(&it.id).await.unwrap().unwrap();
    assert_eq!((now.expires_at, now.refresh_expires_at), (Some(at(8_000)), Some(at(80_000))));
    assert_eq!(store.sealed(&it.id).await.unwrap().unwrap().sealed, b"from a person");
    assert_eq!(claim(&store, &lease(&it, 2, "next"), 105).await, Claim::Won);
}

#[tokio::test]
async fn a_credential_that_a_person_replaced_wins_over_a_refresh_under_way() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let (sent, held) = (lease(&it, 1, "sent"), lease(&it, 2, "held"));
    send(&store, &sent, 100).await;
    store.replace_credential(&it.id, 1, b"from a person", at(101)).await.unwrap();
    assert!(matches!(store.complete_refresh(&sent, &NEW, at(102)).await, Err(StoreError::Stale("credential"))));
    assert!(!store.fail_refresh(&sent, &dead(), at(102)).await.unwrap());
    claim(&store, &held, 103).await;
    store.replace_credential(&it.id, 2, b"from a person", at(104)).await.unwrap();
    assert!(!store.mark_refresh_sent(&held, at(200)).await.unwrap());
    let now = store.integration(&it.id).await.unwrap().unwrap();
    assert_eq!((now.outcome, now.generation), (CheckOutcome::Connected, 3));
    assert_eq!(store.sealed(&it.id).await.unwrap().unwrap().sealed, b"from a person");
}

#[tokio::test]
async fn a_refresh_reconnects_what_an_expired_token_had_disconnected() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let lacking = CheckOutcome::InsufficientScope { reason: "lacks api".into() };
    for (generation, before, after) in [(1, dead(), CheckOutcome::Connected), (2, lacking.clone(), lacking)] {
        let check = CheckRecord { generation, checked_at: at(90), finding: Finding::Judged(before) };
        store.record_check(&it.id, &check).await.unwrap();
        let lease = lease(&it, generation, "holder");
        send(&store, &lease, 100).await;
        store.complete_refresh(&lease, &NEW, at(101)).await.unwrap();
        assert_eq!(store.integration(&it.id).await.unwrap().unwrap().outcome, after);
    }
}

#[tokio::test]
async fn an_integration_is_erased_with_its_lease() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let lease = lease(&it, 1, "first");
    send(&store, &lease, 100).await;
    store.begin_removal(&it.id, RemovalMode::Now, at(101)).await.unwrap();
    assert!(matches!(store.complete_refresh(&lease, &NEW, at(102)).await, Err(StoreError::Stale("credential"))));
    let gone = store.claim_refresh(&lease, at(103), at(130)).await;
    assert!(matches!(gone, Err(StoreError::NotFound("integration"))));
}

/// What one of many callers sees: whether it sent, and the generation in the end.
async fn refresh_like_everybody(store: Store, lease: RefreshLease) -> bool {
    loop {
        match claim(&store, &lease, 100).await {
            Claim::Won => {
                assert!(store.mark_refresh_sent(&lease, at(130)).await.unwrap());
                tokio::task::yield_now().await;
                assert_eq!(store.complete_refresh(&lease, &NEW, at(101)).await.unwrap(), lease.generation + 1);
                return true;
            }
            Claim::Superseded => return false,
            Claim::Busy { .. } => tokio::task::yield_now().await,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_in_two_processes_make_one_refresh_per_generation() {
    let (database, store) = store().await;
    let stores = [store.clone(), database.open().await];
    let it = connected(&store, "a").await;
    for generation in 1..4 {
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let lease = lease(&it, generation, &format!("caller {n}"));
                tokio::spawn(refresh_like_everybody(stores[n % 2].clone(), lease))
            })
            .collect();
        let mut sent = 0;
        for task in tasks {
            sent += usize::from(task.await.unwrap());
        }
        assert_eq!(sent, 1, "generation {generation}");
        assert_eq!(store.sealed(&it.id).await.unwrap().unwrap().generation, generation + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_callers_one_is_told_that_a_crash_left_the_refresh_stale() {
    let (database, store) = store().await;
    let stores = [store.clone(), database.open().await];
    let it = connected(&store, "a").await;
    send(&store, &lease(&it, 1, "crashes"), 100).await;
    let tasks: Vec<_> = (0..60)
        .map(|n| {
            let (store, lease) = (stores[n % 2].clone(), lease(&it, 1, &format!("caller {n}")));
            tokio::spawn(async move { claim(&store, &lease, 130).await })
        })
        .collect();
    let mut told = 0;
    for task in tasks {
        match task.await.unwrap() {
            Claim::WonStale { since } => {
                assert_eq!(since, at(100));
                told += 1;
            }
            other => assert_eq!(other, Claim::Busy { until: at(160) }),
        }
    }
    assert_eq!(told, 1);
}

/// A holder whose time is up marks its refresh as sent while another takes the lease from it: one of them has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_holder_and_its_successor_never_both_send() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    for round in 0..30 {
        let it = connected(&store, &format!("round {round}")).await;
        let (late, next) = (lease(&it, 1, "late"), lease(&it, 1, "next"));
        claim(&store, &late, 100).await;
        let late_sends = tokio::spawn({
            let store = store.clone();
            async move { store.mark_refresh_sent(&late, at(200)).await.unwrap() }
        });
        let claimed = claim(&other_process, &next, 130).await;
        match (late_sends.await.unwrap(), claimed) {
            (true, Claim::Busy { until }) => assert_eq!(until, at(200)),
            (false, Claim::Won) => assert!(store.mark_refresh_sent(&next, at(200)).await.unwrap()),
            both => panic!("{both:?}"),
        }
    }
}

/// A person reconnects while somebody claims: the lease is never left on a generation that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_and_a_reconnection_at_the_same_time_leave_the_next_refresh_free() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    for round in 0..30 {
        let it = connected(&store, &format!("round {round}")).await;
        let old = lease(&it, 1, "old");
        let claiming = tokio::spawn({
            let (store, old) = (store.clone(), old.clone());
            async move { claim(&store, &old, 100).await }
        });
        other_process.replace_credential(&it.id, 1, b"x", at(100)).await.unwrap();
        let claimed = claiming.await.unwrap();
        assert!(matches!(claimed, Claim::Won | Claim::Superseded), "{claimed:?}");
        assert!(!store.mark_refresh_sent(&old, at(200)).await.unwrap());
        assert_eq!(claim(&store, &lease(&it, 2, "new"), 101).await, Claim::Won);
    }
}
