//! Grants, and what becomes of an integration that is disconnected while sessions hold it.

use std::slice::from_ref;

use crate::support::{at, connected, finish, grant, holding, integration, started, store};
use valetkey_model::{Integration, IntegrationId, SessionId};
use valetkey_store::{Everybodys, Removal, RemovalMode, Store, StoreError};

async fn listed(store: &Store, include_removing: bool) -> Vec<IntegrationId> {
    let filter = Everybodys { provider: None, include_removing };
    store.integrations(filter).await.unwrap().into_iter().map(|i| i.id).collect()
}

async fn usable(store: &Store, session: &SessionId) -> Option<(Vec<IntegrationId>, Vec<IntegrationId>)> {
    let grant = store.grant_by_lease(session.as_str()).await.unwrap()?;
    Some((
        grant.integrations.into_iter().map(|i| i.id).collect(),
        grant.repositories.into_iter().filter_map(|r| Some(r.with?.integration)).collect(),
    ))
}

async fn is_erased(store: &Store, integration: &Integration) -> bool {
    let row = store.integration(&integration.id).await.unwrap();
    let credential = store.sealed(&integration.id).await.unwrap();
    assert_eq!(row.is_none(), credential.is_none());
    row.is_none()
}

#[tokio::test]
async fn a_grant_comes_back_by_its_lease_until_it_is_ended() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let session = started(&store).await;
    let grant = grant(&session, &[&it]);
    store.insert_grant(&grant, "lease").await.unwrap();
    assert_eq!(store.grant_by_lease("lease").await.unwrap(), Some(grant));
    assert_eq!(store.grant_by_lease("another").await.unwrap(), None);
    assert_eq!(store.grants_holding(&it.id, at(9_999)).await.unwrap(), from_ref(&session.id));
    assert!(store.grants_holding(&it.id, at(10_000)).await.unwrap().is_empty(), "its time is up");
    assert!(store.end_grant(&session.id).await.unwrap().is_empty());
    assert_eq!(store.grant_by_lease("lease").await.unwrap(), None);
    assert!(store.grants_holding(&it.id, at(0)).await.unwrap().is_empty());
    assert!(!is_erased(&store, &it).await);
}

#[tokio::test]
async fn a_grant_is_written_only_on_what_is_true_at_that_moment() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let session = started(&store).await;

    let mut older = grant(&session, &[&it]);
    older.integrations[0].generation = 0;
    assert!(matches!(store.insert_grant(&older, "l").await, Err(StoreError::Stale("integration"))));

    let unknown = integration("never stored");
    let partly = grant(&session, &[&it, &unknown]);
    assert!(matches!(store.insert_grant(&partly, "l").await, Err(StoreError::Stale("integration"))));
    assert!(store.grants_holding(&it.id, at(0)).await.unwrap().is_empty(), "all or nothing");

    let holder = holding(&store, &[&it]).await;
    let twice = grant(&holder, &[&it]);
    assert!(matches!(store.insert_grant(&twice, "l").await, Err(StoreError::Conflict(_))));
    store.begin_removal(&it.id, RemovalMode::WhenFree, at(5_000)).await.unwrap();
    let late = grant(&session, &[&it]);
    assert!(matches!(store.insert_grant(&late, "l").await, Err(StoreError::Stale("integration"))));

    let over = started(&store).await;
    finish(&store, over.clone()).await;
    assert!(matches!(store.insert_grant(&grant(&over, &[]), "l").await, Err(StoreError::Stale("session"))));
}

#[tokio::test]
async fn what_nobody_holds_is_erased_at_once() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    assert_eq!(store.begin_removal(&it.id, RemovalMode::WhenFree, at(5_000)).await.unwrap(), Removal::Erased);
    assert!(is_erased(&store, &it).await);
    let again = store.begin_removal(&it.id, RemovalMode::WhenFree, at(5_000)).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn what_sessions_hold_is_hidden_and_erased_with_the_last_of_them() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let other = connected(&store, "b").await;
    let (first, second) = (holding(&store, &[&it, &other]).await, holding(&store, &[&it]).await);
    let removal = store.begin_removal(&it.id, RemovalMode::WhenFree, at(5_000)).await.unwrap();
    assert_eq!(removal, Removal::HeldBy(vec![first.id.clone(), second.id.clone()]));

    assert_eq!(listed(&store, false).await, from_ref(&other.id));
    assert_eq!(listed(&store, true).await, [it.id.clone(), other.id.clone()]);
    assert!(store.integration(&it.id).await.unwrap().unwrap().removing);
    assert!(matches!(store.set_default(&it.id, true, at(1)).await, Err(StoreError::NotFound(_))));
    connected(&store, "A").await; // its alias is free again

    assert_eq!(usable(&store, &second.id).await.unwrap().0, from_ref(&it.id), "running sessions go on");
    assert!(store.sealed(&it.id).await.unwrap().is_some());
    assert!(store.end_grant(&first.id).await.unwrap().is_empty());
    assert!(!is_erased(&store, &it).await);
    assert_eq!(store.end_grant(&second.id).await.unwrap(), from_ref(&it.id));
    assert!(is_erased(&store, &it).await);
    assert!(!is_erased(&store, &other).await);
}

#[tokio::test]
async fn now_takes_it_from_the_sessions_that_hold_it_and_leaves_them_the_rest() {
    let (_database, store) = store().await;
    let (it, other) = (connected(&store, "a").await, connected(&store, "b").await);
    let (both, only) = (holding(&store, &[&it, &other]).await, holding(&store, &[&it]).await);
    let waiting = store.begin_removal(&it.id, RemovalMode::WhenFree, at(5_000)).await.unwrap();
    assert!(matches!(waiting, Removal::HeldBy(_)));
    assert_eq!(store.begin_removal(&it.id, RemovalMode::Now, at(5_000)).await.unwrap(), Removal::Erased);
    assert!(is_erased(&store, &it).await);
    let rest = vec![other.id.clone()];
    assert_eq!(usable(&store, &both.id).await, Some((rest.clone(), rest)));
    assert_eq!(usable(&store, &only.id).await, Some((vec![], vec![])));
}

#[tokio::test]
async fn a_grant_whose_time_is_up_holds_nothing() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let session = holding(&store, &[&it]).await;
    assert_eq!(store.begin_removal(&it.id, RemovalMode::WhenFree, at(10_000)).await.unwrap(), Removal::Erased);
    assert!(is_erased(&store, &it).await);
    assert_eq!(usable(&store, &session.id).await, Some((vec![], vec![])));
}

#[tokio::test]
async fn a_session_that_is_over_has_no_grant() {
    let (_database, store) = store().await;
    let it = connected(&store, "a").await;
    let session = holding(&store, &[&it]).await;
    store.begin_removal(&it.id, RemovalMode::WhenFree, at(5_000)).await.unwrap();
    finish(&store, session.clone()).await;
    assert_eq!(usable(&store, &session.id).await, None);
    assert!(is_erased(&store, &it).await);
}

#[tokio::test]
async fn a_damaged_grant_allows_nothing_and_does_not_stand_in_the_way_of_a_removal() {
    let (database, store) = store().await;
    let it = connected(&store, "a").await;
    let session = holding(&store, &[&it]).await;
    database.tamper("UPDATE grants SET body = '{}'").await;
    let read = store.grant_by_lease(session.id.as_str()).await;
    assert!(matches!(read, Err(StoreError::Damaged { what: "grant", field: "body", .. })));
    assert_eq!(store.begin_removal(&it.id, RemovalMode::Now, at(5_000)).await.unwrap(), Removal::Erased);
    let read = store.grant_by_lease(session.id.as_str()).await;
    assert!(matches!(read, Err(StoreError::Damaged { .. })));
}

/// Whatever the order: either the grant came first and the integration waits for it, or the removal did and the grant was
/// refused; never a grant on an integration that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn grants_and_removals_at_the_same_time_never_leave_a_grant_on_nothing() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    for round in 0..20 {
        let it = connected(&store, &format!("round {round}")).await;
        let session = started(&store).await;
        let grant = grant(&session, &[&it]);
        let lease = session.id.to_string();
        let granting = tokio::spawn({
            let store = store.clone();
            async move { store.insert_grant(&grant, &lease).await }
        });
        let removal = other_process.begin_removal(&it.id, RemovalMode::WhenFree, at(5_000)).await.unwrap();
        match (granting.await.unwrap(), removal) {
            (Ok(()), Removal::HeldBy(sessions)) => {
                assert_eq!(sessions, from_ref(&session.id));
                assert_eq!(usable(&store, &session.id).await.unwrap().0, from_ref(&it.id));
                assert_eq!(store.end_grant(&session.id).await.unwrap(), from_ref(&it.id));
            }
            (Err(StoreError::Stale(_)), Removal::Erased) => {}
            other => panic!("{other:?}"),
        }
        assert!(is_erased(&store, &it).await);
    }
}
