use http::{Method, StatusCode};
use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn an_unknown_address_is_a_problem_document() {
    let server = TestServer::start().await;
    for path in ["/api/v1/nothing", "/api/v2/tokens", "/api/v1/tokens/", "/api/v1/projects/../tokens", "/nothing"] {
        server.admin().get(path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let server = TestServer::start().await;
    let reply = server.admin().patch("/api/v1/tokens", json!({})).await;
    let mut allowed: Vec<_> = reply.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    reply.refused(405, "invalid_input");
}

#[tokio::test]
async fn a_body_is_json_of_a_bounded_size_and_depth() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let post = async |media_type: Option<&str>, body: String| {
        admin.send(Method::POST, "/api/v1/tokens", media_type, body).await
    };
    const JSON: Option<&str> = Some("application/json");
    post(JSON, "{".into()).await.refused(400, "invalid_input");
    post(JSON, String::new()).await.refused(400, "invalid_input");
    post(JSON, r#"{"name": "a"} {"name": "b"}"#.into()).await.refused(400, "invalid_input");
    post(JSON, "[".repeat(200_000)).await.refused(400, "invalid_input");
    let deep = format!(r#"{{"name": {}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    post(JSON, deep).await.refused(400, "invalid_input");
    post(JSON, format!(r#"{{"name": "{}"}}"#, "a".repeat(1 << 20))).await.refused(413, "too_large");
    post(Some("text/plain"), r#"{"name": "a"}"#.into()).await.refused(415, "invalid_input");
    post(None, r#"{"name": "a"}"#.into()).await.refused(415, "invalid_input");
    post(Some("application/x-www-form-urlencoded"), "name=a".into()).await.refused(415, "invalid_input");
    post(Some("application/json; charset=utf-8"), r#"{"name": "a"}"#.into()).await.created();
}

#[tokio::test]
async fn a_refusal_never_repeats_a_token_in_the_wrong_place() {
    let server = TestServer::start().await;
    let token = "glpat-canary0123456789abcdef";
    for body in [
        json!({"provider": token, "auth": {"method": "pat", "token": "x"}}),
        json!({"provider": "gitlab", "auth": token}),
        json!({"provider": "gitlab", "auth": {"method": token}}),
        json!({"provider": "gitlab", "instanceUrl": format!("https://oauth2:{token}@gitlab.com"), "auth": {"method": "pat", "token": "x"}}),
        json!({"provider": "gitlab", "alias": format!("{token}\n"), "project": token, "auth": {"method": "pat", "token": "x"}}),
        json!({token: 1}),
    ] {
        let reply = server.admin().post("/api/v1/integrations", body).await;
        assert!(!reply.body.contains("canary"), "{}", reply.body);
        reply.refused(400, "invalid_input");
    }
    let reply = server.admin().get(&format!("/api/v1/integrations?provider={token}&limit={token}")).await;
    assert!(!reply.body.contains("canary"), "{}", reply.body);
}

#[tokio::test]
async fn query_parameters_are_checked() {
    let server = TestServer::start().await;
    for query in
        ["limit=0", "limit=201", "limit=-1", "limit=x", "cursor=x", "cursor=", "cursor=%27%20OR%201%3D1", "nothing=1"]
    {
        for path in ["/api/v1/integrations", "/api/v1/tokens", "/api/v1/projects/default/sessions"] {
            server.admin().get(&format!("{path}?{query}")).await.refused(400, "invalid_input");
        }
    }
    server.admin().get("/api/v1/tokens?limit=200").await.ok();
}

#[tokio::test]
async fn every_answer_forbids_what_a_browser_could_be_tricked_into() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/api/v1/tokens", "/nothing", "/api/docs"] {
        let reply = server.anonymous().get(path).await;
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn health_readiness_and_metrics_need_no_token() {
    let server = TestServer::start().await;
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/healthz").await.ok(), json!({"status": "ok", "version": "1.2.3"}));
    anonymous.get("/readyz").await.ok();
    anonymous.get("/api/v1/tokens").await.refused(401, "unauthenticated");
    anonymous.get("/api/v1/sneaky/label").await.refused(404, "not_found");
    anonymous.send(Method::from_bytes(b"SNEAKY").unwrap(), "/healthz", None, "").await.refused(405, "invalid_input");
    let metrics = anonymous.get("/metrics").await;
    assert_eq!(metrics.status, StatusCode::OK);
    for line in [
        r#"valetkey_build_info{version="1.2.3"} 1"#,
        r#"valetkey_http_requests_total{method="GET",route="/healthz",status="200"} 1"#,
        r#"valetkey_http_requests_total{method="GET",route="/api/v1/tokens",status="401"} 1"#,
        r#"valetkey_http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"valetkey_http_requests_total{method="other",route="/healthz",status="405"} 1"#,
    ] {
        assert!(metrics.body.contains(line), "{line}\n{}", metrics.body);
    }
    assert!(!metrics.body.contains("sneaky") && !metrics.body.contains("SNEAKY"));
}

#[tokio::test]
async fn a_server_without_its_database_is_alive_but_not_ready() {
    let server = TestServer::start().await;
    server.bed.store.close().await;
    server.anonymous().get("/healthz").await.ok();
    server.anonymous().get("/readyz").await.refused(503, "internal");
}
