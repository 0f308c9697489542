//! People behind a reverse proxy that says who they are.

use serde_json::json;
use valetkey_model::Admission;
use valetkey_seal::Secret;
use valetkey_server::{SignIn, TrustedProxy};

use crate::harness::{Client, TestServer};

const SECRET: &str = "the secret of the proxy";

async fn server() -> TestServer {
    let header = |name: &'static str| http::HeaderName::from_static(name);
    let proxy = TrustedProxy {
        secret: Secret::from(SECRET),
        user: header("x-forwarded-user"),
        email: Some(header("x-forwarded-email")),
        name: None,
        groups: Some(header("x-forwarded-groups")),
        admission: Admission::everybody().administrators([], ["ops".to_owned()]),
    };
    TestServer::start().await.with_sign_in(SignIn { identity_provider: None, proxy: Some(proxy) })
}

/// What the proxy passes on for somebody.
fn through_proxy(server: &TestServer, user: &str) -> Client {
    server.anonymous().with("x-valetkey-proxy-secret", SECRET).with("x-forwarded-user", user)
}

#[tokio::test]
async fn the_proxy_s_word_counts_with_its_secret() {
    let server = server().await;
    let anna = through_proxy(&server, "anna").with("x-forwarded-email", "anna@example.com");
    let me = anna.get("/api/v1/me").await.ok();
    assert_eq!((&me["email"], &me["administrator"]), (&json!("anna@example.com"), &json!(false)));
    assert_eq!(anna.get("/api/v1/me").await.ok()["id"], me["id"], "the same person again");
    assert_ne!(through_proxy(&server, "bob").get("/api/v1/me").await.ok()["id"], me["id"]);
    assert_eq!(anna.clone().with("x-forwarded-groups", "dev,ops").get("/api/v1/me").await.ok()["administrator"], true);
    assert_eq!(anna.get("/api/v1/me").await.ok()["administrator"], false);
    assert!(anna.get("/settings/profile").await.body.contains("the trusted proxy"));
    anna.post("/api/v1/tokens", json!({ "name": "mine" })).await.created();
}

#[tokio::test]
async fn without_the_secret_its_headers_are_ignored() {
    let server = server().await;
    through_proxy(&server, "victim").get("/api/v1/me").await.ok();
    let victim = server.anonymous().with("x-forwarded-user", "victim").with("x-forwarded-email", "victim@example.com");
    victim.get("/api/v1/me").await.refused(401, "unauthenticated");
    for wrong in ["", "wrong", "the secret of the prox", "The secret of the proxy", "the secret of the proxy2"] {
        let attack = victim.clone().with("x-valetkey-proxy-secret", wrong);
        attack.get("/api/v1/me").await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_token_says_who_it_is_whatever_the_headers_say() {
    let server = server().await;
    let victim = through_proxy(&server, "victim").get("/api/v1/me").await.ok()["id"].clone();
    let somebody = server.somebody("somebody").await;
    for attack in [
        somebody.clone().with("x-forwarded-user", "victim"),
        somebody.clone().with("x-forwarded-user", "victim").with("x-valetkey-proxy-secret", SECRET),
    ] {
        let me = attack.get("/api/v1/me").await.ok();
        assert_eq!(me["id"], "somebody");
        assert_ne!(me["id"], victim);
    }
    let wrong = server.bearer("any-token").with("x-forwarded-user", "victim").with("x-valetkey-proxy-secret", SECRET);
    wrong.get("/api/v1/me").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn nobody_becomes_the_built_in_administrator_by_a_header() {
    let server = server().await;
    let me = through_proxy(&server, "admin").get("/api/v1/me").await.ok();
    assert_eq!((me["id"] == "admin", &me["administrator"]), (false, &json!(false)));
}

#[tokio::test]
async fn whoever_is_disabled_is_out_behind_the_proxy_too() {
    let server = server().await;
    let anna = through_proxy(&server, "anna");
    let id = anna.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    server.admin().patch(&format!("/api/v1/people/{id}"), json!({ "disabled": true })).await.ok();
    anna.get("/api/v1/me").await.refused(401, "unauthenticated");
}
