use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use valetkey_model::{Clock as _, ProjectName, Role};
use valetkey_store::{Member, MemberName};
use valetkey_testbed::ForgeBed;

use crate::harness::{Client, Reply, TestServer, connect_body};

const ALL: &str = "/api/v1/projects/default/assistants";
const PAGES: &str = "/projects/default/assistants";

fn one(assistant: &Value) -> String {
    format!("{ALL}/{}", assistant["id"].as_str().expect("an id"))
}

/// Somebody with a role in the project `default`.
async fn member(server: &TestServer, name: &str, role: Role) -> Client {
    let client = server.somebody(name).await;
    let name = MemberName::Person(name.parse().expect("a name"));
    let member = Member { name, role, added_at: server.bed.clock.now() };
    server.bed.store.set_member(&ProjectName::default_project(), &member).await.expect("a member");
    client
}

/// Connects the forge's account for the caller, in the project.
async fn connect(client: &Client, forge: &ForgeBed, scope: &str, alias: &str) -> String {
    let mut body = connect_body(forge);
    body["scope"] = json!(scope);
    body["project"] = json!("default");
    body["alias"] = json!(alias);
    let made = client.post("/api/v1/integrations", body).await.created();
    made["id"].as_str().expect("an id").to_owned()
}

async fn put(client: &Client, path: &str, body: &Value) -> Reply {
    client.send(Method::PUT, path, Some("application/json"), body.to_string()).await
}

async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    client.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.finish()).await
}

#[tokio::test]
async fn an_assistant_is_made_listed_changed_and_deleted() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let id = connect(&admin, &forge, "project", "Bot").await;
    let mut body = json!({
        "name": "Reviewer",
        "description": "Reviews",
        "instructions": "Be kind.",
        "agent": {"command": ["true"]},
        "tools": {"gitlab": {"slot": "pinned", "integration": "bot"}, "slack": {"slot": "none"}},
    });
    let made = admin.post(ALL, body.clone()).await.created();
    let slot = &made["tools"]["gitlab"];
    assert_eq!((&slot["slot"], &slot["integration"], &slot["status"]), (&json!("pinned"), &json!(id), &json!("ready")));
    assert_eq!(slot["resolved"], json!({"id": id, "alias": "Bot", "scope": "project"}));
    assert_eq!(made["tools"]["slack"], json!({"slot": "none", "status": "off"}));
    assert_eq!((&made["owner"], &made["missing"]), (&json!("admin"), &json!([])));

    assert_eq!(admin.get(&format!("{ALL}/reviewer")).await.ok()["id"], made["id"]);
    for (query, found) in [("", 1), ("?q=review", 1), ("?q=nothing", 0)] {
        let items = admin.get(&format!("{ALL}{query}")).await.ok()["items"].as_array().unwrap().len();
        assert_eq!(items, found, "{query}");
    }
    admin.post(ALL, json!({"name": "REVIEWER"})).await.refused(409, "conflict");
    body["name"] = json!("Critic");
    body["tools"] = json!({});
    let changed = put(&admin, &one(&made), &body).await.ok();
    assert_eq!((&changed["id"], &changed["name"], &changed["tools"]), (&made["id"], &json!("Critic"), &json!({})));
    admin.delete(&one(&made)).await.nothing();
    admin.get(&one(&made)).await.refused(404, "not_found");
    admin.delete(&one(&made)).await.refused(404, "not_found");
    put(&admin, &one(&made), &body).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_is_missing_is_a_conflict_that_lists_it() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let mut body = json!({"name": "A", "tools": {"jira": {"slot": "automatic"}}});
    let refusal = admin.post(ALL, body.clone()).await.refused(409, "conflict");
    let missing = json!([{"provider": "jira", "why": "No integration is connected for Jira."}]);
    assert_eq!(refusal["missing"], missing);
    assert!(refusal["detail"].as_str().unwrap().contains("Jira: No integration is connected"), "{refusal}");
    body["acceptMissing"] = json!(true);
    let made = admin.post(ALL, body).await.created();
    assert_eq!((&made["missing"], &made["tools"]["jira"]["status"]), (&missing, &json!("missing")));
}

#[tokio::test]
async fn who_may_see_make_and_change_them() {
    let server = TestServer::start().await;
    let (ann, bob) = (member(&server, "ann", Role::Member).await, member(&server, "bob", Role::Member).await);
    let (boss, viewer) = (member(&server, "boss", Role::Admin).await, member(&server, "viewer", Role::Viewer).await);
    let outsider = server.somebody("outsider").await;
    let body = json!({"name": "Ann's"});
    viewer.post(ALL, body.clone()).await.refused(403, "forbidden");
    outsider.post(ALL, body.clone()).await.refused(404, "not_found");
    let made = ann.post(ALL, body.clone()).await.created();
    let page = format!("{PAGES}/{}", made["id"].as_str().unwrap());

    for (client, sees, changes) in [(&bob, true, 403), (&viewer, true, 403), (&outsider, false, 404)] {
        let status = if sees { StatusCode::OK } else { StatusCode::NOT_FOUND };
        for path in [ALL, &one(&made), PAGES, &page] {
            assert_eq!(client.get(path).await.status, status, "{path}");
        }
        assert_eq!(client.get("/assistants").await.body.contains("Ann&#39;s"), sees);
        assert_eq!(
            client.get(&format!("/sessions/new?assistant={}", made["id"].as_str().unwrap())).await.status,
            status
        );
        let code = if sees { "forbidden" } else { "not_found" };
        put(client, &one(&made), &body).await.refused(changes, code);
        client.delete(&one(&made)).await.refused(changes, code);
        assert_eq!(submit(client, &page, &[("name", "x")]).await.status.as_u16(), changes);
        assert_eq!(client.get(&format!("{page}/delete")).await.status.as_u16(), changes);
        assert_eq!(submit(client, &format!("{page}/delete"), &[]).await.status.as_u16(), changes);
    }
    put(&boss, &one(&made), &body).await.ok();
    ann.delete(&one(&made)).await.nothing();
}

#[tokio::test]
async fn a_private_pin_is_usable_by_its_owner_and_tells_others_nothing() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let (ann, bob) = (member(&server, "ann", Role::Member).await, member(&server, "bob", Role::Member).await);
    let id = connect(&ann, &forge, "user", "Ann's secret place").await;
    let body = json!({"name": "A", "tools": {"gitlab": {"slot": "pinned", "integration": id}}});
    let foreign = bob.post(ALL, body.clone()).await.refused(409, "integration_unusable");
    let made = ann.post(ALL, body).await.created();
    assert_eq!(made["tools"]["gitlab"]["status"], "ready");

    let ask = json!({
        "task": "t",
        "repositories": [{"url": forge.url()}],
        "assistant": made["id"],
        "agent": {"command": ["true"]},
    });
    let sessions = "/api/v1/projects/default/sessions";
    let seen = bob.get(&one(&made)).await.ok();
    let refused = bob.post(sessions, ask.clone()).await.refused(409, "integration_unusable");
    assert_eq!(seen["tools"]["gitlab"]["status"], "unusable");
    assert_eq!(seen["tools"]["gitlab"]["why"], refused["detail"]);
    let page = bob.get(&format!("{PAGES}/{}", made["id"].as_str().unwrap())).await.body;
    for told in [seen.to_string(), refused.to_string(), foreign.to_string(), page] {
        assert!(!told.contains("secret place"), "{told}");
    }
    let started = ann.post(sessions, ask).await.created();
    assert_eq!(started["assistant"], json!({"id": made["id"], "name": "A"}));

    ann.delete(&format!("/api/v1/integrations/{id}?now=true")).await.ok();
    assert_eq!(bob.get(&one(&made)).await.ok(), seen, "gone or not is none of Bob's business");
    assert_eq!(ann.get(&one(&made)).await.ok()["tools"]["gitlab"]["status"], "missing");
    server.shut_down().await;
}

#[tokio::test]
async fn an_assistant_is_made_and_started_with_the_pages() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    assert!(admin.get(PAGES).await.body.contains("No assistants yet"));
    assert_eq!(admin.get("/assistants/new").await.header("location"), format!("{PAGES}/new"));
    let form = admin.get(&format!("{PAGES}/new")).await.body;
    let link = format!("/integrations/connect/gitlab?project=default&amp;return={PAGES}/new");
    assert!(form.contains(&link), "{form}");

    // The dialog: for this project, and back to the form with what was connected.
    let dialog = admin.get(&link.replace("&amp;", "&")).await.body;
    assert!(dialog.contains(r#"name="level" value="user:default""#), "{dialog}");
    let back = format!("{PAGES}/new");
    let fields = [
        ("instanceUrl", forge.twin.url()),
        ("token", forge.token.as_str()),
        ("alias", "Mine"),
        ("level", "user:default"),
        ("project", "default"),
        ("return", &back),
    ];
    let reply = submit(&admin, "/integrations/connect/gitlab", &fields).await;
    let added = admin.get("/api/v1/integrations").await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(reply.header("location"), format!("{back}?did=connected&added={added}"));
    let form = admin.get(reply.header("location")).await.body;
    assert!(form.contains(&format!(r#"<option value="{added}" selected>Mine (yours alone)</option>"#)), "{form}");

    let script = "sh -c 'echo \"$VALETKEY_INSTRUCTIONS\"'";
    let mut fields = vec![
        ("name", "Bot <b>"),
        ("instructions", "Be kind."),
        ("agent", script),
        ("tools", "only"),
        ("slot-gitlab", &added),
        ("slot-jira", "automatic"),
    ];
    let asked = submit(&admin, PAGES, &fields).await;
    assert_eq!(asked.status, StatusCode::CONFLICT);
    assert!(asked.body.contains("Save anyway") && asked.body.contains("Bot &lt;b&gt;"), "{}", asked.body);
    fields.push(("acceptMissing", "true"));
    let saved = submit(&admin, PAGES, &fields).await;
    assert_eq!(saved.header("location"), format!("{PAGES}?did=assistant-made"));
    let made = admin.get(&format!("{ALL}?q=bot")).await.ok()["items"][0].clone();
    let list = admin.get("/assistants").await.body;
    let start = format!("/sessions/new?assistant={}", made["id"].as_str().unwrap());
    assert!(list.contains("missing integration") && list.contains(&start), "{list}");

    let form = admin.get(&start).await.body;
    assert!(form.contains("From the assistant") && form.contains("Bot &lt;b&gt;"), "{form}");
    let url = forge.twin.clone_url(forge.path);
    let id = made["id"].as_str().unwrap();
    let fields = [("task", "t"), ("url", &*url), ("minutes", "5"), ("assistant", id)];
    let page = submit(&admin, "/sessions", &fields).await.header("location").to_owned();
    let events = page.replace("/sessions", "/api/v1/projects/default/sessions") + "/events";
    admin.listen(&events).await.into_body().collect().await.expect("all events");
    let shown = admin.get(&page).await.body;
    assert!(shown.contains("Be kind.") && shown.contains("Bot &lt;b&gt;"), "{shown}");
    let again = admin.get(&page.replace("/sessions/", "/sessions/new?from=")).await.body;
    assert!(again.contains(&format!(r#"name="assistant" value="{id}""#)), "{again}");

    let known = format!("{PAGES}/{id}");
    assert!(admin.get(&format!("{known}/delete")).await.body.contains("Sessions that were started from it go on"));
    let gone = submit(&admin, &format!("{known}/delete"), &[]).await;
    assert_eq!(gone.header("location"), format!("{PAGES}?did=assistant-deleted"));
    assert_eq!(admin.get(&known).await.status, StatusCode::NOT_FOUND);
    let again = submit(&admin, "/sessions", &fields).await;
    assert!(again.status == StatusCode::NOT_FOUND && again.body.contains("was deleted"), "{}", again.body);
    server.shut_down().await;
}

#[tokio::test]
async fn the_connect_page_comes_back_to_pages_of_ours_only() {
    let server = TestServer::start().await;
    let viewer = member(&server, "viewer", Role::Viewer).await;
    let page = "/integrations/connect/gitlab?project=default&return=";
    for elsewhere in ["https://evil.test", "//evil.test", "/projects//evil.test"] {
        let reply = server.admin().get(&format!("{page}{elsewhere}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{elsewhere}");
    }
    assert_eq!(viewer.get(&format!("{page}{PAGES}/new")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.admin().get(&format!("{page}{PAGES}/new")).await.status, StatusCode::OK);
}
