//! Sessions as several people see them: what changed, what a session would find, lists, and the way in for newcomers.

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use serde_json::json;
use valetkey_model::{Clock as _, ProjectName, Role};
use valetkey_store::{Member, MemberName};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{AccessLevel, Repository};

use crate::harness::{Client, Reply, TestServer, connect_body};

const ALL: &str = "/api/v1/projects/default/sessions";

async fn connected() -> (TestServer, ForgeBed) {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    server.admin().post("/api/v1/integrations", connect_body(&forge)).await.created();
    (server, forge)
}

/// Somebody with a role in the default project.
async fn with_role(server: &TestServer, name: &str, role: Role) -> Client {
    let client = server.somebody(name).await;
    let member = Member { name: MemberName::Person(name.parse().unwrap()), role, added_at: server.bed.clock.now() };
    server.bed.store.set_member(&ProjectName::default_project(), &member).await.unwrap();
    client
}

/// Runs a session of the administrator's to its end; its id.
async fn ended(server: &TestServer, forge: &ForgeBed, task: &str, script: &str) -> String {
    let body = json!({
        "task": task,
        "repositories": [{"url": forge.twin.clone_url(forge.path), "pushBranch": "feature/x"}],
        "agent": {"command": ["sh", "-c", script]},
    });
    let made = server.admin().post(ALL, body).await.created();
    let id = made["id"].as_str().unwrap().to_owned();
    let events = server.admin().listen(&format!("{ALL}/{id}/events")).await;
    events.into_body().collect().await.expect("all events");
    id
}

async fn submit(client: &Client, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    client.send(Method::POST, "/sessions", Some("application/x-www-form-urlencoded"), body.finish()).await
}

#[tokio::test]
async fn what_changed_is_shown_to_everybody_in_the_project() {
    let (server, forge) = connected().await;
    let id = ended(&server, &forge, "t", "echo '<b>two</b>' >> src/main.txt; echo new > 'a & b.txt'").await;
    let viewer = with_role(&server, "vera", Role::Viewer).await;
    let changes = viewer.get(&format!("{ALL}/{id}/changes")).await.ok();
    let [only] = changes["items"].as_array().unwrap().as_slice() else { panic!("{changes}") };
    assert_eq!((&only["filesChanged"], &only["linesAdded"]), (&json!(2), &json!(2)));
    assert_eq!(only["files"][0]["path"], "a & b.txt");

    let page = viewer.get(&format!("/sessions/{id}")).await.body;
    for words in ["Changed files", "a &amp; b.txt", "by <bdi>Administrator</bdi>", "integration of their own"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    assert!(!page.contains("id=\"again\""), "a viewer starts nothing");
    let diffs = viewer.get(&format!("/sessions/{id}/changes")).await.body;
    assert!(diffs.contains("<ins>&lt;b&gt;two&lt;/b&gt;</ins>"), "{diffs}");
    let patch = viewer.get(&format!("/sessions/{id}/patch")).await;
    assert_eq!(patch.header("content-type"), "text/plain; charset=utf-8");
    assert!(patch.body.contains("diff --git a/src/main.txt b/src/main.txt\n"), "{}", patch.body);

    let stranger = server.somebody("eve").await;
    stranger.get(&format!("{ALL}/{id}/changes")).await.refused(404, "not_found");
    for page in ["", "/changes", "/patch", "/log"] {
        stranger.get(&format!("/sessions/{id}{page}")).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn the_whole_log_can_be_searched_without_a_script() {
    let (server, forge) = connected().await;
    let id = ended(&server, &forge, "t", "echo one fish; echo two birds; printf 'red FISH'").await;
    let found = server.admin().get(&format!("/sessions/{id}/log?q=Fish")).await.body;
    assert_eq!(found.lines().filter(|line| line.contains("ish") || line.contains("FISH")).count(), 2, "{found}");
    assert!(!found.contains("birds"));
    assert!(server.admin().get(&format!("/sessions/{id}/log?q=")).await.body.contains("birds"));
}

#[tokio::test]
async fn a_repository_may_go_without_an_integration_if_everybody_may_read_it() {
    let (server, forge) = connected().await;
    forge.twin.repository("team/docs", Repository::new().public().file("a", "a"));
    let (public, private) = (forge.twin.clone_url("team/docs"), forge.twin.clone_url(forge.path));
    let without = |url: &str| json!({"url": url, "integration": "none"});
    let body = json!({"task": "", "repositories": [without(&public), without(&private)]});
    let found = server.admin().post(&format!("{ALL}/check"), body).await.ok();
    for item in found["items"].as_array().unwrap() {
        assert_eq!((&item["canPush"], &item["integration"]), (&json!(false), &serde_json::Value::Null));
    }
    assert_eq!(found["items"][0]["problem"], serde_json::Value::Null);
    assert_eq!(found["items"][1]["problem"]["code"], "repository_not_found");
    let resolved = format!("/api/v1/integrations/resolve?url={}&integration=none", forge.twin.url());
    let resolved = server.admin().get(&resolved).await.ok();
    assert_eq!((resolved.get("integration"), &resolved["candidates"]), (None, &json!([])));

    let fields = [("project", "default"), ("task", ""), ("url", &public), ("integration", "none"), ("check", "1")];
    let page = submit(&server.admin(), &fields).await.body;
    for words in ["This session can read here, and pushes nothing", "value=\"none\" selected"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let fields =
        [("project", "default"), ("task", "x"), ("url", &public), ("integration", "none"), ("pushBranch", "x")];
    let page = submit(&server.admin(), &fields).await.body;
    assert!(page.contains("Nothing is pushed to"), "{page}");
}

#[tokio::test]
async fn one_learns_which_credential_a_session_would_use_before_it_starts() {
    let (server, forge) = connected().await;
    let read_only = Repository::new().private().file("a", "a").member(&forge.john, AccessLevel::Reporter);
    forge.twin.repository("team/read", read_only);
    let (good, bad) = (forge.twin.clone_url(forge.path), forge.twin.clone_url("team/read"));
    let check = format!("{ALL}/check");
    let body = json!({"task": "", "repositories": [{"url": good}, {"url": bad}]});
    let found = server.admin().post(&check, body.clone()).await.ok();
    let (first, second) = (&found["items"][0], &found["items"][1]);
    assert_eq!((&first["canPush"], &first["defaultBranch"]), (&json!(true), &json!("main")));
    assert_eq!(first["integration"]["account"]["username"], "john");
    assert!(first["reason"].as_str().unwrap().contains("only User Global"), "{first}");
    assert_eq!((&second["canPush"], &second["problem"]["code"]), (&json!(false), &json!("push_not_allowed")));

    let member = with_role(&server, "max", Role::Member).await;
    let none = member.post(&check, body.clone()).await.ok();
    assert_eq!(none["items"][0]["problem"]["code"], "integration_missing", "the administrator's own is not theirs");
    with_role(&server, "vera", Role::Viewer).await.post(&check, body.clone()).await.refused(403, "forbidden");
    server.somebody("eve").await.post(&check, body).await.refused(404, "not_found");

    let fields = [("project", "default"), ("task", ""), ("url", &good), ("url", &bad), ("check", "1")];
    let page = submit(&server.admin(), &fields).await;
    assert_eq!(page.status, StatusCode::OK);
    for words in ["This session can push here", "Why this one?", "can&#39;t push to"] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    assert_eq!(server.admin().get(ALL).await.ok()["items"], json!([]), "nothing was started");
}

#[tokio::test]
async fn a_session_is_started_in_the_project_that_was_chosen() {
    let (server, forge) = connected().await;
    let url = forge.twin.clone_url(forge.path);
    let fields = |project| [("project", project), ("task", "t"), ("url", &*url), ("minutes", "5"), ("agent", "true")];
    let started = submit(&server.admin(), &fields("default")).await;
    assert_eq!(started.status, StatusCode::SEE_OTHER, "{}", started.body);
    for (project, words) in [("", "Choose a project"), ("nowhere", "There is no project"), ("..", "Project")] {
        let refused = submit(&server.admin(), &fields(project)).await;
        assert!(refused.status.is_client_error() && refused.body.contains(words), "{}", refused.body);
    }
    let viewer = with_role(&server, "vera", Role::Viewer).await;
    assert_eq!(submit(&viewer, &fields("default")).await.status, StatusCode::FORBIDDEN);
    assert!(viewer.get("/sessions/new").await.body.contains("You are a member of no project yet"));
    let member = with_role(&server, "max", Role::Member).await;
    let form = member.get("/sessions/new?project=default").await.body;
    assert!(
        form.contains("<option selected>default</option>") && form.contains("No account is connected yet"),
        "{form}"
    );
    server.shut_down().await;
}

#[tokio::test]
async fn lists_are_filtered_and_say_why_they_are_empty() {
    let (server, forge) = connected().await;
    let admin = server.admin();
    assert!(admin.get("/sessions").await.body.contains("No sessions yet"));
    let first = ended(&server, &forge, "Paint it black", "true").await;
    server.bed.clock.advance(SignedDuration::from_millis(5));
    let second = ended(&server, &forge, "Paint it white", "exit 3").await;
    let member = with_role(&server, "max", Role::Member).await;
    for (client, query, wanted) in [
        (&admin, "", [true, true]),
        (&admin, "?project=&phase=&by=&q=", [true, true]),
        (&admin, "?q=BLACK", [true, false]),
        (&admin, "?phase=failed", [false, true]),
        (&admin, "?phase=active", [false, false]),
        (&admin, "?by=me&project=default&phase=completed", [true, false]),
        (&admin, "?project=other", [false, false]),
        (&member, "?q=paint", [true, true]),
        (&member, "?by=me", [false, false]),
    ] {
        let page = client.get(&format!("/sessions{query}")).await.body;
        let seen = [&first, &second].map(|id| page.contains(&format!("/sessions/{id}\"")));
        assert_eq!(seen, wanted, "{query}");
        assert_eq!(page.contains("No session matches"), wanted == [false, false], "{query}");
    }
    let older = admin.get(&format!("/sessions?q=paint&before={second}")).await.body;
    assert!(older.contains(&first) && older.contains("/sessions?q=paint\">Newest"), "{older}");
    admin.get("/sessions?phase=odd").await.refused(400, "invalid_input");
}

#[tokio::test]
async fn a_list_says_who_started_each() {
    let (server, forge) = connected().await;
    ended(&server, &forge, "Theirs", "true").await;
    let member = with_role(&server, "max", Role::Member).await;
    let started = |page: &str| [page.contains("by you"), page.contains("by <bdi>Administrator</bdi>")];
    assert_eq!(started(&server.admin().get("/sessions").await.body), [true, false]);
    assert_eq!(started(&member.get("/sessions").await.body), [false, true]);
    assert_eq!(started(&member.get("/").await.body), [false, true], "lately in their projects");
    assert_eq!(started(&server.admin().get("/").await.body), [false, false], "they are all one's own");
}

#[tokio::test]
async fn a_session_that_is_over_is_deleted_on_its_page() {
    let (server, forge) = connected().await;
    let (admin, max) = (server.admin(), with_role(&server, "max", Role::Member).await);
    let id = ended(&server, &forge, "t", "echo two >> src/main.txt; exit 3").await;
    let page = format!("/sessions/{id}/delete");
    for (method, client) in [(Method::GET, &max), (Method::POST, &max)] {
        client.send(method, &page, None, "").await.refused(403, "forbidden");
    }
    assert!(!max.get(&format!("/sessions/{id}")).await.body.contains(&page));
    assert!(admin.get(&format!("/sessions/{id}")).await.body.contains(&page));
    let asked = admin.get(&page).await.body;
    let workspace = server.bed.folder.path().join("workspaces").join(&id);
    for words in ["its log", workspace.to_str().unwrap()] {
        assert!(asked.contains(words), "{words} in {asked}");
    }
    assert!(workspace.exists());

    let done = admin.press(&page).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/sessions?did=session-deleted"));
    assert!(admin.get(done.header("location")).await.body.contains("Deleted: its record"));
    admin.get(&format!("/sessions/{id}")).await.refused(404, "not_found");
    assert!(!workspace.exists());
    let entries = admin.get(&format!("/api/v1/audit?action=session.delete&session={id}")).await.ok();
    let outcomes: Vec<_> =
        entries["items"].as_array().unwrap().iter().map(|it| (&it["actor"], &it["outcome"])).collect();
    let (refused, allowed) = (json!("refused"), json!("allowed"));
    assert_eq!(outcomes, [(&json!("admin"), &allowed), (&json!("max"), &refused)]);
    assert_eq!(entries["items"][0]["project"], "default");

    let running = json!({"task": "t", "repositories": [{"url": forge.twin.clone_url(forge.path)}], "agent": {"command": ["sleep", "600"]}});
    let running = admin.post(ALL, running).await.created();
    let page = format!("/sessions/{}/delete", running["id"].as_str().unwrap());
    assert!(admin.get(&page).await.body.contains("The session still runs"));
    admin.press(&page).await.refused(409, "conflict");
    server.shut_down().await;
}

#[tokio::test]
async fn everybody_finds_a_way_on_from_home() {
    let (server, forge) = connected().await;
    let stranger = server.somebody("eve").await;
    let home = stranger.get("/").await.body;
    assert!(home.contains("You are in no project yet") && !home.contains("/sessions/new"), "{home}");
    let member = with_role(&server, "max", Role::Member).await;
    let home = member.get("/").await.body;
    assert!(home.contains("Two steps to your first session") && home.contains("/sessions/new"), "{home}");

    ended(&server, &forge, "It went wrong", "exit 3").await;
    assert!(server.admin().get("/").await.body.contains("Needs attention"));
    assert!(member.get("/").await.body.contains("Lately in your projects"));
    server.bed.clock.advance(SignedDuration::from_hours(8 * 24));
    let later = server.admin().get("/").await.body;
    assert!(!later.contains("Needs attention"), "old failures are let rest: {later}");
}

#[tokio::test]
async fn only_who_can_mend_a_projects_integration_is_asked_to() {
    let (server, forge) = connected().await;
    let mut body = connect_body(&forge);
    (body["scope"], body["project"], body["alias"]) = (json!("project"), json!("default"), json!("Shared"));
    server.admin().post("/api/v1/integrations", body).await.created();
    forge.twin.set_token_state(&forge.token, valetkey_twins::TokenState::Revoked);
    let all = server.admin().get("/api/v1/integrations").await.ok();
    for it in all["items"].as_array().unwrap() {
        server.admin().press(&format!("/api/v1/integrations/{}/test", it["id"].as_str().unwrap())).await.ok();
    }
    let project_admin = with_role(&server, "ada", Role::Admin).await.get("/").await.body;
    assert!(project_admin.contains("Shared") && project_admin.contains("project default"), "{project_admin}");
    assert_eq!(project_admin.matches("row-badge").count(), 1, "the administrator's own is not theirs to see");
    assert!(!with_role(&server, "max", Role::Member).await.get("/").await.body.contains("Needs attention"));
}
