//! The events in the life of an integration, and what is forgotten in time.

use crate::support::{Counter, at, connected, store, user, web_session};
use serde_json::json;
use valetkey_model::{Actor, Integration, IntegrationEventId, UserId};
use valetkey_store::{IntegrationEvent, RemovalMode, StoreError};

fn event(of: &Integration, second: i64) -> IntegrationEvent {
    IntegrationEvent {
        id: IntegrationEventId::new(at(second), &Counter),
        integration: of.id.clone(),
        owner: of.owner.clone(),
        project: None,
        at: at(second),
        kind: "refreshed".into(),
        body: json!({"second": second}),
    }
}

#[tokio::test]
async fn events_are_read_newest_first_by_owner_or_integration_and_outlive_it() {
    let (_database, store) = store().await;
    let (a, b) = (connected(&store, "a").await, connected(&store, "b").await);
    let (mut all, mut of_a) = (Vec::new(), Vec::new());
    for second in 0..50 {
        let event = event(if second % 3 == 0 { &a } else { &b }, second);
        store.append_integration_event(&event).await.unwrap();
        all.insert(0, event.clone());
        if second % 3 == 0 {
            of_a.insert(0, event);
        }
    }
    let mut foreign = event(&a, 60);
    foreign.owner = user("somebody-else");
    store.append_integration_event(&foreign).await.unwrap();
    assert!(matches!(store.append_integration_event(&foreign).await, Err(StoreError::Conflict(_))));
    store.begin_removal(&a.id, RemovalMode::Now, at(70)).await.unwrap();
    for size in [1, 7, 50, 100] {
        for (of, wanted) in [(None, &all), (Some(&a.id), &of_a)] {
            let mut seen: Vec<IntegrationEvent> = Vec::new();
            loop {
                let before = seen.last().map(|event| &event.id);
                let page = store.integration_events_page(&Actor::admin(), of, before, size).await.unwrap();
                assert!(page.len() <= size as usize);
                if page.is_empty() {
                    break;
                }
                seen.extend(page);
            }
            assert_eq!(seen, *wanted, "pages of {size} of {of:?}");
        }
    }
}

#[tokio::test]
async fn a_purge_takes_what_is_past_and_nothing_else_however_much_it_is() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    for second in 0..1_100 {
        store.append_integration_event(&event(&it, second)).await.unwrap();
    }
    store.insert_web_session(&web_session("past", "admin", at(100))).await.unwrap();
    store.insert_web_session(&web_session("present", "admin", at(101))).await.unwrap();
    store.insert_sign_in_link("past", at(100)).await.unwrap();
    assert_eq!(store.purge(at(100), at(1_049)).await.unwrap(), 1_050 + 2);
    let left = store.integration_events_page(&Actor::admin(), None, None, 100).await.unwrap();
    assert_eq!(left.iter().map(|event| event.at).collect::<Vec<_>>(), (1_050..1_100).rev().map(at).collect::<Vec<_>>());
    assert_eq!(store.web_session("present", at(1)).await.unwrap(), Some(UserId::admin()));
    assert_eq!(store.purge(at(100), at(1_049)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_purge_at_once_and_each_row_once() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    let it = connected(&store, "a").await;
    for second in 0..700 {
        store.append_integration_event(&event(&it, second)).await.unwrap();
    }
    let purges = [store.clone(), other_process]
        .map(|store| tokio::spawn(async move { store.purge(at(0), at(10_000)).await.unwrap() }));
    let mut purged = 0;
    for purge in purges {
        purged += purge.await.unwrap();
    }
    purged += store.purge(at(0), at(10_000)).await.unwrap();
    assert_eq!(purged, 700);
}
