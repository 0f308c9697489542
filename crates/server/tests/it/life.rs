//! How a credential is replaced, and how it ends at its provider too.

use serde_json::json;
use valetkey_model::{Actor, ProjectName};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{Consent, Forge, OAuthApp, Switch, TokenLife};

use crate::{
    browser::{Browser, callback, location, registered},
    harness::{TestServer, connect_body},
};

fn one(integration: &serde_json::Value) -> String {
    format!("/api/v1/integrations/{}", integration["id"].as_str().unwrap())
}

/// The access token that is stored of a forge's account.
#[expect(clippy::disallowed_methods, reason = "the test asks the twin about it")]
async fn access_token(server: &TestServer, forge: &ForgeBed) -> String {
    let (me, project, instance) = (Actor::admin(), ProjectName::default_project(), forge.twin.url().parse().unwrap());
    let found = server.bed.integrations.credential_for(&me, &project, &instance, None).await.unwrap();
    found.credential.token.expose().clone()
}

#[tokio::test]
async fn the_provider_makes_a_new_token_where_it_can() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let rotated = admin.press(&format!("{}/rotate", one(&made))).await.ok();
    assert_eq!((&rotated["id"], &rotated["status"]), (&made["id"], &json!("connected")));
    let again = admin.post("/api/v1/integrations", connect_body(&forge)).await;
    assert_eq!(again.refused(422, "token_revoked")["provider"], "gitlab", "the old one works no more");
}

#[tokio::test]
async fn elsewhere_a_person_is_told_where_to_make_one() {
    let (server, forge) = (TestServer::start().await, ForgeBed::github().await);
    let admin = server.admin();
    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let rotate = format!("{}/rotate", one(&made));
    let problem = admin.press(&rotate).await.refused(409, "conflict");
    assert!(problem["remediation"].as_str().unwrap().contains(&format!("{}/settings/", forge.twin.url())), "{problem}");
    admin.post(&rotate, json!({"username": "john"})).await.refused(400, "invalid_input");
}

#[tokio::test]
async fn disconnecting_says_what_became_of_the_token_at_the_provider() {
    let (server, gitlab) = (TestServer::start().await, ForgeBed::gitlab().await);
    let azure = ForgeBed::start(Forge::AzureDevOps).await;
    let admin = server.admin();
    let made = admin.post("/api/v1/integrations", connect_body(&gitlab)).await.created();
    let gone = admin.delete(&one(&made)).await.ok();
    assert_eq!(gone, json!({"erased": true, "sessions": [], "revoked": "yes"}));

    let mut body = connect_body(&azure);
    body["auth"] = json!({"method": "basic", "username": "acme", "token": azure.token});
    let made = admin.post("/api/v1/integrations", body).await.created();
    let gone = admin.delete(&one(&made)).await.ok();
    assert_eq!((&gone["erased"], &gone["revoked"]), (&json!(true), &json!("not_offered")));
    assert!(gone["page"].as_str().unwrap().starts_with(azure.twin.url()), "{gone}");
}

#[tokio::test]
async fn an_outage_does_not_keep_it_here_and_is_told() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    forge.twin.switch(Switch::Down);
    let gone = admin.delete(&one(&made)).await.ok();
    assert_eq!((&gone["erased"], &gone["revoked"]), (&json!(true), &json!("failed")));
    assert_eq!(gone["problem"]["code"], "provider_unreachable");
    assert!(gone["page"].as_str().unwrap().starts_with(forge.twin.url()), "{gone}");
    admin.get(&one(&made)).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_a_person_consented_to_is_revoked_and_not_replaced_by_hand() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    registered(&server, &forge, OAuthApp::confidential(&callback())).await;
    forge.twin.oauth().consent_always(Consent::approve(&forge.john));
    let mut browser = Browser::signed_in(&server).await;
    let body = json!({"provider": "gitlab", "instanceUrl": forge.twin.url()});
    let begun = browser.script().post("/api/v1/oauth/authorize", body).await.ok();
    let back = browser.consent(&server, &forge, begun["authorizeUrl"].as_str().unwrap()).await;
    location(&browser.open(&back).await);
    let made = server.admin().get("/api/v1/integrations").await.ok()["items"][0].clone();
    let token = access_token(&server, &forge).await;
    assert_eq!(forge.twin.oauth().life(&token), Some(TokenLife::Live));

    let by_hand = server.admin().post(&format!("{}/rotate", one(&made)), json!({"token": forge.token})).await;
    by_hand.refused(409, "conflict");
    assert_eq!(server.admin().delete(&one(&made)).await.ok()["revoked"], "yes");
    assert_eq!(forge.twin.oauth().life(&token), Some(TokenLife::Revoked));
}
