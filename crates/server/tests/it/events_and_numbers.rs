//! What a server tells of the lives of credentials: events to their owners, numbers to whoever watches it.

use jiff::SignedDuration;
use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;
use valetkey_twins::TokenState;

use crate::harness::{TestServer, connect_body};

const EVENTS: &str = "/api/v1/integration-events";

fn kinds(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|event| event["kind"].as_str().expect("a kind")).collect()
}

#[tokio::test]
async fn events_are_told_newest_first_in_pages_and_outlive_the_integration() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let id = made["id"].as_str().unwrap();
    let (of_one, alias) = (format!("/api/v1/integrations/{id}/events"), made["alias"].as_str().unwrap());
    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    admin.press(&format!("/api/v1/integrations/{id}/test")).await.ok();
    assert_eq!(
        kinds(&admin.get(&format!("/api/v1/integrations/{alias}/events")).await.ok()),
        ["status_changed", "connected"]
    );
    admin.delete(&format!("/api/v1/integrations/{id}?now=true")).await.ok();

    let all = admin.get(&of_one).await.ok();
    assert_eq!(kinds(&all), ["disconnected", "status_changed", "connected"]);
    assert_eq!(admin.get(EVENTS).await.ok(), all);
    let changed = &all["items"][1];
    assert_eq!((&changed["from"], &changed["to"]), (&json!("connected"), &json!("disconnected")));
    for (member, wanted) in [("integration", &made["id"]), ("alias", &made["alias"]), ("provider", &json!("gitlab"))] {
        assert_eq!(changed[member], *wanted);
    }
    assert_eq!(changed["account"], "john");
    assert!(changed["at"].is_string() && changed["reason"].is_string(), "{changed}");

    let first = admin.get(&format!("{of_one}?limit=2")).await.ok();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = admin.get(&format!("{of_one}?limit=2&cursor={cursor}")).await.ok();
    assert_eq!((kinds(&first), kinds(&rest)), (vec!["disconnected", "status_changed"], vec!["connected"]));
    admin.get("/api/v1/integrations/unheard-of/events").await.refused(404, "not_found");
    admin.get(&format!("{EVENTS}?cursor=x")).await.refused(400, "invalid_input");
}

#[tokio::test]
async fn the_numbers_say_how_many_are_in_which_state_and_are_a_minute_old_at_most() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let (admin, watcher) = (server.admin(), server.anonymous());
    let scrape = async || watcher.get("/metrics").await.body;
    assert!(!scrape().await.contains("valetkey_integrations{"), "there are none");
    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    assert!(!scrape().await.contains("valetkey_integrations{"), "anybody may ask, but not the database each time");
    server.bed.clock.advance(SignedDuration::from_mins(1));
    assert!(scrape().await.contains(r#"valetkey_integrations{provider="gitlab",status="connected"} 1"#));

    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    admin.press(&format!("/api/v1/integrations/{}/test", made["id"].as_str().unwrap())).await.ok();
    server.bed.clock.advance(SignedDuration::from_mins(1));
    let numbers = scrape().await;
    for line in [
        r#"valetkey_integrations{provider="gitlab",status="disconnected"} 1"#,
        r#"valetkey_credential_checks_total{outcome="refused"} 1"#,
        r#"valetkey_credential_refreshes_total{outcome="renewed"} 0"#,
        r#"valetkey_provider_calls_limited_total{outcome="held_back"} 0"#,
    ] {
        assert!(numbers.contains(line), "{line}\n{numbers}");
    }
    assert!(!numbers.contains(r#"status="connected""#), "{numbers}");
    server.bed.store.close().await;
    server.bed.clock.advance(SignedDuration::from_mins(1));
    assert!(scrape().await.contains("valetkey_build_info"), "what else there is to say is said");
}
