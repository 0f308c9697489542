use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use valetkey_model::RepoUrl;

use super::LEAST_SCOPES;
use crate::{
    ProviderError,
    api::{Answer, Api},
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: String,
    error_description: String,
    scope: String,
}

/// What an answer that is no success means.
pub(super) fn refusal(answer: &Answer, now: Timestamp) -> ProviderError {
    if let Some(common) = answer.common_refusal() {
        return common;
    }
    let body: Body = serde_json::from_str(&answer.body).unwrap_or_default();
    match answer.status {
        StatusCode::UNAUTHORIZED => unauthorized(&body),
        StatusCode::FORBIDDEN if body.error == "insufficient_scope" => {
            ProviderError::InsufficientScope { missing: least(&body.scope) }
        }
        StatusCode::FORBIDDEN => ProviderError::Forbidden { said: answer.said() },
        // The body is plain text, and each administrator's own.
        StatusCode::TOO_MANY_REQUESTS => ProviderError::RateLimited {
            retry_after_seconds: answer.retry_after(now).or_else(|| answer.reset("ratelimit-reset", now)),
        },
        _ => answer.other_refusal(),
    }
}

/// As [`refusal`], for a question about a project.
pub(super) fn project_refusal(api: &Api<'_>, answer: &Answer, repo: &RepoUrl) -> ProviderError {
    api.about(repo, answer, refusal(answer, api.at.now))
}

fn unauthorized(body: &Body) -> ProviderError {
    let description = body.error_description.to_ascii_lowercase();
    if body.error == "dpop_error" {
        ProviderError::DpopRequired
    } else if description.contains("expired") {
        ProviderError::TokenExpired
    } else if description.contains("revoked") {
        ProviderError::TokenRevoked
    } else {
        ProviderError::TokenInvalid
    }
}

/// GitLab names the scopes of which any one would do: the least of them is what is missing.
fn least(any_of: &str) -> Vec<String> {
    let names = || any_of.split(' ').filter(|name| !name.is_empty() && name.len() <= 40).filter(|name| is_scope(name));
    names().find(|name| LEAST_SCOPES.contains(name)).or_else(|| names().next()).map(str::to_owned).into_iter().collect()
}

fn is_scope(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}
