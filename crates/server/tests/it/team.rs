//! Two people and an administrator: a project, an integration that it shares, and what each has of their own.

use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{AccessLevel, Repository, Token, User};

use crate::harness::{Client, TestServer, connect_body};

const PROJECT: &str = "/api/v1/projects/shop";

/// Somebody at the forge with a token of their own, who may push to its repository.
fn at_the_forge(forge: &ForgeBed, name: &str) -> String {
    let account = forge.twin.user(User::new(name).email(&format!("{name}@example.test")));
    forge.twin.repository(
        &format!("team/of-{name}"),
        Repository::new().private().file("README.md", "# It\n").member(&account, AccessLevel::Developer),
    );
    forge.twin.token(&account, Token::generated().scopes(["api"]))
}

fn own(forge: &ForgeBed, token: &str, alias: &str) -> Value {
    let mut body = connect_body(forge);
    body["auth"]["token"] = json!(token);
    body["alias"] = json!(alias);
    body
}

/// Runs a session to its end; what its API says of it then.
async fn session(by: &Client, repository: &str) -> Value {
    let body = json!({"task": "t", "repositories": [{"url": repository}]});
    let made = by.post(&format!("{PROJECT}/sessions"), body).await.created();
    let one = format!("{PROJECT}/sessions/{}", made["id"].as_str().unwrap());
    by.listen(&format!("{one}/events")).await.into_body().collect().await.expect("all events");
    by.get(&one).await.ok()
}

fn reason(session: &Value) -> &str {
    session["repositories"][0]["integrationReason"].as_str().unwrap_or_else(|| panic!("{session}"))
}

#[tokio::test]
async fn a_team_shares_an_integration_and_each_overrides_it_with_their_own() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let (admin, ann, bob) = (server.admin(), server.somebody("ann").await, server.somebody("bob").await);

    // The administrator makes a project, lets the two in, and connects what it shares.
    admin.post("/api/v1/projects", json!({"name": "shop"})).await.created();
    for name in ["ann", "bob"] {
        let member = json!({"kind": "person", "name": name, "role": "member"});
        let answer = admin.post(&format!("{PROJECT}/members"), member).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }
    let mut shared = own(&forge, &forge.token, "Shop bot");
    shared["scope"] = json!("project");
    shared["project"] = json!("shop");
    let shared = admin.post("/api/v1/integrations", shared).await.created();

    // Both use it, and see why.
    let app = forge.url().to_string();
    for by in [&ann, &bob] {
        let done = session(by, &app).await;
        assert_eq!((&done["phase"], &done["repositories"][0]["integration"]), (&json!("Completed"), &shared["id"]));
        assert_eq!(
            reason(&done),
            "'Shop bot' is the only Project integration for ".to_owned() + forge.twin.url() + "."
        );
    }

    // Each overrides it: one everywhere, the other in this project.
    let everywhere =
        ann.post("/api/v1/integrations", own(&forge, &at_the_forge(&forge, "ann"), "Client X")).await.created();
    let mut here = own(&forge, &at_the_forge(&forge, "bob"), "Mine");
    here["scope"] = json!("user");
    here["project"] = json!("shop");
    let here = bob.post("/api/v1/integrations", here).await.created();
    for (by, name, mine, level) in [
        (&ann, "ann", &everywhere, "User Global integration"),
        (&bob, "bob", &here, "User integration of this project"),
    ] {
        let done = session(by, &forge.url_of(&format!("team/of-{name}")).to_string()).await;
        assert_eq!(
            (&done["phase"], &done["repositories"][0]["integration"]),
            (&json!("Completed"), &mine["id"]),
            "{done}"
        );
        assert_eq!(reason(&done), format!("The account {name} is the only {level} for {}.", forge.twin.url()));
        let path = format!("/api/v1/integrations/resolve?project=shop&url={}", forge.twin.url());
        let resolved = by.get(&path).await.ok();
        assert_eq!(resolved["integration"]["id"], mine["id"]);
        assert!(!resolved["steps"].as_array().unwrap().is_empty());
    }

    // What is one's own is nobody else's to know of, by any way: not the other's, not the administrator's.
    let theirs = everywhere["id"].as_str().unwrap();
    for by in [&bob, &admin] {
        by.get(&format!("/api/v1/integrations/{theirs}")).await.refused(404, "not_found");
        for path in [
            "/api/v1/integrations?limit=200",
            "/api/v1/integration-events?limit=200",
            "/integrations",
            "/integrations?tab=project",
            "/sessions",
            &format!("{PROJECT}/sessions"),
            "/",
            "/projects/shop",
            "/api/v1/projects/shop/members",
        ] {
            let shown = by.get(path).await.body;
            assert!(
                !shown.contains("Client X") && !shown.contains(&format!("/integrations/{theirs}")),
                "{path}: {shown}"
            );
        }
    }
    let log = admin.get(&format!("{PROJECT}/sessions?limit=200")).await.ok();
    for it in log["items"].as_array().unwrap() {
        let page = admin.get(&format!("/sessions/{}", it["id"].as_str().unwrap())).await.body;
        let text = admin.get(&format!("/sessions/{}/log", it["id"].as_str().unwrap())).await.body;
        assert!(!page.contains("Client X") && !text.contains("Client X"), "{page}{text}");
    }

    // Whoever leaves has nothing of the project any more.
    let gone = admin.delete(&format!("{PROJECT}/members?kind=person&name=ann")).await;
    assert!(gone.status.is_success(), "{}", gone.body);
    ann.get(PROJECT).await.refused(404, "not_found");
    ann.get(&format!("/api/v1/integrations/{}", shared["id"].as_str().unwrap())).await.refused(404, "not_found");
    assert_eq!(ann.get("/api/v1/integrations").await.ok()["items"].as_array().unwrap().len(), 1, "their own");
    server.shut_down().await;
}

#[tokio::test]
async fn what_would_all_do_is_listed_for_who_asks_and_for_nobody_else() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    admin.post("/api/v1/integrations", own(&forge, &forge.token, "Client X")).await.created();
    admin.post("/api/v1/integrations", own(&forge, &at_the_forge(&forge, "ann"), "Client Y")).await.created();
    let sessions = "/api/v1/projects/default/sessions";
    let body = json!({"task": "t", "repositories": [{"url": forge.url().to_string()}]});
    let refusal = admin.post(sessions, body).await.refused(409, "integration_ambiguous");
    let detail = refusal["detail"].as_str().unwrap();
    assert!(detail.contains("'Client X'") && detail.contains("'Client Y'"), "{detail}");
    assert_eq!(admin.get(sessions).await.ok()["items"], json!([]), "no session keeps it for others to read");
    server.shut_down().await;
}
