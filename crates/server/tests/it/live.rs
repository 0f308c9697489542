//! Lists that follow by themselves: who is told that theirs has changed, and until when.

use axum::body::Body;
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::json;
use valetkey_model::{Clock as _, EngineId, Phase, ProjectName, Role, Session, SessionId, SessionSpec, UserId};
use valetkey_seal::SystemEntropy;
use valetkey_store::{Member, MemberName};
use valetkey_testbed::ForgeBed;

use crate::{
    browser::Browser,
    harness::{Client, TestServer, connect_body},
};

/// A stream that somebody listens to.
struct Stream {
    body: Body,
    /// What has come and was not yet looked at.
    read: String,
}

impl Stream {
    async fn open(client: &Client, address: &str) -> Self {
        let response = client.listen(address).await;
        assert_eq!(response.status(), StatusCode::OK, "{address}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body(), read: String::new() }
    }

    /// What a page follows, from where it was when it was made.
    async fn of(client: &Client, page: &str) -> Self {
        Self::open(client, &follows(client, page).await).await
    }

    /// The id of the next event; none when there are no more.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let id = event.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned);
                self.read = rest.to_owned();
                if id.is_some() {
                    return id;
                }
                continue;
            }
            let frame = self.body.frame().await?.expect("a frame");
            self.read.push_str(std::str::from_utf8(&frame.into_data().expect("data")).expect("text"));
        }
    }

    /// Listens until the page is told of as it is now; fails if the stream ends before.
    async fn catches_up(&mut self, client: &Client, page: &str) {
        loop {
            let told = self.next().await.expect("more");
            if follows(client, page).await.ends_with(&told) {
                return;
            }
        }
    }
}

/// The address that a page follows.
async fn follows(client: &Client, page: &str) -> String {
    let body = client.get(page).await.body;
    let address = body.split("data-live=\"").nth(1).unwrap_or_else(|| panic!("{page} follows nothing: {body}"));
    address.split('"').next().expect("an address").to_owned()
}

async fn with_role(server: &TestServer, name: &str, project: &str, role: Role) -> Client {
    let client = server.somebody(name).await;
    let member = Member { name: MemberName::Person(name.parse().unwrap()), role, added_at: server.bed.clock.now() };
    server.bed.store.set_member(&project.parse().unwrap(), &member).await.unwrap();
    client
}

/// Stores a session that is over.
async fn over(server: &TestServer, project: &str, owner: &str) -> SessionId {
    let now = server.bed.clock.now();
    let spec: SessionSpec = serde_json::from_value(json!({
        "task": "t", "repositories": [], "agent": ["true"], "timeoutSeconds": 1, "pullRequest": false, "keepWorkspace": false,
    }))
    .unwrap();
    let id = SessionId::new(now, &SystemEntropy);
    let (project, owner): (ProjectName, UserId) = (project.parse().unwrap(), owner.parse().unwrap());
    let mut session = Session::new(id.clone(), project, owner, spec, now);
    session.phase = Phase::Stopped;
    server.bed.store.insert_session(&session, &EngineId::new(now, &SystemEntropy)).await.unwrap();
    id
}

#[tokio::test]
async fn a_session_is_told_of_to_those_who_see_it_and_to_nobody_else() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    server.bed.store.insert_project(&"elsewhere".parse().unwrap(), server.bed.clock.now()).await.unwrap();
    let viewer = with_role(&server, "vera", "default", Role::Viewer).await;
    let stranger = with_role(&server, "eve", "elsewhere", Role::Admin).await;
    let mut seen = Vec::new();
    for (client, page) in [(&admin, "/sessions"), (&admin, "/"), (&viewer, "/sessions"), (&viewer, "/")] {
        seen.push((Stream::of(client, page).await, client, page));
    }
    let mut others = Vec::new();
    for page in ["/sessions", "/"] {
        others.push((Stream::of(&stranger, page).await, follows(&stranger, page).await, page));
    }

    let body = json!({
        "task": "Wait",
        "repositories": [{"url": forge.twin.clone_url(forge.path)}],
        "agent": {"command": ["sh", "-c", "exec sleep 600"]},
    });
    let made = admin.post("/api/v1/projects/default/sessions", body).await.created();
    let one = format!("/api/v1/projects/default/sessions/{}", made["id"].as_str().unwrap());
    for (stream, ..) in &mut seen {
        assert!(stream.next().await.is_some(), "it has begun");
    }
    admin.press(&format!("{one}/stop")).await.success(StatusCode::ACCEPTED);
    for (stream, client, page) in &mut seen {
        let end = if *page == "/" { "Stopped" } else { "No session under way" };
        while !client.get(page).await.body.contains(end) {
            assert!(stream.next().await.is_some(), "it goes on, and ends");
        }
    }

    // What they are told of first is what they can see.
    for (_, address, page) in &others {
        assert_eq!(follows(&stranger, page).await, *address);
    }
    over(&server, "elsewhere", "eve").await;
    for (stream, _, page) in &mut others {
        let first = stream.next().await.expect("their own session");
        assert!(follows(&stranger, page).await.ends_with(&first), "{page}: something else was told before");
    }
    server.shut_down().await;
}

#[tokio::test]
async fn what_changed_before_one_listened_is_told_at_once_and_only_once() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let before = follows(&admin, "/sessions").await;
    over(&server, "default", "admin").await;
    let now = follows(&admin, "/sessions").await;
    assert_ne!(before, now);
    let told = Stream::open(&admin, &before).await.next().await.unwrap();
    assert!(now.ends_with(&told), "{told}");

    // A browser that connects again says what it was told last, and asks for the address that it has.
    let mut again = Stream::open(&admin.clone().with("last-event-id", &told), &before).await;
    over(&server, "default", "admin").await;
    let told = again.next().await.unwrap();
    assert!(follows(&admin, "/sessions").await.ends_with(&told), "{told}");
    server.app.close_streams();
    assert_eq!(again.next().await, None, "a server that shuts down waits for nobody");
}

#[tokio::test]
async fn only_what_a_list_shows_is_told_of() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let failed = follows(&admin, "/sessions?phase=failed").await;
    let mut stream = Stream::open(&admin, &format!("{failed}&phase=failed")).await;
    let mut all = Stream::of(&admin, "/sessions").await;
    over(&server, "default", "admin").await;
    all.catches_up(&admin, "/sessions").await;
    assert_eq!(follows(&admin, "/sessions?phase=failed").await, failed);
    let odd = admin.get("/sessions/live?phase=odd").await;
    odd.refused(400, "invalid_input");
    server.app.close_streams();
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn integrations_and_what_was_sent_to_a_webhook_are_followed_too() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let mut integrations = Stream::of(&admin, "/integrations").await;
    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    integrations.catches_up(&admin, "/integrations").await;
    admin.delete(&format!("/api/v1/integrations/{}", made["id"].as_str().unwrap())).await.ok();
    integrations.catches_up(&admin, "/integrations").await;

    let hooks = "/api/v1/projects/default/webhooks";
    let hook = admin.post(hooks, json!({"url": forge.twin.url()})).await.created();
    let id = hook["id"].as_str().unwrap();
    let page = format!("/projects/default/webhooks/{id}");
    let mut sent = Stream::of(&admin, &page).await;
    admin.press(&format!("{hooks}/{id}/test")).await.ok();
    sent.catches_up(&admin, &page).await;
    let member = with_role(&server, "max", "default", Role::Member).await;
    member.get(&format!("{page}/live")).await.refused(403, "forbidden");
    admin.delete(&format!("{hooks}/{id}")).await.nothing();
    over(&server, "default", "admin").await;
    assert_eq!(sent.next().await, None, "there is nothing to follow any more");
}

#[tokio::test]
async fn who_may_not_look_any_more_is_told_nothing_more() {
    let server = TestServer::start().await;
    let (admin, anna) = (server.admin(), with_role(&server, "anna", "default", Role::Admin).await);
    let mut of_anna = Stream::of(&anna, "/sessions").await;
    admin.patch("/api/v1/people/anna", json!({"disabled": true})).await.ok();
    assert_eq!(of_anna.next().await, None, "she is disabled");
    assert_eq!(anna.get("/sessions/live").await.status, StatusCode::SEE_OTHER, "to the sign-in page");

    let browser = Browser::signed_in(&server).await.script();
    let mut of_browser = Stream::of(&browser, "/").await;
    assert_eq!(browser.press("/sign-out").await.status, StatusCode::SEE_OTHER);
    assert_eq!(of_browser.next().await, None, "they signed out");
    let later = browser.get("/live").await;
    assert_eq!((later.status, later.header("location")), (StatusCode::SEE_OTHER, "/sign-in?return_to=%2Flive"));

    let max = with_role(&server, "max", "default", Role::Admin).await;
    let hook =
        admin.post("/api/v1/projects/default/webhooks", json!({"url": "http://127.0.0.1:1/hook"})).await.created();
    let mut of_max = Stream::of(&max, &format!("/projects/default/webhooks/{}", hook["id"].as_str().unwrap())).await;
    let less = json!({"kind": "person", "name": "max", "role": "member"});
    admin.post("/api/v1/projects/default/members", less).await.ok();
    assert_eq!(of_max.next().await, None, "he is no admin any more");
}

#[tokio::test]
async fn a_person_has_only_so_many_streams() {
    let server = TestServer::start().await;
    let (admin, anna) = (server.admin(), with_role(&server, "anna", "default", Role::Viewer).await);
    let mut open = Vec::new();
    let refused = loop {
        let response = anna.listen("/sessions/live").await;
        if response.status() != StatusCode::OK {
            break response;
        }
        open.push(response);
        assert!(open.len() < 1_000, "there is no end");
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    Stream::of(&admin, "/sessions").await;
    open.clear();
    assert_eq!(anna.ask(Method::GET, "/sessions/live").await.status, StatusCode::OK);
}
