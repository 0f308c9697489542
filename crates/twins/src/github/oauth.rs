//! GitHub's authorization server.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::oauth::{Answers, Dialect, Issued, Lifetimes, Minted, OAuthApp, Paths, Place, Refusal, plain};
use crate::seed::{Seed, github_checksum};

/// The mark of a GitHub App, as opposed to an OAuth app.
pub(crate) const GITHUB_APP: &str = "GitHub App";

/// Docs: "Authorizing OAuth apps" and "Generating a user access token for a GitHub App".
pub(super) fn dialect() -> Dialect {
    Dialect {
        credentials: &[Place::Body, Place::Basic],
        json_requests: true,
        answers: Answers::FormUnlessJsonIsAsked,
        response_type: false,
        refusal: Box::new(refusal),
        success,
        device_success: |start| {
            json!({
                "device_code": start.device_code, "user_code": start.user_code,
                "verification_uri": start.verification_uri, "expires_in": start.expires_in, "interval": start.interval,
            })
        },
        reuse_ends_family: false,
        secretless_device: true,
        lifetimes: Lifetimes { access: Some(28_800), refresh: Some(15_897_600), device: 900 },
        mint: Box::new(mint),
        ..Dialect::standard(Paths {
            authorize: "/login/oauth/authorize",
            token: "/login/oauth/access_token",
            device: Some("/login/device/code"),
            verification: "/login/device",
            revoke: None,
        })
    }
}

fn mint(what: Minted, app: &OAuthApp) -> String {
    let mut seed = Seed::random();
    let is_app = app.flavour == GITHUB_APP;
    match what {
        Minted::ClientId => format!("{}{}", if is_app { "Iv23li" } else { "Ov23li" }, seed.alphanumeric(14)),
        Minted::Access => checked(if is_app { "ghu_" } else { "gho_" }, 30),
        Minted::Refresh => checked("ghr_", 70),
        Minted::ClientSecret => seed.hex(40),
        Minted::Code => seed.hex(20),
        Minted::UserCode | Minted::DeviceCode => plain(what),
    }
}

/// A token whose last six characters are its checksum.
pub(crate) fn checked(prefix: &str, length: usize) -> String {
    let body = Seed::random().alphanumeric(length);
    format!("{prefix}{body}{}", github_checksum(&body))
}

fn success(issued: &Issued) -> Value {
    let mut body = json!({"access_token": issued.access, "token_type": "bearer", "scope": issued.scopes.join(",")});
    if let (Some(refresh), Some(seconds)) = (&issued.refresh, issued.expires_in) {
        body["expires_in"] = json!(seconds);
        body["refresh_token"] = json!(refresh);
        body["refresh_token_expires_in"] = json!(issued.refresh_expires_in);
    }
    body
}

/// Errors come with status 200, and under names of GitHub's own.
fn refusal(refusal: &Refusal) -> (StatusCode, Value) {
    let code = match refusal {
        Refusal::UnknownClient => "incorrect_client_credentials",
        Refusal::BadCode | Refusal::BadVerifier => "bad_verification_code",
        Refusal::RedirectMismatch => "redirect_uri_mismatch",
        Refusal::BadRefreshToken => "bad_refresh_token",
        Refusal::UnknownDevice => "incorrect_device_code",
        Refusal::DeviceFlowDisabled => "device_flow_disabled",
        other => other.code(),
    };
    let mut body = json!({
        "error": code, "error_description": refusal.description(),
        "error_uri": "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
    });
    if let Refusal::SlowDown { interval } = refusal {
        body["interval"] = json!(interval);
    }
    (StatusCode::OK, body)
}
