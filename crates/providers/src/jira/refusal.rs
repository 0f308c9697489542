use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    ProviderError,
    api::{Answer, one_line},
};

/// What an answer that is no success means.
pub(super) fn refusal(answer: &Answer, now: Timestamp) -> ProviderError {
    if is_puzzle(answer) {
        let said = "too many sign-ins failed: it wants a CAPTCHA solved in the browser".to_owned();
        return ProviderError::Forbidden { said };
    }
    // Data Center's comes as a web page.
    if answer.status == StatusCode::UNAUTHORIZED && is_from_jira(answer) {
        return ProviderError::TokenInvalid;
    }
    if let Some(common) = answer.common_refusal() {
        return common;
    }
    match answer.status {
        StatusCode::UNAUTHORIZED if said(answer).contains("scope does not match") => {
            ProviderError::InsufficientScope { missing: Vec::new() }
        }
        StatusCode::UNAUTHORIZED => ProviderError::TokenInvalid,
        StatusCode::FORBIDDEN => ProviderError::Forbidden { said: said(answer) },
        StatusCode::TOO_MANY_REQUESTS => {
            ProviderError::RateLimited { retry_after_seconds: answer.retry_after(now).or_else(|| reset(answer, now)) }
        }
        // A part of the API that was taken away.
        StatusCode::GONE => ProviderError::Failed { status: answer.status.as_u16(), said: said(answer) },
        _ => answer.other_refusal(),
    }
}

/// Whether an answer that looks like a success was given to nobody in particular: a public Jira answers a bad token so.
pub(super) fn is_anonymous(answer: &Answer) -> bool {
    let failed = |reason: &str| reason.contains("AUTHENTICATED_FAILED") || reason.contains("AUTHENTICATION_DENIED");
    answer.header("x-seraph-loginreason").is_some_and(failed)
        || answer.header("x-ausername").is_some_and(|name| name.eq_ignore_ascii_case("anonymous"))
}

fn is_from_jira(answer: &Answer) -> bool {
    answer.header("x-seraph-loginreason").is_some() || answer.header("x-ausername").is_some()
}

fn is_puzzle(answer: &Answer) -> bool {
    let reason = answer.header("x-authentication-denied-reason");
    answer.status == StatusCode::FORBIDDEN && reason.is_some_and(|reason| reason.starts_with("CAPTCHA"))
}

/// The end of the limit's window, in ISO 8601 and mostly without seconds.
fn reset(answer: &Answer, now: Timestamp) -> Option<u64> {
    let text = answer.header("x-ratelimit-reset")?.trim();
    let with_seconds = || format!("{}:00Z", text.strip_suffix('Z')?).parse().ok();
    let ends: Timestamp = text.parse().ok().or_else(|| Some(with_seconds()).flatten())?;
    Some(u64::try_from(ends.duration_since(now).as_secs()).unwrap_or(0))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    error_messages: Vec<String>,
}

/// Jira's own words, or the gateway's.
fn said(answer: &Answer) -> String {
    let body: Body = serde_json::from_str(&answer.body).unwrap_or_default();
    if body.error_messages.is_empty() { answer.said() } else { one_line(&body.error_messages.join(" ")) }
}
