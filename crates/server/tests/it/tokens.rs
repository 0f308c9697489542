use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn a_token_is_shown_once() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let made = admin.post("/api/v1/tokens", json!({"name": "ci"})).await.created();
    let value = made["token"].as_str().unwrap();
    assert!(value.starts_with("vk_"));
    let list = admin.get("/api/v1/tokens").await;
    assert!(!list.body.contains(value));
    let list = list.ok();
    assert_eq!(list["items"][0]["name"], "ci");
    assert_eq!(list["items"][0]["id"], made["id"]);
}

#[tokio::test]
async fn a_token_s_use_is_noted_to_the_minute() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let made = admin.post("/api/v1/tokens", json!({"name": "ci"})).await.created();
    let last_used = async || admin.get("/api/v1/tokens").await.ok()["items"][0]["lastUsedAt"].clone();
    assert_eq!(last_used().await, json!(null));
    let client = server.bearer(made["token"].as_str().unwrap());
    client.get("/api/v1/projects").await.ok();
    let first = last_used().await;
    assert!(first.is_string());
    client.get("/api/v1/projects").await.ok();
    assert_eq!(last_used().await, first);
    server.bed.clock.advance(jiff::SignedDuration::from_mins(1));
    client.get("/api/v1/projects").await.ok();
    assert_ne!(last_used().await, first);
}

#[tokio::test]
async fn a_token_can_not_end_before_it_begins_or_have_a_deceptive_name() {
    let server = TestServer::start().await;
    let past = json!({"name": "ci", "expiresAt": "2001-01-01T00:00:00Z"});
    for body in [past, json!({"name": ""}), json!({"name": "a\u{202e}b"}), json!({"name": "x", "owner": "somebody"})] {
        server.admin().post("/api/v1/tokens", body).await.refused(400, "invalid_input");
    }
    assert_eq!(server.admin().get("/api/v1/tokens").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn deleting_what_is_not_there_says_so() {
    let server = TestServer::start().await;
    for id in ["018f0000-0000-7000-8000-000000000000", "..%2f..%2fetc", "x"] {
        server.admin().delete(&format!("/api/v1/tokens/{id}")).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for n in 0..5 {
        admin.post("/api/v1/tokens", json!({"name": format!("token {n}")})).await.created();
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/api/v1/tokens?limit=2{cursor}")).await.ok();
        seen.extend(page["items"].as_array().unwrap().iter().map(|token| token["id"].clone()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let all = admin.get("/api/v1/tokens").await.ok();
    let all: Vec<_> = all["items"].as_array().unwrap().iter().map(|token| token["id"].clone()).collect();
    assert_eq!(seen.len(), 5);
    assert_eq!(seen, all);
}
