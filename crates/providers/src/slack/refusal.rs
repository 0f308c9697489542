use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    ProviderError,
    api::{Answer, one_line},
};

#[derive(Deserialize)]
struct Body {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    needed: String,
}

/// Why an answer is a refusal, if it is one. Nearly all of Slack's come with 200 and `"ok": false`.
pub(super) fn refusal(answer: &Answer, now: Timestamp) -> Option<ProviderError> {
    let limited = || ProviderError::RateLimited { retry_after_seconds: answer.retry_after(now) };
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Some(limited());
    }
    if let Some(common) = answer.common_refusal() {
        return Some(common);
    }
    let Ok(body) = serde_json::from_str::<Body>(&answer.body) else { return Some(answer.not_the_provider()) };
    if body.ok {
        return (!answer.status.is_success()).then(|| answer.other_refusal());
    }
    Some(match body.error.as_str() {
        "ratelimited" | "rate_limited" => limited(),
        "missing_scope" => ProviderError::InsufficientScope { missing: names(&body.needed) },
        word => meaning(word)
            .unwrap_or_else(|| ProviderError::Failed { status: answer.status.as_u16(), said: one_line(word) }),
    })
}

/// Whether a refusal says that the token is of no use any more.
pub(super) fn is_gone(error: &ProviderError) -> bool {
    matches!(error, ProviderError::TokenInvalid | ProviderError::TokenExpired | ProviderError::TokenRevoked)
}

fn meaning(word: &str) -> Option<ProviderError> {
    Some(match word {
        "invalid_auth" | "not_authed" => ProviderError::TokenInvalid,
        "token_expired" => ProviderError::TokenExpired,
        // The second is also said when the app was taken out of the workspace.
        "token_revoked" | "account_inactive" => ProviderError::TokenRevoked,
        "access_denied"
        | "accesslimited"
        | "ekm_access_denied"
        | "enterprise_is_restricted"
        | "no_permission"
        | "not_allowed_token_type"
        | "org_login_required"
        | "team_access_not_granted"
        | "two_factor_setup_required" => ProviderError::Forbidden { said: word.to_owned() },
        _ => return None,
    })
}

/// Slack names the scopes of which any one would do, or those that are all needed; it does not say which.
fn names(list: &str) -> Vec<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || matches!(b, b':' | b'.' | b'_' | b'-');
    let names = list.split(',').map(str::trim);
    names.filter(|name| (1..=60).contains(&name.len()) && name.bytes().all(plain)).map(str::to_owned).collect()
}
