//! Webhooks through the API and the pages, with a receiver that remembers what it was told.

use std::sync::{Arc, Mutex};

use axum::{Router, routing::post};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use valetkey_model::{ProjectName, Role};
use valetkey_store::{Member, MemberName};
use valetkey_testbed::ForgeBed;

use crate::harness::{Client, Reply, TestServer};

const ALL: &str = "/api/v1/projects/default/webhooks";

/// A receiver that takes everything.
struct Receiver {
    url: String,
    received: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=receivers-canary", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<(HeaderMap, Value)>>> = Arc::default();
        let keep = received.clone();
        let take = move |headers: HeaderMap, body: String| async move {
            keep.lock().unwrap().push((headers, serde_json::from_str(&body).unwrap()));
        };
        let router = Router::new().route("/hook", post(take));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, received, task }
    }

    fn received(&self) -> Vec<(HeaderMap, Value)> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    client.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.finish()).await
}

async fn with_role(server: &TestServer, name: &str, role: Role) -> Client {
    let client = server.somebody(name).await;
    let name = MemberName::Person(name.parse().unwrap());
    let member = Member { name, role, added_at: jiff::Timestamp::UNIX_EPOCH };
    server.bed.store.set_member(&ProjectName::default_project(), &member).await.unwrap();
    client
}

#[tokio::test]
async fn a_webhook_s_life() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    let admin = server.admin();
    let made = admin.post(ALL, json!({"url": receiver.url, "description": "CI"})).await.created();
    let one = format!("{ALL}/{}", made["id"].as_str().unwrap());
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(made["events"].as_array().unwrap().len(), 5, "of everything, if not said otherwise");

    let tested = admin.press(&format!("{one}/test")).await.ok();
    assert_eq!((&tested["state"], &tested["lastStatus"]), (&json!("delivered"), &json!(200)));
    assert_eq!(receiver.received()[0].1["type"], "webhook.test");
    let again = admin.press(&format!("{one}/deliveries/{}/redeliver", tested["id"].as_str().unwrap())).await;
    assert_eq!(again.success(StatusCode::ACCEPTED)["state"], "pending");
    server.bed.integrations.webhooks().run_due().await.unwrap();
    assert_eq!(receiver.received()[1].0["webhook-id"], tested["id"].as_str().unwrap());

    let rotated = admin.press(&format!("{one}/rotate")).await.ok();
    assert_ne!(rotated["secret"], secret.as_str());
    let changed = admin.patch(&one, json!({"enabled": false, "events": ["session.failed"]})).await.ok();
    assert_eq!((&changed["enabled"], &changed["events"]), (&json!(false), &json!(["session.failed"])));
    admin.press(&format!("{one}/test")).await.refused(409, "conflict");
    assert_eq!(admin.get(ALL).await.ok()["items"], json!([admin.get(&one).await.ok()]));

    // What was shown once is in no other answer.
    let told_once = [secret.as_str(), rotated["secret"].as_str().unwrap()];
    admin.get(&format!("{one}/deliveries")).await.ok();
    let answers = server.answers();
    for secret in told_once {
        assert_eq!(answers.iter().filter(|answer| answer.contains(secret)).count(), 1);
    }
    admin.delete(&one).await.nothing();
    admin.get(&one).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_end_of_a_session_is_told() {
    let (server, receiver, forge) = (TestServer::start().await, Receiver::start().await, ForgeBed::gitlab().await);
    server.bed.connect(&forge).await;
    let admin = server.admin();
    admin.post(ALL, json!({"url": receiver.url})).await.created();
    let task = format!("Use {}\nand more", forge.token);
    let session = json!({
        "task": task,
        "repositories": [{"url": forge.url(), "pushBranch": "feature/x"}],
        "agent": {"command": ["sh", "-c", "echo more > more.txt"]},
    });
    let session = admin.post("/api/v1/projects/default/sessions", session).await.created();
    let id = session["id"].as_str().unwrap();
    // The stream ends with the session.
    admin.get(&format!("/api/v1/projects/default/sessions/{id}/events")).await;
    server.bed.integrations.webhooks().run_due().await.unwrap();
    let (_, told) = receiver.received().remove(0);
    assert_eq!(told["type"], "session.completed", "{told}");
    let data = &told["data"];
    assert_eq!((&data["session"], &data["project"]), (&json!(id), &json!("default")));
    assert_eq!(data["url"], format!("http://127.0.0.1:8080/sessions/{id}"));
    assert_eq!(data["repositories"][0]["branch"], "feature/x");
    assert_eq!(data["task"], "Use glpat-***", "the first line, and no secret");
    assert!(!told.to_string().contains(&forge.token), "{told}");
    server.shut_down().await;
}

#[tokio::test]
async fn only_a_project_s_admins_manage_its_webhooks() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    let made = server.admin().post(ALL, json!({"url": receiver.url})).await.created();
    let one = format!("{ALL}/{}", made["id"].as_str().unwrap());
    let page = format!("/projects/default/webhooks/{}", made["id"].as_str().unwrap());
    let stranger = server.somebody("eve").await;
    let (viewer, member) =
        (with_role(&server, "vera", Role::Viewer).await, with_role(&server, "max", Role::Member).await);
    for path in [ALL, &one, &format!("{one}/deliveries"), "/projects/default/webhooks", &page] {
        stranger.get(path).await.refused(404, "not_found");
        viewer.get(path).await.refused(403, "forbidden");
        member.get(path).await.refused(403, "forbidden");
    }
    for client in [&viewer, &member] {
        client.post(ALL, json!({"url": receiver.url})).await.refused(403, "forbidden");
        client.press(&format!("{one}/rotate")).await.refused(403, "forbidden");
        client.delete(&one).await.refused(403, "forbidden");
    }
    with_role(&server, "ada", Role::Admin).await.get(&one).await.ok();
}

#[tokio::test]
async fn another_project_s_webhook_is_not_found() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    let admin = server.admin();
    let made = admin.post(ALL, json!({"url": receiver.url})).await.created();
    let id = made["id"].as_str().unwrap();
    let tested = admin.press(&format!("{ALL}/{id}/test")).await.ok();
    let delivery = tested["id"].as_str().unwrap();
    let elsewhere = format!("/api/v1/projects/elsewhere/webhooks/{id}");
    admin.get(&elsewhere).await.refused(404, "not_found");
    admin.patch(&elsewhere, json!({"enabled": false})).await.refused(404, "not_found");
    admin.delete(&elsewhere).await.refused(404, "not_found");
    for path in ["test", "rotate", &format!("deliveries/{delivery}/redeliver")] {
        admin.press(&format!("{elsewhere}/{path}")).await.refused(404, "not_found");
    }
    admin.get(&format!("{elsewhere}/deliveries")).await.refused(404, "not_found");
    let other = admin.post(ALL, json!({"url": receiver.url})).await.created();
    let other = format!("{ALL}/{}/deliveries/{delivery}/redeliver", other["id"].as_str().unwrap());
    admin.press(&other).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_url_that_will_not_do_is_refused_and_never_repeated() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for (url, code, status) in [
        ("http://ci.example.com/canary", "invalid_input", 400),
        ("https://john:canary@ci.example.com/", "invalid_input", 400),
        ("ftp://ci.example.com/canary", "invalid_input", 400),
        ("canary", "invalid_input", 400),
        ("https://169.254.169.254/canary", "address_refused", 422),
        ("https://metadata.google.internal/canary", "address_refused", 422),
    ] {
        let refused = admin.post(ALL, json!({"url": url})).await.refused(status, code);
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }
    let url = "https://ci.example.com/";
    for body in [json!({"url": url, "events": []}), json!({"url": url, "events": ["webhook.test"]})] {
        admin.post(ALL, body).await.refused(400, "invalid_input");
    }
    assert_eq!(admin.get(ALL).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn all_of_it_in_the_browser() {
    let (server, receiver) = (TestServer::start().await, Receiver::start().await);
    let admin = server.admin();
    let all = "/projects/default/webhooks";
    assert!(admin.get(all).await.body.contains("No webhooks yet"));
    assert_eq!(admin.get(&format!("{all}/new")).await.status, StatusCode::OK);
    let refused = submit(&admin, all, &[("url", "http://ci.example.com"), ("event", "session.failed")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("loopback"), "{}", refused.body);
    let added = submit(&admin, all, &[("url", &receiver.url), ("event", "session.failed")]).await;
    assert_eq!(added.status, StatusCode::CREATED);
    assert!(added.body.contains("whsec_"));
    let made = admin.get(ALL).await.ok();
    let one = format!("{all}/{}", made["items"][0]["id"].as_str().unwrap());
    for (path, fields, did) in [
        ("test", vec![], "webhook-tested"),
        ("enabled", vec![("enabled", "false")], "webhook-disabled"),
        ("enabled", vec![("enabled", "true")], "webhook-enabled"),
        ("edit", vec![("url", &*receiver.url), ("description", "CI"), ("event", "session.stopped")], "webhook-changed"),
    ] {
        let reply = submit(&admin, &format!("{one}/{path}"), &fields).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        assert_eq!(reply.header("location"), format!("{one}?did={did}"));
    }
    let page = admin.get(&one).await.body;
    for words in ["webhook.test", "Delivered", "session.stopped", "CI", "status 200"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let delivery = page.split("/deliveries/").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    submit(&admin, &format!("{one}/deliveries/{delivery}/redeliver"), &[]).await;
    server.bed.integrations.webhooks().run_due().await.unwrap();
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(admin.get(&format!("{one}/rotate")).await.status, StatusCode::OK);
    assert!(submit(&admin, &format!("{one}/rotate"), &[]).await.body.contains("whsec_"));
    assert!(!admin.get(&one).await.body.contains("whsec_"));
    assert_eq!(admin.get(&format!("{one}/delete")).await.status, StatusCode::OK);
    let deleted = submit(&admin, &format!("{one}/delete"), &[]).await;
    assert_eq!(deleted.header("location"), format!("{all}?did=webhook-deleted"));
}
