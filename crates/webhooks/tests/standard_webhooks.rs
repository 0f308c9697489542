//! Our notifications before a receiver that verifies them with the library of Standard Webhooks: `cargo xtask peers` starts
//! it and names it in `VALETKEY_TEST_RECEIVER`.

use valetkey_model::{DeliveryState, ProjectName, WebhookEvent, WebhookId};
use valetkey_seal::Secret;
use valetkey_testbed::Testbed;
use valetkey_webhooks::{Change, NewWebhook, Webhooks};

fn project() -> ProjectName {
    ProjectName::default_project()
}

/// Sends a test to the receiver, which holds this secret.
#[expect(clippy::disallowed_methods, reason = "a receiver must know its secret")]
async fn answer(webhooks: &Webhooks, id: &WebhookId, receiver: &str, secret: &Secret<String>) -> (DeliveryState, i64) {
    let secret = secret.expose().replace('+', "%2B");
    let url = Some(format!("{receiver}?secret={secret}").parse().unwrap());
    webhooks.change(&project(), id, Change { url, ..Change::default() }).await.unwrap();
    let tested = webhooks.test(&project(), id).await.unwrap();
    (tested.state, tested.last_status.unwrap())
}

#[tokio::test]
async fn the_reference_library_takes_ours_and_nothing_else() {
    let Ok(receiver) = std::env::var("VALETKEY_TEST_RECEIVER") else {
        eprintln!("skipped: a receiver with the library of Standard Webhooks (VALETKEY_TEST_RECEIVER is not set)");
        return;
    };
    let bed = Testbed::new(&[]).await;
    let webhooks = bed.integrations.webhooks();
    let add = async || {
        let events = WebhookEvent::ALL.to_vec();
        let new = NewWebhook { url: receiver.parse().unwrap(), description: String::new(), events };
        webhooks.add(&project(), new).await.unwrap()
    };
    let ((one, first), (_, others)) = (add().await, add().await);
    let taken = (DeliveryState::Delivered, 204);
    assert_eq!(answer(webhooks, &one.id, &receiver, &first).await, taken);
    assert_eq!(answer(webhooks, &one.id, &receiver, &others).await, (DeliveryState::Failed, 401));
    let (_, second) = webhooks.rotate(&project(), &one.id).await.unwrap();
    for secret in [&first, &second] {
        assert_eq!(answer(webhooks, &one.id, &receiver, secret).await, taken, "both sign for a day");
    }
    bed.clock.advance(jiff::SignedDuration::from_mins(10));
    assert_eq!(answer(webhooks, &one.id, &receiver, &second).await.1, 401, "a moment that is not now");
}
