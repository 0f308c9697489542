//! How an app is installed, and how its tokens rotate if it chose that they should.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use bytes::Bytes;
use serde_json::{Value, json};

use super::methods::{Arguments, Refusal, user_id};
use super::workspace::{TEAM, TEAM_ID};
use super::{BOT_NUMBER, Slack, ok};
use crate::fixtures::{Account, TokenState};
use crate::oauth::{self, Dialect, Issued, Lifetimes, Minted, OAuthApp, Paths, Rotation, basic_credentials, plain};
use crate::seed::Seed;

const ACCESS_LIFETIME: u64 = 43_200;

/// Docs: "Installing with OAuth" and "Using token rotation". An app that rotates is one whose tokens expire.
pub(super) fn dialect() -> Dialect {
    Dialect {
        response_type: false,
        refusal: Box::new(|refusal| (StatusCode::OK, json!({"ok": false, "error": word(refusal)}))),
        success,
        rotation: Rotation::RefreshOnly,
        reuse_ends_family: false,
        lifetimes: Lifetimes { access: Some(ACCESS_LIFETIME), refresh: None, device: 0 },
        mint: Box::new(mint),
        ..Dialect::standard(Paths {
            authorize: "/oauth/v2/authorize",
            token: "/api/oauth.v2.access",
            device: None,
            verification: "",
            revoke: None,
        })
    }
}

fn mint(what: Minted, app: &OAuthApp) -> String {
    let mut seed = Seed::random();
    match what {
        Minted::Access if app.expiring => format!("xoxe.xoxb-1-{}", seed.alphanumeric(166).to_uppercase()),
        Minted::Access => super::made_up("xoxb"),
        Minted::Refresh => format!("xoxe-1-{}", seed.alphanumeric(146).to_uppercase()),
        Minted::ClientId => format!("1000000000001.{}", seed.digits(13)),
        _ => plain(what),
    }
}

fn word(refusal: &oauth::Refusal) -> &'static str {
    match refusal {
        oauth::Refusal::UnknownClient => "bad_client_secret",
        oauth::Refusal::BadCode | oauth::Refusal::BadVerifier => "invalid_code",
        oauth::Refusal::RedirectMismatch => "bad_redirect_uri",
        oauth::Refusal::BadRefreshToken => "invalid_refresh_token",
        oauth::Refusal::UnsupportedGrant => "invalid_grant_type",
        oauth::Refusal::Malformed(_) => "invalid_arguments",
        other => other.code(),
    }
}

fn success(issued: &Issued) -> Value {
    installed(&issued.access, issued.refresh.as_deref().zip(issued.expires_in), &issued.scopes, &issued.granted.account)
}

fn installed(access: &str, rotation: Option<(&str, u64)>, scopes: &[String], installer: &Account) -> Value {
    let mut body = json!({
        "ok": true,
        "access_token": access,
        "token_type": "bot",
        "scope": scopes.join(","),
        "bot_user_id": format!("U{BOT_NUMBER:08}"),
        "app_id": "A00000001",
        "team": {"id": TEAM_ID, "name": TEAM},
        "enterprise": null,
        "is_enterprise_install": false,
        "authed_user": {"id": user_id(installer)},
    });
    if let Some((refresh, seconds)) = rotation {
        body["refresh_token"] = json!(refresh);
        body["expires_in"] = json!(seconds);
    }
    body
}

pub(super) fn routes(slack: &Slack) -> Router<Arc<Slack>> {
    oauth::routes(&slack.authority).route("/api/oauth.v2.exchange", routing::post(exchange))
}

/// A long-lived token for one that rotates. It works once, and ends the long-lived one.
async fn exchange(State(slack): State<Arc<Slack>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let given = Arguments::read(&uri, &headers, &body);
    slack.exchange(&headers, &given).map_or_else(|refusal| refusal.body(), ok).into_response()
}

impl Slack {
    fn exchange(&self, headers: &HeaderMap, given: &Arguments) -> Result<Value, Refusal> {
        let pair = basic_credentials(headers)
            .or_else(|| Some((given.get("client_id")?.to_owned(), given.get("client_secret")?.to_owned())));
        let (id, secret) = pair.ok_or(Refusal::Plain("invalid_client_id"))?;
        let app = self.authority.app(&id).ok_or(Refusal::Plain("invalid_client_id"))?;
        if app.client_secret() != secret {
            return Err(Refusal::Plain("bad_client_secret"));
        }
        if !app.expiring {
            return Err(Refusal::Plain("token_rotation_not_enabled"));
        }
        let token = given.get("token").ok_or(Refusal::Plain("invalid_token"))?;
        let key = self.people.key(token).ok_or(Refusal::Plain("invalid_token"))?;
        match key.state {
            TokenState::Revoked => return Err(Refusal::Plain("token_already_exchanged")),
            TokenState::Expired => return Err(Refusal::Plain("invalid_token")),
            TokenState::Active | TokenState::RateLimited { .. } | TokenState::SsoRequired => {}
        }
        self.people.set_state(token, TokenState::Revoked);
        let scopes = key.scopes.iter().map(String::as_str);
        let tokens = self.authority.grant(&app, &key.account, scopes);
        let rotation = tokens.refresh.as_deref().map(|refresh| (refresh, ACCESS_LIFETIME));
        Ok(installed(&tokens.access, rotation, &key.scopes, &key.account))
    }
}
