use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use valetkey_model::Clock as _;
use valetkey_server::{Permission, as_admin, summaries};

use crate::harness::TestServer;

/// The address of a route with every part that varies filled in.
fn address(path: &str) -> String {
    let fill = |part: &str| match part {
        "{project}" => "default".to_owned(),
        _ if part.starts_with('{') => "018f0000-0000-7000-8000-000000000000".to_owned(),
        _ => part.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn whatever_is_not_public_asks_for_a_sign_in() {
    let server = TestServer::start().await;
    let guarded: Vec<_> = summaries().into_iter().filter(|route| route.permission != Permission::Public).collect();
    assert!(guarded.len() > 25, "the table was read");
    for route in guarded {
        let reply = server.anonymous().send(route.method.clone(), &address(route.path), None, "").await;
        if route.page {
            let way_in = reply.header("location").split('?').next();
            assert_eq!((reply.status, way_in), (StatusCode::SEE_OTHER, Some("/sign-in")), "{route:?}");
        } else {
            assert_eq!(reply.header("www-authenticate"), "Bearer", "{route:?}");
            reply.refused(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn only_what_must_be_is_public() {
    let public: Vec<_> =
        summaries().into_iter().filter(|route| route.permission == Permission::Public && !route.page).collect();
    let mut paths: Vec<_> =
        public.iter().map(|route| route.path).filter(|path| !path.starts_with("/assets/")).collect();
    paths.sort_unstable();
    let wanted = ["/api/docs", "/api/docs.css", "/api/openapi.json", "/favicon.ico", "/healthz", "/metrics", "/readyz"];
    assert_eq!(paths, wanted);
}

#[tokio::test]
async fn a_header_that_claims_an_identity_is_ignored() {
    let server = TestServer::start().await;
    for name in
        ["x-forwarded-user", "x-forwarded-email", "x-remote-user", "x-forwarded-access-token", "impersonate-user"]
    {
        server.anonymous().with(name, "admin").get("/api/v1/tokens").await.refused(401, "unauthenticated");
        server.bearer("any-token").with(name, "admin").get("/api/v1/tokens").await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_bearer_token_must_be_whole_and_of_its_scheme() {
    let server = TestServer::start().await;
    server.admin().get("/api/v1/tokens").await.ok();
    server.anonymous().with("authorization", "bearer the-administrators-token").get("/api/v1/tokens").await.ok();
    for wrong in [
        "Bearer the-administrators-toke",
        "Bearer the-administrators-token-",
        "Bearer ",
        "Bearer",
        "the-administrators-token",
        "Basic YWRtaW46dGhlLWFkbWluaXN0cmF0b3JzLXRva2Vu",
    ] {
        let client = server.anonymous().with("authorization", wrong);
        client.get("/api/v1/tokens").await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn an_api_token_works_until_it_ends_or_is_deleted() {
    let server = TestServer::start().await;
    let expires = server.bed.clock.now() + SignedDuration::from_hours(1);
    let made = server.admin().post("/api/v1/tokens", json!({"name": "ci", "expiresAt": expires})).await.created();
    let client = server.bearer(made["token"].as_str().unwrap());
    client.get("/api/v1/tokens").await.ok();
    server.bed.clock.advance(SignedDuration::from_hours(1));
    client.get("/api/v1/tokens").await.refused(401, "unauthenticated");

    let made = server.admin().post("/api/v1/tokens", json!({"name": "ci"})).await.created();
    let client = server.bearer(made["token"].as_str().unwrap());
    client.get("/api/v1/tokens").await.ok();
    server.admin().delete(&format!("/api/v1/tokens/{}", made["id"].as_str().unwrap())).await.nothing();
    client.get("/api/v1/tokens").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn callers_inside_the_process_need_no_token() {
    let server = TestServer::start().await;
    let request = Request::get("/api/v1/projects").body(Body::empty()).unwrap();
    let response = as_admin(server.router.clone()).oneshot(request).await.unwrap();
    let body: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(body["items"][0]["name"], "default");
}
