//! Who is told of what happens in a project, and the outbox of notifications.

use std::{collections::BTreeSet, slice::from_ref};

use valetkey_model::{DeliveryState, Phase, ProjectName, WebhookDeliveryId, WebhookEvent, WebhookId};
use valetkey_store::{Afterwards, AttemptRecord, Delivery, NewDelivery, Store, StoreError, Webhook, WebhookChange};

use crate::support::{Counter, at, started, store};

const MOST: u32 = 3;

pub(crate) fn webhook() -> Webhook {
    Webhook {
        id: WebhookId::new(at(1_000), &Counter),
        project: ProjectName::default_project(),
        url: "https://ci.example.com/hook?token=x".parse().unwrap(),
        description: "CI".to_owned(),
        events: vec![WebhookEvent::SessionCompleted, WebhookEvent::IntegrationExpiring],
        enabled: true,
        disabled_reason: None,
        previous_until: None,
        created_at: at(1_000),
        updated_at: at(1_000),
    }
}

pub(crate) async fn added(store: &Store) -> Webhook {
    let webhook = webhook();
    store.insert_webhook(&webhook, b"sealed", MOST).await.unwrap();
    webhook
}

fn notification(webhook: &Webhook) -> NewDelivery {
    NewDelivery {
        id: WebhookDeliveryId::new(at(2_000), &Counter),
        webhook: webhook.id.clone(),
        event: "session.completed",
        body: "{}".to_owned(),
        created_at: at(2_000),
        leased_until: None,
    }
}

async fn due(store: &Store, second: i64, limit: u32) -> Vec<Delivery> {
    store.claim_due_deliveries(at(second), at(second + 60), limit).await.unwrap()
}

fn ended(then: Afterwards) -> AttemptRecord {
    let delivered = then == Afterwards::Delivered;
    AttemptRecord {
        status: Some(if delivered { 204 } else { 503 }),
        error: (!delivered).then(|| "It answered 503.".to_owned()),
        duration: 12,
        then,
    }
}

#[tokio::test]
async fn a_webhook_is_kept_as_it_was_given_and_changed_in_parts() {
    let (_database, store) = store().await;
    let it = added(&store).await;
    assert_eq!(store.webhooks(&it.project).await.unwrap(), from_ref(&it));
    assert!(store.disable_webhook(&it.id, &it.url, "It answered 410.", at(1_500)).await.unwrap());
    let change = WebhookChange { description: Some(String::new()), ..WebhookChange::default() };
    let changed = store.change_webhook(&it.project, &it.id, &change, at(1_600)).await.unwrap().unwrap();
    let wanted = Webhook {
        description: String::new(),
        enabled: false,
        disabled_reason: Some("It answered 410.".to_owned()),
        updated_at: at(1_600),
        ..it.clone()
    };
    assert_eq!(changed, wanted);
    let change = WebhookChange {
        url: Some("https://other.example.com/".parse().unwrap()),
        events: Some(vec![WebhookEvent::SessionFailed]),
        enabled: Some(true),
        ..WebhookChange::default()
    };
    let changed = store.change_webhook(&it.project, &it.id, &change, at(1_700)).await.unwrap().unwrap();
    assert_eq!((changed.enabled, &changed.disabled_reason, &*changed.description), (true, &None, ""));
    assert_eq!(store.webhook(&it.id).await.unwrap(), Some(changed));
    let old = it.url;
    assert!(!store.disable_webhook(&it.id, &old, "It answered 410.", at(1_800)).await.unwrap(), "another URL by now");
}

#[tokio::test]
async fn a_webhook_is_its_project_s_alone() {
    let (_database, store) = store().await;
    let it = added(&store).await;
    let other: ProjectName = "other".parse().unwrap();
    assert_eq!(store.change_webhook(&other, &it.id, &WebhookChange::default(), at(2)).await.unwrap(), None);
    assert!(!store.delete_webhook(&other, &it.id).await.unwrap());
    let nowhere = Webhook { project: other, ..webhook() };
    assert!(matches!(store.insert_webhook(&nowhere, b"", MOST).await, Err(StoreError::NotFound("project"))));
}

#[tokio::test]
async fn a_project_has_a_few_webhooks_at_most() {
    let (_database, store) = store().await;
    for _ in 0..MOST {
        added(&store).await;
    }
    assert!(matches!(store.insert_webhook(&webhook(), b"", MOST).await, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn a_secret_is_replaced_by_whoever_knows_its_generation() {
    let (_database, store) = store().await;
    let it = added(&store).await;
    store.replace_webhook_secret(&it.id, 1, b"newer", at(9_000), at(1_100)).await.unwrap();
    let late = store.replace_webhook_secret(&it.id, 1, b"late", at(9_000), at(1_100)).await;
    assert!(matches!(late, Err(StoreError::Stale("webhook"))));
    let secret = store.sealed(&it.id).await.unwrap().unwrap();
    assert_eq!((secret.generation, secret.sealed.as_slice()), (2, b"newer".as_slice()));
    assert_eq!(store.webhook(&it.id).await.unwrap().unwrap().previous_until, Some(at(9_000)));
    assert!(!store.rewrap(&it.id, 2, b"sealed", b"x").await.unwrap());
    assert!(store.rewrap(&it.id, 2, b"newer", b"wrapped").await.unwrap());
    assert_eq!(store.sealed(&it.id).await.unwrap().unwrap().sealed, b"wrapped");
}

#[tokio::test]
async fn a_notification_is_told_with_the_end_of_its_session_or_not_at_all() {
    let (_database, store) = store().await;
    let (it, mut session) = (added(&store).await, started(&store).await);
    let gone = webhook();
    let told = [notification(&it), notification(&gone)];
    let late = session.clone();
    session.advance(Phase::Failed, at(3_000)).unwrap();
    store.update_session_and_tell(&session, Phase::Pending, &told).await.unwrap();
    let again = store.update_session_and_tell(&late, Phase::Pending, &[notification(&it)]).await;
    assert!(matches!(again, Err(StoreError::Stale("session"))));
    let log = store.deliveries_page(&it.id, 10, None).await.unwrap();
    assert_eq!(log.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&told[0].id]);
    assert!(store.deliveries_page(&gone.id, 10, None).await.unwrap().is_empty(), "nobody is there to be told");
}

#[tokio::test]
async fn what_was_claimed_and_not_recorded_is_claimed_again() {
    let (_database, store) = store().await;
    let it = added(&store).await;
    store.insert_deliveries(&[notification(&it)]).await.unwrap();
    assert_eq!(due(&store, 1_999, 10).await, []);
    let first = due(&store, 2_000, 10).await.remove(0);
    assert_eq!((first.attempts, first.leased_until), (1, Some(at(2_060))));
    assert_eq!(store.next_delivery_due().await.unwrap(), Some(at(2_060)));
    assert_eq!(due(&store, 2_059, 10).await, []);
    let second = due(&store, 2_060, 10).await.remove(0);
    assert_eq!(second.attempts, 2, "the attempt that was lost counts");
    assert!(!store.record_attempt(&first, &ended(Afterwards::Delivered), at(2_061)).await.unwrap(), "overtaken");
    assert!(store.record_attempt(&second, &ended(Afterwards::Again(at(2_500))), at(2_061)).await.unwrap());
    assert_eq!(store.next_delivery_due().await.unwrap(), Some(at(2_500)));
    assert_eq!(due(&store, 2_499, 10).await, []);
    let third = due(&store, 2_500, 10).await.remove(0);
    assert!(store.record_attempt(&third, &ended(Afterwards::Delivered), at(2_501)).await.unwrap());
    assert_eq!((store.next_delivery_due().await.unwrap(), due(&store, 9_000_000, 10).await), (None, vec![]));
    let kept = store.delivery(&it.id, &third.id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.last_status, kept.attempts), (DeliveryState::Delivered, Some(204), 3));
    assert_eq!((kept.finished_at, kept.last_error), (Some(at(2_501)), None));
}

#[tokio::test]
async fn whoever_makes_one_to_send_it_themselves_has_it_alone() {
    let (_database, store) = store().await;
    let it = added(&store).await;
    let own = NewDelivery { leased_until: Some(at(2_060)), ..notification(&it) };
    store.insert_deliveries(from_ref(&own)).await.unwrap();
    assert_eq!(due(&store, 2_059, 10).await, []);
    assert!(matches!(store.redeliver(&it.id, &own.id, at(2_059)).await, Err(StoreError::Conflict(_))));
    let mine = store.delivery(&it.id, &own.id).await.unwrap().unwrap();
    assert!(store.record_attempt(&mine, &ended(Afterwards::Failed), at(2_010)).await.unwrap());
    assert_eq!(due(&store, 9_000, 10).await, []);
}

#[tokio::test]
async fn one_that_is_over_can_be_sent_again_from_the_start() {
    let (_database, store) = store().await;
    let (it, other) = (added(&store).await, added(&store).await);
    store.insert_deliveries(&[notification(&it)]).await.unwrap();
    let failed = due(&store, 2_000, 10).await.remove(0);
    store.record_attempt(&failed, &ended(Afterwards::Failed), at(2_001)).await.unwrap();
    assert!(matches!(store.redeliver(&other.id, &failed.id, at(3_000)).await, Err(StoreError::NotFound(_))));
    let again = store.redeliver(&it.id, &failed.id, at(3_000)).await.unwrap();
    assert_eq!((again.state, again.attempts, again.finished_at), (DeliveryState::Pending, 0, None));
    assert_eq!(due(&store, 3_000, 10).await[0].id, failed.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_outbox_and_no_two_get_the_same() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    let it = added(&store).await;
    let new: Vec<_> = (0..60).map(|_| notification(&it)).collect();
    store.insert_deliveries(&new).await.unwrap();
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
    let ids = |all: Vec<WebhookDeliveryId>| all.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(ids(claimed.into_iter().map(|one| one.id).collect()), ids(new.into_iter().map(|one| one.id).collect()));
}

#[tokio::test]
async fn the_log_comes_in_pages_and_ends_with_its_webhook() {
    let (_database, store) = store().await;
    let it = added(&store).await;
    let new: Vec<_> = (0..5).map(|_| notification(&it)).collect();
    store.insert_deliveries(&new).await.unwrap();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.deliveries_page(&it.id, 2, before.as_ref()).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        seen.extend(page.into_iter().map(|one| one.id));
    }
    assert_eq!(seen, new.iter().rev().map(|one| one.id.clone()).collect::<Vec<_>>());
    assert!(store.delete_webhook(&it.project, &it.id).await.unwrap());
    assert!(store.deliveries_page(&it.id, 2, None).await.unwrap().is_empty());
    assert_eq!(due(&store, 9_000, 10).await, []);
}

#[tokio::test]
async fn only_what_is_over_is_forgotten() {
    let (_database, store) = store().await;
    let it = added(&store).await;
    store.insert_deliveries(&[notification(&it), notification(&it)]).await.unwrap();
    let over = due(&store, 2_000, 1).await.remove(0);
    store.record_attempt(&over, &ended(Afterwards::Delivered), at(2_001)).await.unwrap();
    assert_eq!(store.purge_deliveries(at(2_000)).await.unwrap(), 0);
    assert_eq!(store.purge_deliveries(at(9_000)).await.unwrap(), 1);
    assert_eq!(store.deliveries_page(&it.id, 9, None).await.unwrap().len(), 1);
}
