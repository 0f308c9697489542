//! Projects as a team uses them, and what somebody tries who is not in them.

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use valetkey_model::{Actor, ProjectCreation, ProviderKind};
use valetkey_server::{App, AppConfig, router};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{AccessLevel, Repository, Switch, Token, User};

use crate::harness::{Client, Reply, TestServer, connect_body};

const ALL: &str = "/api/v1/projects";
const SHOP: &str = "/api/v1/projects/shop";

async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    client.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.finish()).await
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A server with Ann, who made the project `shop`.
async fn shop() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let ann = server.somebody("ann").await;
    ann.post(ALL, json!({"name": "shop", "description": "Sells."})).await.created();
    (server, ann)
}

async fn add(by: &Client, kind: &str, name: &str, role: &str) {
    by.post(&format!("{SHOP}/members"), json!({"kind": kind, "name": name, "role": role})).await.ok();
}

#[tokio::test]
async fn the_default_project_exists() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let default = json!({"name": "default", "description": "", "role": "admin"});
    assert_eq!(admin.get(ALL).await.ok(), json!({"items": [default]}));
    assert_eq!(admin.get("/api/v1/projects/default").await.ok(), default);
    admin.get("/api/v1/projects/nowhere").await.refused(404, "not_found");
    admin.get("/api/v1/projects/%2e%2e").await.refused(404, "not_found");
    admin.delete("/api/v1/projects/default?everything=true").await.refused(409, "conflict");
}

#[tokio::test]
async fn who_makes_a_project_is_its_admin_and_others_know_nothing_of_it() {
    let (server, ann) = shop().await;
    let bob = server.somebody("bob").await;
    let shown = ann.get(SHOP).await.ok();
    assert_eq!((&shown["role"], &shown["description"]), (&json!("admin"), &json!("Sells.")));
    assert!(shown["createdAt"].is_string());
    assert_eq!(bob.get(ALL).await.ok()["items"], json!([]));
    let unknown = bob.get("/api/v1/projects/nowhere").await.refused(404, "not_found");
    let foreign = bob.get(SHOP).await.refused(404, "not_found");
    assert_eq!(foreign["detail"].as_str().unwrap().replace("shop", "nowhere"), unknown["detail"].as_str().unwrap());

    let members = ann.get(&format!("{SHOP}/members")).await.ok();
    assert_eq!((&members["items"][0]["name"], &members["items"][0]["person"]), (&json!("ann"), &json!("ann")));
    assert_eq!(server.admin().get(&format!("{ALL}?q=SELLS")).await.ok()["items"].as_array().unwrap().len(), 1);
    bob.post(ALL, json!({"name": "shop"})).await.refused(409, "conflict");
}

#[tokio::test]
async fn a_project_is_changed_part_by_part() {
    let (_server, ann) = shop().await;
    let change = json!({"defaultAgent": ["codex", "{task}"], "pushPattern": "agents/{session}"});
    let changed = ann.patch(SHOP, change).await.ok();
    assert_eq!((&changed["pushPattern"], &changed["description"]), (&json!("agents/{session}"), &json!("Sells.")));
    let changed = ann.patch(SHOP, json!({"description": "Two\nlines", "pushPattern": null})).await.ok();
    assert_eq!(changed.get("pushPattern"), None);
    assert_eq!(changed["defaultAgent"], json!(["codex", "{task}"]));
    for bad in [
        json!({"pushPattern": "agents"}),
        json!({"pushPattern": "{session}.lock"}),
        json!({"pushPattern": "-{session}"}),
        json!({"defaultAgent": []}),
        json!({"defaultAgent": ["a\u{0}"]}),
        json!({"description": "a\u{202e}b"}),
        json!({"name": "other"}),
    ] {
        ann.patch(SHOP, bad).await.refused(400, "invalid_input");
    }
    assert_eq!(ann.get(SHOP).await.ok(), changed);
}

#[tokio::test]
async fn a_name_that_could_deceive_or_escape_is_refused() {
    let server = TestServer::start().await;
    let ann = server.somebody("ann").await;
    for bad in [
        "",
        "..",
        "../x",
        "a/b",
        "Shop",
        "a b",
        "-a",
        "a-",
        "shop\u{202e}",
        "a\u{0}",
        "a\nb",
        "ünï",
        "new",
        &"x".repeat(64),
    ] {
        ann.post(ALL, json!({ "name": bad })).await.refused(400, "invalid_input");
    }
    ann.post(ALL, json!({"name": "x", "owner": "bob"})).await.refused(400, "invalid_input");
    assert_eq!(ann.get(ALL).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn where_administrators_alone_make_projects_nobody_else_does() {
    let server = TestServer::start().await;
    let config = AppConfig {
        public_url: crate::harness::PUBLIC_URL.parse().unwrap(),
        admin_token: None,
        project_creation: ProjectCreation::Administrators,
        version: "1".to_owned(),
    };
    let _ = server.somebody("ann").await;
    let app = App::new(
        config,
        server.bed.store.clone(),
        server.bed.integrations.clone(),
        server.engine(),
        server.bed.clock.clone(),
        std::sync::Arc::new(valetkey_seal::SystemEntropy),
    );
    let ann = server.through(router(app)).with("authorization", "Bearer the-token-of-ann");
    let refusal = ann.post(ALL, json!({"name": "shop"})).await.refused(403, "forbidden");
    assert!(refusal["detail"].as_str().unwrap().contains("administrator"), "{refusal}");
    let page = ann.get("/projects").await;
    assert!(page.body.contains("You are in no project yet") && !page.body.contains("/projects/new"), "{}", page.body);
    ann.get("/projects/new").await.refused(403, "forbidden");
    submit(&ann, "/projects", &[("name", "shop"), ("description", "")]).await;
    assert_eq!(ann.get(ALL).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn roles_come_by_person_address_and_group_and_end_with_the_next_request() {
    let (server, ann) = shop().await;
    let bob = server.somebody("bob").await;
    bob.get(SHOP).await.refused(404, "not_found");
    add(&ann, "person", "bob", "viewer").await;
    assert_eq!(bob.get(SHOP).await.ok()["role"], "viewer");
    bob.get(&format!("{SHOP}/members")).await.refused(403, "forbidden");
    add(&ann, "person", "bob", "member").await;
    let seen = bob.get(&format!("{SHOP}/members")).await.ok();
    assert_eq!(seen["items"].as_array().unwrap().len(), 2);
    for (method, path, body) in [
        (Method::PATCH, SHOP.to_owned(), json!({"description": "mine"})),
        (Method::POST, format!("{SHOP}/members"), json!({"kind": "person", "name": "bob", "role": "admin"})),
        (Method::POST, format!("{SHOP}/repositories"), json!({"url": "https://gitlab.com/a/b"})),
    ] {
        bob.send(method, &path, Some("application/json"), body.to_string()).await.refused(403, "forbidden");
    }
    for path in [SHOP.to_owned(), format!("{SHOP}/members?kind=person&name=ann")] {
        bob.delete(&path).await.refused(403, "forbidden");
    }
    let gone = ann.delete(&format!("{SHOP}/members?kind=person&name=bob")).await.ok();
    assert_eq!(gone, json!({"stopped": []}));
    bob.get(SHOP).await.refused(404, "not_found");
    ann.delete(&format!("{SHOP}/members?kind=person&name=bob")).await.refused(404, "not_found");
}

#[tokio::test]
async fn members_are_named_by_what_can_be_a_name() {
    let (_server, ann) = shop().await;
    add(&ann, "email", "Bob@Example.COM", "member").await;
    add(&ann, "group", "/acme/Web: Team", "viewer").await;
    let all = ann.get(&format!("{SHOP}/members")).await.ok();
    let names: Vec<_> = all["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bob@example.com", "/acme/Web: Team", "ann"]);
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ann.get(&format!("{SHOP}/members?limit=1{cursor}")).await.ok();
        paged.push(page["items"][0]["name"].clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&{}", query(&[("cursor", next)]));
    }
    assert_eq!(json!(paged), json!(names));
    for (kind, name) in [
        ("email", "bob"),
        ("email", "b\u{202e}ob@example.com"),
        ("group", "a\nb"),
        ("group", " "),
        ("person", "nobody-here"),
        ("person", "../../ann"),
        ("owner", "ann"),
    ] {
        let body = json!({"kind": kind, "name": name, "role": "member"});
        ann.post(&format!("{SHOP}/members"), body).await.refused(400, "invalid_input");
    }
    let body = json!({"kind": "email", "name": "a@b.c", "role": "owner"});
    ann.post(&format!("{SHOP}/members"), body).await.refused(400, "invalid_input");
    ann.get(&format!("{SHOP}/members?cursor=x")).await.refused(400, "invalid_input");
}

#[tokio::test]
async fn the_last_admin_stays_unless_an_administrator_says_otherwise() {
    let (server, ann) = shop().await;
    let demote = json!({"kind": "person", "name": "ann", "role": "member"});
    let refusal = ann.post(&format!("{SHOP}/members"), demote.clone()).await.refused(409, "conflict");
    assert!(refusal["detail"].as_str().unwrap().contains("no admin left"), "{refusal}");
    ann.delete(&format!("{SHOP}/members?kind=person&name=ann")).await.refused(409, "conflict");
    assert_eq!(ann.get(SHOP).await.ok()["role"], "admin");
    server.admin().post(&format!("{SHOP}/members"), demote).await.ok();
    assert_eq!(ann.get(SHOP).await.ok()["role"], "member");
}

/// `shop` with a GitLab that its project integration reaches.
async fn with_forge() -> (TestServer, Client, ForgeBed) {
    let ((server, ann), forge) = (shop().await, ForgeBed::gitlab().await);
    let mut body = connect_body(&forge);
    (body["scope"], body["project"], body["alias"]) = (json!("project"), json!("shop"), json!("Shared"));
    ann.post("/api/v1/integrations", body).await.created();
    (server, ann, forge)
}

#[tokio::test]
async fn a_repository_is_checked_when_it_is_added() {
    let (server, ann, forge) = with_forge().await;
    let (path, check) = (format!("{SHOP}/repositories"), format!("{SHOP}/repositories/check"));
    let added = ann.post(&path, json!({"url": forge.twin.clone_url(forge.path)})).await.created();
    let repository = &added["repository"];
    assert_eq!(repository["url"], json!(forge.url()));
    assert_eq!((&repository["access"], &repository["defaultBranch"]), (&json!("push"), &json!("main")));
    assert_eq!((&repository["provider"], &repository["checkedBy"]), (&json!("gitlab"), &json!("ann")));
    assert_eq!(added["integration"]["alias"], "Shared");
    assert!(added["reason"].as_str().unwrap().contains("Shared"), "{added}");
    let listed = ann.get(&path).await.ok();
    assert_eq!((&listed["items"][0]["url"], &listed["items"][0]["access"]), (&json!(forge.url()), &json!("push")));

    for again in [forge.url().to_string(), format!("{}/", forge.url()), forge.url().clone_url()] {
        ann.post(&path, json!({ "url": again })).await.refused(409, "conflict");
    }
    ann.post(&path, json!({"url": forge.url_of("team/nothing")})).await.refused(422, "repository_not_found");
    ann.post(&path, json!({"url": "https://elsewhere.example.com/a/b"})).await.refused(422, "integration_missing");
    ann.post(&path, json!({"url": "https://x:glpat-canary@gitlab.com/a/b"})).await.refused(400, "invalid_input");
    ann.post(&path, json!({"url": "ext::sh -c id"})).await.refused(400, "invalid_input");
    assert!(server.answers().iter().all(|answer| !answer.contains("canary")));

    forge.twin.repository("team/read", Repository::new().member(&forge.john, AccessLevel::Reporter));
    let read = ann.post(&path, json!({"url": forge.url_of("team/read")})).await.created();
    assert_eq!(read["repository"]["access"], "read");
    assert!(read["repository"]["whyNotPush"].as_str().unwrap().contains("Reporter"), "{read}");

    forge.twin.switch(Switch::Down);
    ann.post(&check, json!({"url": forge.url()})).await.refused(502, "provider_unreachable");
    let kept = ann.get(&format!("{path}?q=app")).await.ok();
    assert_eq!(kept["items"], listed["items"], "no answer is no news");
    ann.delete(&format!("{path}?{}", query(&[("url", &forge.url().to_string())]))).await.nothing();
    ann.delete(&format!("{path}?{}", query(&[("url", &forge.url().to_string())]))).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_its_provider_does_not_show_is_marked() {
    let (_server, ann, forge) = with_forge().await;
    let (path, check) = (format!("{SHOP}/repositories"), format!("{SHOP}/repositories/check"));
    let url = forge.url();
    ann.post(&path, json!({ "url": url })).await.created();
    // Her own account comes before the project's, and sees less.
    let jane = forge.twin.user(User::new("jane"));
    let mut own = connect_body(&forge);
    own["auth"]["token"] = json!(forge.twin.token(&jane, Token::generated().scopes(["api"])));
    ann.post("/api/v1/integrations", own).await.created();
    ann.post(&check, json!({"url": url})).await.refused(422, "repository_not_found");
    let marked = ann.get(&path).await.ok()["items"][0].clone();
    assert_eq!((&marked["access"], &marked["refusal"]), (&json!("none"), &json!("repository_not_found")));
    ann.post(&check, json!({"url": forge.url_of("team/other")})).await.refused(404, "not_found");
    let page = ann.get("/projects/shop").await.body;
    assert!(page.contains("Not shown") && page.contains("does not exist there any more"), "{page}");
}

#[tokio::test]
async fn nobody_learns_or_uses_whose_integration_somebody_else_checked_with() {
    let ((server, ann), forge) = (shop().await, ForgeBed::gitlab().await);
    let bob = server.somebody("bob").await;
    add(&ann, "person", "bob", "admin").await;
    let own = ann.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let path = format!("{SHOP}/repositories");
    ann.post(&path, json!({"url": forge.url()})).await.created();
    assert_eq!(ann.get(&path).await.ok()["items"][0]["integration"], own["id"]);
    let seen = bob.get(&path).await;
    for private in [own["id"].as_str().unwrap(), own["alias"].as_str().unwrap()] {
        assert!(!seen.body.contains(private), "{}", seen.body);
        assert!(!bob.get("/projects/shop").await.body.contains(private));
    }
    bob.post(&format!("{path}/check"), json!({"url": forge.url()})).await.refused(422, "integration_missing");
    let named = json!({"url": forge.url(), "integration": own["id"]});
    bob.post(&format!("{path}/check"), named).await.refused(409, "integration_unusable");

    // Nor with one of another project's, though they are an admin of both.
    bob.post(ALL, json!({"name": "other"})).await.created();
    let mut shared = connect_body(&forge);
    (shared["scope"], shared["project"], shared["alias"]) = (json!("project"), json!("other"), json!("Other's"));
    bob.post("/api/v1/integrations", shared).await.created();
    let named = json!({"url": forge.url(), "integration": "Other's"});
    bob.post(&format!("{path}/check"), named).await.refused(409, "integration_unusable");
    let elsewhere = "/api/v1/projects/other/repositories";
    bob.post(elsewhere, json!({"url": forge.url()})).await.created();
    assert_eq!(bob.get(elsewhere).await.ok()["items"].as_array().unwrap().len(), 1);
    ann.get(elsewhere).await.refused(404, "not_found");
}

fn asking(forge: &ForgeBed, branch: Option<&str>) -> Value {
    let mut body = json!({
        "task": "Add feature X",
        "repositories": [{"url": forge.url()}],
        "agent": {"command": ["sh", "-c", "sleep 600"]},
    });
    if let Some(branch) = branch {
        body["repositories"][0]["pushBranch"] = json!(branch);
    }
    body
}

#[tokio::test]
async fn sessions_begin_with_the_project_s_defaults_and_keep_to_its_rule() {
    let (server, ann, forge) = with_forge().await;
    let sessions = format!("{SHOP}/sessions");
    ann.patch(SHOP, json!({"pushPattern": "agents/{user}/{session}", "defaultAgent": ["sh", "-c", "true"]})).await.ok();
    let mut body = asking(&forge, None);
    body.as_object_mut().unwrap().remove("agent");
    let made = ann.post(&sessions, body).await.created();
    let branch = made["repositories"][0]["pushBranch"].as_str().unwrap();
    assert!(branch.starts_with("agents/ann/") && branch.len() == "agents/ann/".len() + 12, "{branch}");
    assert_eq!(made["agent"]["command"], json!(["sh", "-c", "true"]));
    let named = ann.post(&sessions, asking(&forge, Some("agents/ann/fix"))).await.created();
    assert_eq!(named["repositories"][0]["pushBranch"], "agents/ann/fix");
    // The rule is also for those who could change it.
    for by in [&ann, &server.admin()] {
        let refusal = by.post(&sessions, asking(&forge, Some("main"))).await.refused(400, "invalid_input");
        assert!(refusal["detail"].as_str().unwrap().contains("'agents/{user}/{session}'"), "{refusal}");
        assert!(refusal["remediation"].is_string());
    }
    server.shut_down().await;
}

#[tokio::test]
async fn who_is_removed_loses_what_runs_and_what_they_listen_to() {
    let (server, ann, forge) = with_forge().await;
    let bob = server.somebody("bob").await;
    add(&ann, "person", "bob", "member").await;
    let sessions = format!("{SHOP}/sessions");
    let (theirs, other) = (
        bob.post(&sessions, asking(&forge, None)).await.created(),
        ann.post(&sessions, asking(&forge, None)).await.created(),
    );
    let one = |session: &Value| format!("{sessions}/{}", session["id"].as_str().unwrap());
    let stream = bob.listen(&format!("{}/events", one(&other))).await;

    let gone = ann.delete(&format!("{SHOP}/members?kind=person&name=bob")).await.ok();
    assert_eq!(gone, json!({"stopped": [theirs["id"]]}));
    bob.get(&one(&theirs)).await.refused(404, "not_found");
    bob.post(&sessions, asking(&forge, None)).await.refused(404, "not_found");
    let heard = stream.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8(heard.to_vec()).unwrap().contains("event: end"), "the session is not over");

    let events = ann.get(&format!("{}/events", one(&theirs))).await;
    assert!(events.body.contains(r#"{"phase":"Stopped"}"#), "{}", events.body);
    let ended = ann.get(&one(&theirs)).await.ok();
    assert!(ended["failure"]["detail"].as_str().unwrap().contains("not a member of the project any more"), "{ended}");
    assert!(ann.get(&one(&other)).await.ok()["phase"] != "Stopped", "other people's go on");
    server.shut_down().await;
}

#[tokio::test]
async fn a_viewer_starts_nothing_and_what_they_started_as_a_member_is_stopped() {
    let (server, ann, forge) = with_forge().await;
    let bob = server.somebody("bob").await;
    add(&ann, "person", "bob", "member").await;
    let sessions = format!("{SHOP}/sessions");
    let theirs = bob.post(&sessions, asking(&forge, None)).await.created();
    add(&ann, "person", "bob", "viewer").await;
    let one = format!("{sessions}/{}", theirs["id"].as_str().unwrap());
    let events = bob.get(&format!("{one}/events")).await;
    assert!(events.body.contains(r#"{"phase":"Stopped"}"#), "a viewer may look on: {}", events.body);
    bob.post(&sessions, asking(&forge, None)).await.refused(403, "forbidden");
    server.shut_down().await;
}

#[tokio::test]
async fn a_project_is_deleted_with_what_it_holds_only_if_that_is_said() {
    let (server, ann, forge) = with_forge().await;
    let bob = server.somebody("bob").await;
    add(&ann, "person", "bob", "member").await;
    let mut private = connect_body(&forge);
    (private["scope"], private["project"], private["alias"]) = (json!("user"), json!("shop"), json!("Kept apart"));
    let private = bob.post("/api/v1/integrations", private).await.created();
    ann.post(&format!("{SHOP}/secrets"), json!({"name": "DEPLOY_KEY", "value": "a-canary-of-the-shop"})).await.ok();
    ann.post(&format!("{SHOP}/webhooks"), json!({"url": "https://ci.example.com/hook"})).await.created();
    ann.post(&format!("{SHOP}/assistants"), json!({"name": "Reviewer"})).await.created();
    let sessions = format!("{SHOP}/sessions");
    let made = ann.post(&sessions, asking(&forge, None)).await.created();
    let refusal = ann.delete(&format!("{SHOP}?everything=true")).await.refused(409, "conflict");
    assert!(refusal["detail"].as_str().unwrap().contains("1 session is not over"), "{refusal}");
    ann.get(&format!("{SHOP}/losses")).await.refused(409, "conflict");
    let page = ann.get("/projects/shop/delete").await.body;
    assert!(page.contains("Not while something runs") && page.contains("Add feature X"), "{page}");

    let one = format!("{sessions}/{}", made["id"].as_str().unwrap());
    ann.press(&format!("{one}/stop")).await.success(StatusCode::ACCEPTED);
    ann.get(&format!("{one}/events")).await;
    let refusal = ann.delete(SHOP).await.refused(409, "conflict");
    let kinds = [
        "1 session with its log",
        "1 integration of the project",
        "1 integration that a member",
        "1 secret;",
        "1 webhook;",
        "1 assistant;",
        "2 members",
    ];
    for part in kinds {
        assert!(refusal["detail"].as_str().unwrap().contains(part), "{part} in {refusal}");
    }
    let lost = ann.get(&format!("{SHOP}/losses")).await.ok();
    let page = ann.get("/projects/shop/delete").await.body;
    for name in ["DEPLOY_KEY", "ci.example.com", "Reviewer", "Add feature X", "ann, bob", "Shared"] {
        assert!(page.contains(name), "{name} in {page}");
    }
    let of = |kind: &str| lost["items"].as_array().unwrap().iter().find(|loss| loss["kind"] == kind).unwrap();
    assert_eq!((&of("secrets")["names"], &of("secrets")["onlyWithEverything"]), (&json!(["DEPLOY_KEY"]), &json!(true)));
    assert_eq!((&of("members")["count"], &of("members")["onlyWithEverything"]), (&json!(2), &json!(false)));
    // What people have for themselves is counted, and not named.
    assert_eq!(of("private_integrations")["names"], json!([]));
    for told in [refusal.to_string(), lost.to_string(), page] {
        assert!(!told.contains(private["id"].as_str().unwrap()) && !told.contains("Kept apart"), "{told}");
    }
    bob.get(&format!("{SHOP}/losses")).await.refused(403, "forbidden");
    server.admin().get("/api/v1/projects/default/losses").await.refused(409, "conflict");
    let wrong = submit(&ann, "/projects/shop/delete", &[("name", "other")]).await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.body.contains("Nothing was deleted"), "{}", wrong.body);
    bob.delete(&format!("{SHOP}?everything=true")).await.refused(403, "forbidden");
    let deleted = submit(&ann, "/projects/shop/delete", &[("name", "shop")]).await;
    assert_eq!(deleted.header("location"), "/projects?did=project-deleted");

    ann.get(SHOP).await.refused(404, "not_found");
    server.admin().get(SHOP).await.refused(404, "not_found");
    server.admin().get(&one).await.refused(404, "not_found");
    assert_eq!(bob.get("/api/v1/integrations").await.ok()["items"], json!([]));
    ann.post(ALL, json!({"name": "shop"})).await.created();
    for kind in ["repositories", "secrets", "webhooks", "assistants"] {
        assert_eq!(ann.get(&format!("{SHOP}/{kind}")).await.ok()["items"], json!([]), "{kind}");
    }
    let own = server.bed.integrations.own(&Actor::admin(), Some(ProviderKind::GitLab)).await.unwrap();
    assert!(own.is_empty());
}

#[tokio::test]
async fn the_pages_do_what_the_api_does() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let ann = server.somebody("ann").await;
    assert!(ann.get("/projects").await.body.contains("Create your first project"));
    let wrong = submit(&ann, "/projects", &[("name", "../x"), ("description", "<script>alert(1)</script>")]).await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && !wrong.body.contains("<script>alert"), "{}", wrong.body);
    let made = submit(&ann, "/projects", &[("name", "shop"), ("description", "Sells.")]).await;
    assert_eq!(made.header("location"), "/projects/shop?did=project-created");
    assert!(ann.get("/projects/shop").await.body.contains("No repositories yet"));

    let nothing = ann.get("/projects/shop/repositories/add?q=app").await.body;
    assert!(nothing.contains("No account that hosts repositories is connected"), "{nothing}");
    let own = ann.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let found = ann.get("/projects/shop/repositories/add?q=app").await.body;
    assert!(found.contains(forge.path) && found.contains("name=\"integration\""), "{found}");
    let url = forge.url().to_string();
    let fields = [("url", &*url), ("integration", own["id"].as_str().unwrap()), ("q", "app")];
    let added = submit(&ann, "/projects/shop/repositories/add", &fields).await;
    assert_eq!(added.header("location"), "/projects/shop/repositories/add?q=app&did=repository-added");
    assert!(ann.get("/projects/shop/repositories/add?q=app").await.body.contains("in the project"));
    let token = "https://x:glpat-canary@gitlab.com/a/b";
    let refused = submit(&ann, "/projects/shop/repositories/add", &[("url", token)]).await;
    assert!(refused.status == StatusCode::BAD_REQUEST && !refused.body.contains("canary"), "{}", refused.body);
    let stranger = [("url", &*url), ("integration", "a\u{202e}b")];
    assert_eq!(submit(&ann, "/projects/shop/repositories/add", &stranger).await.status, StatusCode::BAD_REQUEST);

    let checked = submit(&ann, "/projects/shop/repositories/check", &[("url", &url)]).await;
    assert_eq!(checked.header("location"), "/projects/shop?did=tested");
    assert!(ann.get("/projects/shop").await.body.contains("Can push"));
    assert!(ann.get("/projects?q=sell").await.body.contains("/projects/shop"));

    let member = [("kind", "email"), ("name", "Bob@example.com"), ("role", "viewer")];
    let set = submit(&ann, "/projects/shop/members", &member).await;
    assert_eq!(set.header("location"), "/projects/shop/members?did=member-set");
    let confirm = ann.get("/projects/shop/members/remove?kind=email&name=bob%40example.com").await.body;
    assert!(confirm.contains("by this address"), "{confirm}");
    let removed =
        submit(&ann, "/projects/shop/members/remove", &[("kind", "email"), ("name", "bob@example.com")]).await;
    assert_eq!(removed.header("location"), "/projects/shop/members?did=member-removed");
    let last = submit(&ann, "/projects/shop/members", &[("kind", "person"), ("name", "ann"), ("role", "viewer")]).await;
    assert!(last.status == StatusCode::CONFLICT && last.body.contains("no admin left"), "{}", last.body);

    let settings = [("description", "New"), ("agent", "sh -c 'a b'"), ("pattern", "agents/{user}/{session}")];
    let saved = submit(&ann, "/projects/shop/settings", &settings).await;
    assert_eq!(saved.header("location"), "/projects/shop/settings?did=project-changed");
    assert!(ann.get("/projects/shop/settings").await.body.contains("agents/ann/"));
    let removed = submit(&ann, "/projects/shop/repositories/remove", &[("url", &url)]).await;
    assert_eq!(removed.header("location"), "/projects/shop?did=repository-removed");
    let deleted = submit(&ann, "/projects/shop/delete", &[("name", "shop")]).await;
    assert_eq!(deleted.header("location"), "/projects?did=project-deleted");
}
