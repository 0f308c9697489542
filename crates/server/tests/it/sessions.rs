use http::StatusCode;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;

use crate::harness::{Client, TestServer, connect_body};

const ALL: &str = "/api/v1/projects/default/sessions";

fn one(session: &Value) -> String {
    format!("{ALL}/{}", session["id"].as_str().expect("an id"))
}

fn asking(forge: &ForgeBed, script: &str) -> Value {
    json!({
        "task": "Add feature X",
        "repositories": [{"url": forge.twin.clone_url(forge.path), "pushBranch": "feature/x"}],
        "agent": {"command": ["sh", "-c", script]},
    })
}

/// One server-sent event.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<i64>,
    data: Value,
}

/// The events of a session behind number `after`, to the end.
async fn follow(client: &Client, session: &Value, after: &str) -> Vec<Event> {
    let reply = client.get(&format!("{}/events{after}", one(session))).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(reply.header("content-type"), "text/event-stream");
    reply.body.split("\n\n").filter(|block| block.contains("data:")).map(event).collect()
}

fn event(block: &str) -> Event {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Event {
        name: field("event").unwrap_or("message").to_owned(),
        id: field("id").map(|id| id.parse().expect("a number")),
        data: serde_json::from_str(field("data").expect("data")).expect("JSON"),
    }
}

async fn connected() -> (TestServer, ForgeBed) {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    server.admin().post("/api/v1/integrations", connect_body(&forge)).await.created();
    (server, forge)
}

#[tokio::test]
async fn a_session_is_asked_for_followed_and_deleted() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let made = admin.post(ALL, asking(&forge, "echo working; echo x > x.txt")).await.created();
    assert_eq!(made["phase"], "Pending");
    assert_eq!(made["task"], "Add feature X");
    assert_eq!(made["url"], format!("http://127.0.0.1:8080/sessions/{}", made["id"].as_str().unwrap()));

    let events = follow(&admin, &made, "").await;
    let (last, before) = events.split_last().unwrap();
    assert_eq!((&*last.name, &last.data, last.id), ("end", &json!({"phase": "Completed"}), None));
    let ids: Vec<_> = before.iter().map(|event| event.id.unwrap()).collect();
    assert_eq!(ids, (1..=i64::try_from(before.len()).unwrap()).collect::<Vec<_>>());
    assert!(before.iter().all(|event| event.name == "message" && event.data["seq"] == event.id.unwrap()));
    assert!(before.iter().any(|event| event.data["text"].as_str().is_some_and(|text| text.contains("working"))));

    let ended = admin.get(&one(&made)).await.ok();
    assert_eq!(ended["phase"], "Completed", "{ended}");
    let repository = &ended["repositories"][0];
    assert_eq!(repository["branchUrl"], format!("{}/-/tree/feature/x", forge.url()));
    assert_eq!(repository["commit"].as_str(), forge.twin.head(forge.path, "feature/x").as_deref());
    assert!(ended["times"]["endedAt"].is_string());

    admin.delete(&one(&made)).await.nothing();
    admin.get(&one(&made)).await.refused(404, "not_found");
    admin.get(&format!("{}/events", one(&made))).await.refused(404, "not_found");

    let metrics = server.anonymous().get("/metrics").await.body;
    assert!(metrics.contains(r#"valetkey_sessions_ended_total{outcome="Completed"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_follower_resumes_where_it_was() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let made = admin.post(ALL, asking(&forge, "true")).await.created();
    let all = follow(&admin, &made, "").await;
    assert!(all.len() > 4);
    assert_eq!(follow(&admin, &made, "?after=2").await, all[2..]);
    let reconnecting = admin.clone().with("last-event-id", "3");
    assert_eq!(follow(&reconnecting, &made, "?after=1").await, all[3..], "what was seen last counts most");
    assert_eq!(follow(&admin, &made, "?after=1000").await, all[all.len() - 1..]);
    admin.get(&format!("{}/events?after=x", one(&made))).await.refused(400, "invalid_input");
    admin.with("last-event-id", "x").get(&format!("{}/events", one(&made))).await.refused(400, "invalid_input");
}

#[tokio::test]
async fn streams_end_when_the_server_shuts_down() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let made = admin.post(ALL, asking(&forge, "sleep 600")).await.created();
    server.app.close_streams();
    let events = follow(&admin, &made, "").await;
    assert!(events.iter().all(|event| event.name != "end"), "the session is not over");
    server.shut_down().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_credential_that_opened_it() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let made = admin.post(ALL, asking(&forge, "sleep 600")).await.created();
    let token = admin.post("/api/v1/tokens", json!({"name": "a follower's"})).await.created();
    let follower = server.bearer(token["token"].as_str().unwrap());
    let stream = follower.listen(&format!("{}/events", one(&made))).await;
    admin.delete(&format!("/api/v1/tokens/{}", token["id"].as_str().unwrap())).await.nothing();
    let heard = stream.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8(heard.to_vec()).unwrap().contains("event: end"), "the session is not over");
    server.shut_down().await;
}

#[tokio::test]
async fn a_session_is_stopped_once() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let made = admin.post(ALL, asking(&forge, "sleep 600")).await.created();
    admin.delete(&one(&made)).await.refused(409, "conflict");
    admin.press(&format!("{}/stop", one(&made))).await.success(StatusCode::ACCEPTED);
    let end = follow(&admin, &made, "").await.pop().unwrap();
    assert_eq!(end.data["phase"], "Stopped");
    let stopped = admin.get(&one(&made)).await.ok();
    assert_eq!(stopped["failure"]["code"], "stopped");
    admin.press(&format!("{}/stop", one(&made))).await.refused(409, "conflict");
}

#[tokio::test]
async fn a_session_that_fails_says_why_and_what_to_do() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = admin.post(ALL, asking(&forge, "true")).await.created();
    assert_eq!(follow(&admin, &made, "").await.pop().unwrap().data["phase"], "Failed");
    let failed = admin.get(&one(&made)).await.ok();
    assert_eq!(failed["failure"]["code"], "integration_missing");
    assert!(failed["failure"]["remediation"].is_string());
}

#[tokio::test]
async fn sessions_are_listed_newest_first_in_pages() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let mut made = Vec::new();
    for _ in 0..3 {
        let session = admin.post(ALL, asking(&forge, "true")).await.created();
        made.push(session["id"].clone());
        server.bed.clock.advance(jiff::SignedDuration::from_millis(5));
    }
    let ids = |page: &Value| -> Vec<Value> {
        page["items"].as_array().unwrap().iter().map(|session| session["id"].clone()).collect()
    };
    let first = admin.get(&format!("{ALL}?limit=2")).await.ok();
    assert_eq!(ids(&first), [made[2].clone(), made[1].clone()]);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = admin.get(&format!("{ALL}?limit=2&cursor={cursor}")).await.ok();
    assert_eq!(ids(&second), [made[0].clone()]);
    assert_eq!(second.get("nextCursor"), None);
}

#[tokio::test]
async fn what_can_not_be_a_session_is_refused_before_anything_starts() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let repository = json!([{"url": forge.twin.clone_url(forge.path)}]);
    for body in [
        json!({"task": "", "repositories": repository}),
        json!({"task": "t", "repositories": []}),
        json!({"task": "t", "repositories": repository, "owner": "victim"}),
        json!({"task": "t", "repositories": [{"url": "--upload-pack=/bin/sh"}]}),
        json!({"task": "t", "repositories": [{"url": "ext::sh -c true"}]}),
        json!({"task": "t", "repositories": [{"url": "file:///etc"}]}),
        json!({"task": "t", "repositories": [{"url": "https://user:secret@gitlab.com/a/b"}]}),
        json!({"task": "t", "repositories": [{"url": "https://gitlab.com/a/../../x"}]}),
        json!({"task": "t", "repositories": [{"url": "https://gitlab.com/a/b", "pushBranch": "-x"}]}),
        json!({"task": "t", "repositories": repository, "timeoutSeconds": 0}),
        json!({"task": "t", "repositories": repository, "agent": {"command": []}}),
    ] {
        let reply = admin.post(ALL, body).await;
        assert!(!reply.body.contains("secret"), "{}", reply.body);
        reply.refused(400, "invalid_input");
    }
    admin.post("/api/v1/projects/nowhere/sessions", asking(&forge, "true")).await.refused(404, "not_found");
    assert_eq!(admin.get(ALL).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_session_is_found_in_its_own_project_only() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    let made = admin.post(ALL, asking(&forge, "true")).await.created();
    let id = made["id"].as_str().unwrap();
    for path in [
        format!("/api/v1/projects/other/sessions/{id}"),
        format!("{ALL}/018f0000-0000-7000-8000-000000000000"),
        format!("{ALL}/x"),
        format!("/api/v1/projects/..%2fdefault/sessions/{id}"),
    ] {
        admin.get(&path).await.refused(404, "not_found");
        admin.get(&format!("{path}/events")).await.refused(404, "not_found");
        admin.press(&format!("{path}/stop")).await.refused(404, "not_found");
        admin.delete(&path).await.refused(404, "not_found");
    }
    admin.get("/api/v1/projects/nowhere/sessions").await.refused(404, "not_found");
}
