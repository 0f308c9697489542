//! What a project's webhooks are told of its integrations, and how their secrets are kept.

use valetkey_integrations::Connect;
use valetkey_model::{Actor, IntegrationRef, OwnerScope, ProjectName, WebhookEvent, WebhookId};
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::TokenState;
use valetkey_webhooks::NewWebhook;

async fn webhook(bed: &Testbed) -> WebhookId {
    let new = NewWebhook {
        url: "http://127.0.0.1:9/hook".parse().unwrap(),
        description: String::new(),
        events: WebhookEvent::ALL.to_vec(),
    };
    bed.integrations.webhooks().add(&ProjectName::default_project(), new).await.unwrap().0.id
}

/// What is to be sent, the newest first.
async fn told(bed: &Testbed, id: &WebhookId) -> Vec<(String, serde_json::Value)> {
    let all = bed.integrations.webhooks().deliveries(&ProjectName::default_project(), id, 9, None).await.unwrap();
    all.into_iter().map(|one| (one.event, serde_json::from_str(&one.body).unwrap())).collect()
}

#[tokio::test]
async fn a_project_hears_of_its_own_integrations_and_of_no_person_s() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let hook = webhook(&bed).await;
    let shared = Connect {
        provider: forge.kind(),
        scope: OwnerScope::Project(ProjectName::default_project()),
        by: Actor::admin(),
        alias: Some("Shared".parse().unwrap()),
        instance_url: Some(forge.url().instance().clone()),
        credential: forge.credential(&forge.token),
    };
    let shared = bed.integrations.connect(shared).await.unwrap();
    let own = bed.connect(&forge).await;
    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    for id in [&own.id, &shared.id] {
        bed.integrations.test(&Actor::admin(), &IntegrationRef::Id(id.clone())).await.unwrap();
    }
    let all = told(&bed, &hook).await;
    assert_eq!(all.len(), 1, "{all:?}");
    let (event, body) = &all[0];
    assert_eq!((event.as_str(), &body["type"]), ("integration.disconnected", &"integration.disconnected".into()));
    let data = &body["data"];
    assert_eq!((&data["integration"], &data["alias"]), (&shared.id.as_str().into(), &"Shared".into()));
    assert!(data["reason"].is_string() && !body.to_string().contains(&forge.token), "{body}");
}

#[tokio::test]
async fn signing_secrets_are_rotated_with_the_master_key() {
    let bed = Testbed::new(&[]).await;
    let hook = webhook(&bed).await;
    assert_eq!(bed.integrations.rotate_master_key().await.unwrap().rewrapped, 1);
    let other = bed.another_process();
    assert!(other.unopenable().await.unwrap().is_empty());
    let project = ProjectName::default_project();
    other.webhooks().rotate(&project, &hook).await.unwrap();
    std::fs::remove_file(bed.folder.path().join("master.key")).unwrap();
    assert_eq!(bed.another_process().unopenable().await.unwrap(), [format!("webhook {hook}")]);
}
