//! What is sent, byte for byte, and what is made of the answer.

use super::*;
use crate::testing::{answer, json};

const TOKENS: &str = r#"{"access_token":"a","expires_in":60,"refresh_token":"r","token_type":"bearer"}"#;

async fn giving_tokens() -> Fixture {
    Fixture::new(|_| json(200, "", TOKENS)).await
}

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn a_code_is_exchanged_with_the_secret_in_the_form() {
    let at = giving_tokens().await;
    let tokens = at.exchange().await.unwrap();
    assert_eq!((open(&tokens.access), tokens.refresh.as_ref().map(open)), ("a", Some("r")));
    assert_eq!(
        at.body(),
        "grant_type=authorization_code&code=canary-code%2F2%2B%3D&redirect_uri=https%3A%2F%2Fkeys.test%2Foauth%2Fcallback\
         &code_verifier=canary-verifier&client_id=an+id&client_secret=canary-secret%2F1%2B%3D"
    );
    let seen = &at.server.requests()[0];
    assert_eq!(seen.line, "POST /token");
    assert_eq!(header(seen, "accept"), Some("application/json"));
    assert_eq!(header(seen, "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(header(seen, "authorization"), None);
}

#[tokio::test]
async fn a_code_is_exchanged_with_the_secret_in_the_header() {
    let mut at = giving_tokens().await;
    at.profile.client_auth = ClientAuth::Basic;
    at.exchange().await.unwrap();
    assert!(!at.body().contains("client_") && !at.body().contains("canary-secret"));
    // `an+id:canary-secret%2F1%2B%3D`
    let wanted = "Basic YW4raWQ6Y2FuYXJ5LXNlY3JldCUyRjElMkIlM0Q=";
    assert_eq!(header(&at.server.requests()[0], "authorization"), Some(wanted));
}

#[tokio::test]
async fn a_code_is_exchanged_in_json() {
    let mut at = giving_tokens().await;
    at.profile.client_auth = ClientAuth::Json;
    at.profile.pkce = PkceUse::Unsupported;
    at.exchange().await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&at.body()).unwrap();
    let wanted = serde_json::json!({
        "grant_type": "authorization_code", "code": CODE, "redirect_uri": REDIRECT, "client_id": "an id",
        "client_secret": SECRET,
    });
    assert_eq!(body, wanted);
    assert_eq!(header(&at.server.requests()[0], "content-type"), Some("application/json"));
}

#[tokio::test]
async fn an_app_without_a_secret_names_itself() {
    for auth in [ClientAuth::Basic, ClientAuth::Form] {
        let mut at = giving_tokens().await;
        (at.profile.client_auth, at.secret) = (auth, None);
        at.refresh().await.unwrap();
        assert_eq!(at.body(), "grant_type=refresh_token&refresh_token=canary-refresh%2F3%2B%3D&client_id=an+id");
        assert_eq!(header(&at.server.requests()[0], "authorization"), None);
    }
}

#[tokio::test]
async fn a_refresh_repeats_the_redirect_address_only_where_it_is_wanted() {
    for wanted in [true, false] {
        let mut at = giving_tokens().await;
        at.profile.refresh_wants_redirect_uri = wanted;
        let tokens = at.refresh().await.unwrap();
        assert_eq!(at.body().contains("redirect_uri=https%3A%2F%2Fkeys.test%2Foauth%2Fcallback"), wanted);
        assert_eq!(tokens.refresh.as_ref().map(open), Some("r"));
    }
}

#[tokio::test]
async fn the_old_refresh_token_is_kept_where_none_is_returned() {
    let at = Fixture::new(|_| json(200, "", r#"{"access_token":"a"}"#)).await;
    assert_eq!(at.refresh().await.unwrap().refresh.as_ref().map(open), Some(REFRESH));
    assert!(at.exchange().await.unwrap().refresh.is_none());
}

#[tokio::test]
async fn a_refresh_token_that_is_returned_unchanged_is_not_struck_out() {
    let body = format!(r#"{{"access_token":"a","refresh_token":"{REFRESH}"}}"#);
    let at = Fixture::new(move |_| json(200, "", &body)).await;
    assert_eq!(at.refresh().await.unwrap().refresh.as_ref().map(open), Some(REFRESH));
}

async fn revoked(at: &Fixture) -> Result<Revoked, OAuthError> {
    at.client().revoke(&"canary-access".into(), Some(&REFRESH.into())).await
}

#[tokio::test]
async fn revoking_takes_both_tokens_one_after_the_other() {
    let mut at = Fixture::new(|_| json(200, "", "{}")).await;
    at.profile.revocation = Some(Revocation::Standard { url: at.at("/revoke") });
    assert_eq!(revoked(&at).await, Ok(Revoked::Done));
    let bodies: Vec<_> = at.server.requests().into_iter().map(|seen| String::from_utf8(seen.body).unwrap()).collect();
    let app = "client_id=an+id&client_secret=canary-secret%2F1%2B%3D";
    assert_eq!(
        bodies,
        [
            format!("token=canary-refresh%2F3%2B%3D&token_type_hint=refresh_token&{app}"),
            format!("token=canary-access&token_type_hint=access_token&{app}"),
        ]
    );
}

#[tokio::test]
async fn a_token_that_google_no_longer_knows_is_not_known() {
    let gone = r#"{"error":"invalid_token","error_description":"Token expired or revoked"}"#;
    let mut at = Fixture::new(|_| json(400, "", gone)).await;
    at.profile.revocation = Some(Revocation::Standard { url: at.at("/revoke") });
    assert_eq!(revoked(&at).await, Ok(Revoked::NotKnown));

    // The refresh token takes the access token with it.
    let mut at = Fixture::new(|seen| {
        let first = seen.body.ends_with(b"refresh_token&client_id=an+id&client_secret=canary-secret%2F1%2B%3D");
        if first { json(200, "", "{}") } else { json(400, "", gone) }
    })
    .await;
    at.profile.revocation = Some(Revocation::Standard { url: at.at("/revoke") });
    assert_eq!(revoked(&at).await, Ok(Revoked::Done));
}

#[tokio::test]
async fn github_ends_the_whole_grant() {
    let mut at = Fixture::new(|_| answer(204, "", "")).await;
    at.profile.revocation = Some(Revocation::GitHubGrant { url: at.at("/applications") });
    assert_eq!(revoked(&at).await, Ok(Revoked::Done));
    assert_eq!(at.body(), r#"{"access_token":"canary-access"}"#);
    let seen = &at.server.requests()[0];
    assert_eq!(seen.line, "DELETE /applications/an%20id/grant");
    assert!(header(seen, "authorization").unwrap().starts_with("Basic "));

    at.secret = None;
    assert!(matches!(revoked(&at).await, Err(OAuthError::ClientRejected { .. })));
}

#[tokio::test]
async fn github_may_not_know_the_token() {
    let mut at = Fixture::new(|_| json(404, "", r#"{"message":"Not Found","status":"404"}"#)).await;
    at.profile.revocation = Some(Revocation::GitHubGrant { url: at.at("/applications") });
    assert_eq!(revoked(&at).await, Ok(Revoked::NotKnown));
}

#[tokio::test]
async fn slack_says_whether_something_was_revoked() {
    let cases = [
        (r#"{"ok":true,"revoked":true}"#, Ok(Revoked::Done)),
        (r#"{"ok":true,"revoked":false}"#, Ok(Revoked::NotKnown)),
        (r#"{"ok":false,"error":"token_revoked"}"#, Ok(Revoked::NotKnown)),
        (r#"{"ok":false,"error":"ratelimited"}"#, Err(OAuthError::RateLimited { retry_after_seconds: None })),
        ("hello", Err(OAuthError::NotOAuth { status: 200, saw: "neither JSON nor a form" })),
    ];
    for (body, wanted) in cases {
        let mut at = Fixture::new(move |_| json(200, "", body)).await;
        at.profile.revocation = Some(Revocation::SlackAuth { url: at.at("/api/auth.revoke") });
        assert_eq!(revoked(&at).await, wanted, "{body}");
        assert_eq!(header(&at.server.requests()[0], "authorization"), Some("Bearer canary-access"));
        assert_eq!(at.body(), "");
    }
}

#[tokio::test]
async fn what_cannot_be_revoked_is_said_and_a_web_page_is_no_yes() {
    let mut at = Fixture::new(|_| answer(200, "Content-Type: text/html", "<html>welcome</html>")).await;
    assert_eq!(revoked(&at).await, Ok(Revoked::NotOffered));
    assert_eq!(at.server.requests().len(), 0);
    at.profile.revocation = Some(Revocation::Standard { url: at.at("/revoke") });
    assert_eq!(revoked(&at).await, Err(OAuthError::NotOAuth { status: 200, saw: "a web page" }));
}
