use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::{Client, PUBLIC_URL, Reply, TestServer};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

/// The path of a fresh sign-in link.
async fn link(server: &TestServer) -> String {
    let link = server.app.sign_in_link().await.expect("a link");
    link.strip_prefix(PUBLIC_URL).expect("the public URL").to_owned()
}

#[track_caller]
fn cookie(reply: &Reply) -> String {
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/"), "{}", reply.body);
    reply.header("set-cookie").split(';').next().expect("a value").to_owned()
}

async fn signed_in(server: &TestServer) -> Client {
    let reply = server.anonymous().press(&link(server).await).await;
    server.anonymous().with("cookie", &cookie(&reply))
}

#[tokio::test]
async fn a_link_signs_one_browser_in_once() {
    let server = TestServer::start().await;
    let link = link(&server).await;
    for _ in 0..2 {
        assert_eq!(server.anonymous().get(&link).await.status, StatusCode::OK, "looking at it uses nothing up");
    }
    let reply = server.anonymous().press(&link).await;
    let browser = server.anonymous().with("cookie", &cookie(&reply));
    browser.get("/api/v1/tokens").await.ok();
    let again = server.anonymous().press(&link).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(!again.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn forged_and_late_links_are_refused() {
    let server = TestServer::start().await;
    let late = link(&server).await;
    server.bed.clock.advance(SignedDuration::from_mins(15));
    for path in [&*late, "/sign-in/vks_forged", "/sign-in/%00", "/sign-in/' OR 1=1".replace(' ', "%20").as_str()] {
        let reply = server.anonymous().press(path).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!reply.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn an_api_token_signs_in_too() {
    let server = TestServer::start().await;
    let token = server.admin().post("/api/v1/tokens", json!({"name": "mine"})).await.created()["token"].clone();
    let sign_in =
        async |token: &str| server.anonymous().send(Method::POST, "/sign-in", FORM, format!("token={token}")).await;
    let reply = sign_in(token.as_str().unwrap()).await;
    server.anonymous().with("cookie", &cookie(&reply)).get("/api/v1/tokens").await.ok();
    for wrong in ["", "vk_forged"] {
        assert_eq!(sign_in(wrong).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let server = TestServer::start().await;
    let reply = server.anonymous().press(&link(&server).await).await;
    let attributes: Vec<_> = reply.header("set-cookie").split("; ").skip(1).collect();
    assert_eq!(attributes, ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000"]);

    let server = TestServer::with_url("https://valetkey.example.com").await;
    let link = server.app.sign_in_link().await.unwrap();
    let path = link.strip_prefix("https://valetkey.example.com").unwrap();
    assert!(server.anonymous().press(path).await.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let server = TestServer::start().await;
    let browser = signed_in(&server).await;
    browser.get("/api/v1/tokens").await.ok();
    let reply = browser.press("/sign-out").await;
    assert!(reply.header("set-cookie").contains("Max-Age=0"));
    browser.get("/api/v1/tokens").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_browser_session_ends_after_thirty_days() {
    let server = TestServer::start().await;
    let browser = signed_in(&server).await;
    server.bed.clock.advance(SignedDuration::from_hours(30 * 24 - 1));
    browser.get("/api/v1/tokens").await.ok();
    server.bed.clock.advance(SignedDuration::from_hours(1));
    browser.get("/api/v1/tokens").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn forged_cookies_and_wrong_bearer_tokens_do_not_count() {
    let server = TestServer::start().await;
    for forged in ["valetkey_session=forged", "valetkey_session=", "valetkey_session", "other=1; valetkey_session=x"] {
        server.anonymous().with("cookie", forged).get("/api/v1/tokens").await.refused(401, "unauthenticated");
    }
    let browser = signed_in(&server).await;
    browser.with("authorization", "Bearer wrong").get("/api/v1/tokens").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn another_site_s_page_can_not_act_through_the_cookie() {
    let server = TestServer::start().await;
    let browser = signed_in(&server).await;
    let make = json!({"name": "theirs"});
    for attack in [
        browser.clone().with("sec-fetch-site", "cross-site"),
        browser.clone().with("sec-fetch-site", "same-site"),
        browser.clone().with("origin", "https://evil.test"),
        browser.clone().with("origin", "null"),
        browser.clone().with("origin", "http://127.0.0.1:8080.evil.test"),
    ] {
        attack.post("/api/v1/tokens", make.clone()).await.refused(403, "forbidden");
        assert_eq!(attack.press("/sign-out").await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.get("/api/v1/tokens").await.ok()["items"], json!([]));
    browser.clone().with("sec-fetch-site", "same-origin").post("/api/v1/tokens", make.clone()).await.created();
    browser.clone().with("origin", PUBLIC_URL).post("/api/v1/tokens", make.clone()).await.created();
    server.admin().post("/api/v1/tokens", make).await.created();
}
