use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use valetkey_model::RepoUrl;

use crate::{
    ProviderError,
    api::{Answer, Api},
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    message: String,
}

/// What an answer that is no success means.
pub(super) fn refusal(answer: &Answer, now: Timestamp) -> ProviderError {
    if let Some(common) = answer.common_refusal() {
        return common;
    }
    match answer.status {
        StatusCode::UNAUTHORIZED => ProviderError::TokenInvalid,
        StatusCode::FORBIDDEN if lacks_scope(answer) => {
            ProviderError::InsufficientScope { missing: required_scope(answer) }
        }
        StatusCode::FORBIDDEN => ProviderError::Forbidden { said: answer.said() },
        // A proxy's.
        StatusCode::TOO_MANY_REQUESTS => ProviderError::RateLimited { retry_after_seconds: answer.retry_after(now) },
        _ => answer.other_refusal(),
    }
}

/// As [`refusal`], for a question about a repository, where being forbidden says nothing of the account elsewhere.
pub(super) fn repository_refusal(api: &Api<'_>, answer: &Answer, repo: &RepoUrl) -> ProviderError {
    match api.about(repo, answer, refusal(answer, api.at.now)) {
        ProviderError::Forbidden { said } => ProviderError::Failed { status: answer.status.as_u16(), said },
        other => other,
    }
}

/// Whether the token was refused for what it may do, not for what the account may.
pub(super) fn lacks_scope(answer: &Answer) -> bool {
    let message = message(answer);
    answer.status == StatusCode::FORBIDDEN
        && (message.contains("required scope(s)") || message.starts_with("token scope is limited to public"))
}

/// The token's own scopes, as newer servers state them in such a refusal: `…, token scope=read:user,write:repository`.
pub(super) fn stated_scopes(answer: &Answer) -> Option<Vec<String>> {
    let message = message(answer);
    let (_, own) = message.split_once("token scope=").filter(|_| lacks_scope(answer))?;
    Some(names(own, ','))
}

/// Of the scopes any one of which would do, the first: `…, required=[read:user]` or, before, `…: [read:user]`.
fn required_scope(answer: &Answer) -> Vec<String> {
    let message = message(answer);
    let any_of = message.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    let mut names = any_of.map(|(names, _)| self::names(names, ' ')).unwrap_or_default();
    names.truncate(1);
    names
}

fn names(text: &str, separator: char) -> Vec<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || matches!(b, b':' | b'-' | b'_');
    let names = text.split(separator).map(str::trim);
    names.filter(|name| (1..=40).contains(&name.len()) && name.bytes().all(plain)).map(str::to_owned).collect()
}

fn message(answer: &Answer) -> String {
    serde_json::from_str::<Body>(&answer.body).unwrap_or_default().message
}
