//! What administrators see of people and decide about them, and what everybody sees of themselves.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Client, Reply, TestServer};

async fn press(client: &Client, path: &str, what: &str) -> Reply {
    let form = Some("application/x-www-form-urlencoded");
    client.send(Method::POST, path, form, format!("do={what}")).await
}

fn names(listed: &Value) -> Vec<&str> {
    listed["items"].as_array().unwrap().iter().map(|person| person["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn people_are_listed_searched_and_paged_for_administrators() {
    let server = TestServer::start().await;
    for name in ["anna", "bob"] {
        server.somebody(name).await;
    }
    let admin = server.admin();
    assert_eq!(names(&admin.get("/api/v1/people").await.ok()), ["Administrator", "anna", "bob"]);
    assert_eq!(names(&admin.get("/api/v1/people?q=BO").await.ok()), ["bob"]);
    let first = admin.get("/api/v1/people?limit=2").await.ok();
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(names(&admin.get(&format!("/api/v1/people?limit=2&cursor={cursor}")).await.ok()), ["bob"]);
    admin.get("/api/v1/people?limit=0").await.refused(400, "invalid_input");
    admin.get("/api/v1/people/nobody").await.refused(404, "not_found");
    assert_eq!(admin.get("/api/v1/people/anna").await.ok()["administratorByClaims"], false);
}

#[tokio::test]
async fn an_administrator_makes_others_and_takes_it_back() {
    let server = TestServer::start().await;
    let (admin, anna) = (server.admin(), server.somebody("anna").await);
    anna.get("/api/v1/people").await.refused(403, "forbidden");
    anna.patch("/api/v1/people/anna", json!({ "administrator": true })).await.refused(403, "forbidden");
    let appointed = admin.patch("/api/v1/people/anna", json!({ "administrator": true })).await.ok();
    assert_eq!(appointed["administrator"], true);
    anna.get("/api/v1/people").await.ok();
    anna.patch("/api/v1/people/anna", json!({ "administrator": false })).await.refused(409, "conflict");
    anna.patch("/api/v1/people/anna", json!({ "disabled": true })).await.refused(409, "conflict");
    for less in [json!({ "disabled": true }), json!({ "administrator": false })] {
        anna.patch("/api/v1/people/admin", less).await.refused(409, "conflict");
    }
    admin.patch("/api/v1/people/anna", json!({ "administrator": false })).await.ok();
    anna.get("/api/v1/people").await.refused(403, "forbidden");
    admin.patch("/api/v1/people/anna", json!({ "name": "Eve" })).await.refused(400, "invalid_input");
    assert_eq!(admin.patch("/api/v1/people/anna", json!({})).await.ok()["disabled"], false);
}

#[tokio::test]
async fn everybody_sees_who_they_are() {
    let server = TestServer::start().await;
    let admin = server.admin().get("/api/v1/me").await.ok();
    assert_eq!((&admin["id"], &admin["administrator"], &admin["roles"]), (&json!("admin"), &json!(true), &json!({})));
    let anna = server.somebody("anna").await;
    assert_eq!(anna.get("/api/v1/me").await.ok()["administrator"], false);
    let page = anna.get("/settings/profile").await;
    assert!(page.body.contains("in no project yet") && !page.body.contains("/settings/people"), "{}", page.body);
    assert_eq!(anna.get("/settings/people").await.status, StatusCode::FORBIDDEN);
    assert_eq!(anna.get("/settings").await.header("location"), "/settings/profile");
}

#[tokio::test]
async fn the_pages_do_what_the_api_does() {
    let server = TestServer::start().await;
    let (admin, anna) = (server.admin(), server.somebody("anna").await);
    let page = admin.get("/settings/people?q=ann").await.body;
    assert!(page.contains("/settings/people/anna") && !page.contains("/settings/people/admin"), "{page}");
    let disabled = press(&admin, "/settings/people/anna", "disable").await;
    assert_eq!(disabled.header("location"), "/settings/people?did=person-disabled");
    anna.get("/api/v1/me").await.refused(401, "unauthenticated");
    assert!(admin.get("/settings/people/anna").await.body.contains("value=\"enable\""));
    press(&admin, "/settings/people/anna", "enable").await;
    anna.get("/api/v1/me").await.ok();
    let refused = press(&admin, "/settings/people/admin", "disable").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body.contains("built-in administrator can&#39;t be disabled"), "{}", refused.body);
    assert_eq!(press(&admin, "/settings/people/anna", "promote").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(press(&anna, "/settings/people/anna", "appoint").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_browser_session_of_that_person() {
    let server = TestServer::start().await;
    let form = Some("application/x-www-form-urlencoded");
    server.somebody("anna").await;
    let browser = async |who: &str| {
        let form_text = format!("token=the-token-of-{who}");
        let reply = server.anonymous().send(Method::POST, "/sign-in", form, form_text).await;
        let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
        server.anonymous().with("cookie", &cookie)
    };
    let (desk, phone) = (browser("anna").await, browser("anna").await);
    server.somebody("bob").await;
    let other = browser("bob").await;
    let profile = desk.get("/settings/profile").await.body;
    assert_eq!(
        (
            profile.matches("API token</p>").count() + profile.matches("API token <span").count(),
            profile.matches("this browser").count()
        ),
        (2, 1),
        "{profile}"
    );
    let reply = desk.press("/settings/profile/sign-out-everywhere").await;
    assert_eq!(reply.header("location"), "/sign-in?did=signed-out-everywhere");
    for ended in [&desk, &phone] {
        ended.get("/api/v1/me").await.refused(401, "unauthenticated");
    }
    other.get("/api/v1/me").await.ok();
    assert!(server.anonymous().get("/sign-in?did=signed-out-everywhere").await.body.contains("in every browser"));
}

#[tokio::test]
async fn a_token_that_may_do_less_begins_no_browser_session() {
    let server = TestServer::start().await;
    for less in [json!({ "access": "read" }), json!({ "project": "default" })] {
        let mut new = json!({ "name": "less" });
        new.as_object_mut().unwrap().extend(less.as_object().unwrap().clone());
        let token = server.admin().post("/api/v1/tokens", new).await.created()["token"].as_str().unwrap().to_owned();
        let form = Some("application/x-www-form-urlencoded");
        let reply = server.anonymous().send(Method::POST, "/sign-in", form, format!("token={token}")).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert!(!reply.headers.contains_key("set-cookie"));
    }
}
