//! Google's authorization server, and what it tells of a token.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Google, SCOPE, subject};
use crate::oauth::{
    self, Dialect, Issued, Lifetimes, Minted, Paths, Place, Refusal, Rotation, TokenLife, bearer, plain,
};
use crate::seed::Seed;
use crate::{auth, limits};

pub(super) const ACCESS_LIFETIME: u64 = 3_599;
/// Refresh tokens of an app whose publishing status is "Testing".
pub(super) const TESTING_LIFETIME: u64 = 604_799;

/// Docs: "Using OAuth 2.0 for Web Server Applications", "OAuth 2.0 for TV and Limited-Input Device Applications".
pub(super) fn dialect() -> Dialect {
    Dialect {
        credentials: &[Place::Body, Place::Basic],
        refusal: Box::new(word),
        success,
        device_success: |start| {
            json!({
                "device_code": start.device_code, "user_code": start.user_code,
                "verification_url": start.verification_uri, "expires_in": start.expires_in, "interval": start.interval,
            })
        },
        rotation: Rotation::Never,
        reuse_ends_family: false,
        refreshable: |asked, _, first| {
            // A device asks for nothing: it always stays.
            let parameter = |name: &str| asked.get(name).map(String::as_str);
            let again = first || parameter("prompt").is_some_and(|prompt| prompt.contains("consent"));
            asked.is_empty() || (parameter("access_type") == Some("offline") && again)
        },
        revocation_needs_client: false,
        unknown_revocation_is_error: true,
        lifetimes: Lifetimes { access: Some(ACCESS_LIFETIME), refresh: None, device: 1_800 },
        mint: Box::new(|what, _| mint(what)),
        ..Dialect::standard(Paths {
            authorize: "/o/oauth2/v2/auth",
            token: "/token",
            device: Some("/device/code"),
            verification: "/device",
            revoke: Some("/revoke"),
        })
    }
}

fn mint(what: Minted) -> String {
    let mut seed = Seed::random();
    match what {
        Minted::ClientId => format!("{}.apps.googleusercontent.com", seed.hex(32)),
        Minted::ClientSecret => format!("GOCSPX-{}", seed.alphanumeric(28)),
        Minted::Code => format!("4/0{}", seed.alphanumeric(70)),
        Minted::Access => format!("ya29.{}", seed.alphanumeric(160)),
        Minted::Refresh => format!("1//0{}", seed.alphanumeric(90)),
        Minted::DeviceCode | Minted::UserCode => plain(what),
    }
}

fn success(issued: &Issued) -> Value {
    let mut body = bearer(issued);
    let scopes: Vec<_> = issued.scopes.iter().map(|scope| written(scope)).collect();
    body["scope"] = json!(scopes.join(" "));
    if let Some(seconds) = issued.refresh_expires_in {
        body["refresh_token_expires_in"] = json!(seconds);
    }
    if issued.scopes.iter().any(|scope| scope == "openid") {
        body["id_token"] = json!(id_token(issued));
    }
    body
}

/// Answers name two scopes otherwise than requests may.
fn written(scope: &str) -> String {
    match scope {
        "email" | "profile" => format!("{SCOPE}userinfo.{scope}"),
        other => other.to_owned(),
    }
}

/// A token in the form of one that is signed; the signature is noise.
fn id_token(issued: &Issued) -> String {
    let account = &issued.granted.account;
    let now = limits::in_seconds(0).as_second();
    let claims = json!({
        "iss": "https://accounts.google.com",
        "azp": issued.granted.client_id,
        "aud": issued.granted.client_id,
        "sub": subject(account),
        "email": account.email,
        "email_verified": true,
        "iat": now,
        "exp": now + 3_600,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "RS256", "kid": "twin", "typ": "JWT"});
    format!("{}.{}.{}", part(&header), part(&claims), Seed::random().alphanumeric(342))
}

fn word(refusal: &Refusal) -> (StatusCode, Value) {
    let (status, error, description) = match refusal {
        Refusal::BadRefreshToken => (StatusCode::BAD_REQUEST, "invalid_grant", "Token has been expired or revoked."),
        Refusal::BadCode => (StatusCode::BAD_REQUEST, "invalid_grant", "Malformed auth code."),
        Refusal::RedirectMismatch => (StatusCode::BAD_REQUEST, "redirect_uri_mismatch", "Bad Request"),
        Refusal::UnknownClient => (StatusCode::UNAUTHORIZED, "invalid_client", "The OAuth client was not found."),
        Refusal::Pending => (StatusCode::PRECONDITION_REQUIRED, "authorization_pending", "Precondition Required"),
        Refusal::SlowDown { .. } => (StatusCode::FORBIDDEN, "slow_down", "Forbidden"),
        Refusal::Denied => (StatusCode::FORBIDDEN, "access_denied", "Forbidden"),
        other => return other.standard(),
    };
    (status, json!({"error": error, "error_description": description}))
}

pub(super) fn routes(google: &Google) -> Router<Arc<Google>> {
    oauth::routes(&google.authority).route("/tokeninfo", routing::get(token_info).post(token_info))
}

async fn token_info(
    State(google): State<Arc<Google>>,
    headers: HeaderMap,
    Query(asked): Query<BTreeMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let token = asked.get("access_token").map(String::as_str).or_else(|| auth::bearer(&headers)).unwrap_or_default();
    let Some((granted, TokenLife::Live)) = google.authority.lookup(token) else {
        let body = json!({"error": "invalid_token", "error_description": "Invalid Value"});
        return (StatusCode::BAD_REQUEST, Json(body));
    };
    let offline = granted.asked.get("access_type").is_some_and(|kind| kind == "offline");
    let scopes: Vec<_> = granted.scopes.iter().map(|scope| written(scope)).collect();
    let mut body = json!({
        "azp": granted.client_id,
        "aud": granted.client_id,
        "scope": scopes.join(" "),
        "expires_in": ACCESS_LIFETIME.to_string(),
        "access_type": if offline { "offline" } else { "online" },
    });
    if scopes.iter().any(|scope| scope == "openid") {
        body["sub"] = json!(subject(&granted.account));
    }
    if scopes.iter().any(|scope| scope.ends_with("userinfo.email")) {
        body["email"] = json!(granted.account.email);
        body["email_verified"] = json!("true");
    }
    (StatusCode::OK, Json(body))
}
