//! When an integration is checked, and by whom.

use std::{collections::BTreeSet, slice::from_ref};

use crate::support::{at, connected, holding, store};
use valetkey_model::IntegrationId;
use valetkey_store::{RemovalMode, Store};

async fn due(store: &Store, second: i64, limit: u32) -> Vec<IntegrationId> {
    store.claim_due_checks(at(second), at(second + 60), limit).await.unwrap()
}

#[tokio::test]
async fn a_new_integration_is_due_until_it_is_scheduled() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    assert_eq!(due(&store, 999, 10).await, []);
    store.schedule_check(&it.id, Some(at(2_000))).await.unwrap();
    assert_eq!(due(&store, 1_999, 10).await, []);
    assert_eq!(due(&store, 2_000, 10).await, from_ref(&it.id));
    store.schedule_check(&it.id, None).await.unwrap();
    assert_eq!(due(&store, 9_000_000, 10).await, [], "never");
}

#[tokio::test]
async fn who_claims_a_check_and_dies_leaves_it_to_the_next() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    assert_eq!(due(&store, 1_000, 10).await, from_ref(&it.id));
    assert_eq!(due(&store, 1_059, 10).await, []);
    assert_eq!(due(&store, 1_060, 10).await, from_ref(&it.id));
}

#[tokio::test]
async fn the_longest_due_come_first_and_what_is_being_removed_never() {
    let (_database, store) = store().await;
    let (a, b, removed) =
        (connected(&store, "a").await, connected(&store, "b").await, connected(&store, "removed").await);
    holding(&store, &[&removed]).await;
    store.begin_removal(&removed.id, RemovalMode::WhenFree, at(1)).await.unwrap();
    store.schedule_check(&a.id, Some(at(30))).await.unwrap();
    store.schedule_check(&b.id, Some(at(20))).await.unwrap();
    assert_eq!(due(&store, 2_000, 1).await, [b.id]);
    assert_eq!(due(&store, 2_000, 1).await, [a.id]);
    assert_eq!(due(&store, 2_000, 1).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_due_checks_and_no_two_get_the_same() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    let mut all = BTreeSet::new();
    for n in 0..60 {
        all.insert(connected(&store, &format!("{n}")).await.id);
    }
    let tasks: Vec<_> = (0..12)
        .map(|n| {
            let store = if n % 2 == 0 { store.clone() } else { other_process.clone() };
            tokio::spawn(async move { due(&store, 2_000, 5).await })
        })
        .collect();
    let mut claimed = Vec::new();
    for task in tasks {
        claimed.extend(task.await.unwrap());
    }
    claimed.extend(due(&store, 2_000, 100).await);
    assert_eq!(claimed.len(), 60, "none twice");
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), all, "none lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_comes_near_is_noted_by_one_of_many_and_once_a_day() {
    const DAY: i64 = 86_400;
    let (database, store) = store().await;
    let other_process = database.open().await;
    let it = connected(&store, "a").await;
    for day in 1..4 {
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let (store, id) = (if n % 2 == 0 { store.clone() } else { other_process.clone() }, it.id.clone());
                tokio::spawn(async move {
                    let now = day * DAY + n;
                    store.note_expiring(&id, at(now), at(now - DAY + 100)).await.unwrap()
                })
            })
            .collect();
        let mut noted = 0;
        for task in tasks {
            noted += usize::from(task.await.unwrap());
        }
        assert_eq!(noted, 1, "day {day}");
    }
}
