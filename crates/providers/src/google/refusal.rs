use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    ProviderError,
    api::{Answer, one_line},
};

/// The APIs' errors are objects, the sign-in servers' are words.
#[derive(Deserialize)]
struct Body {
    error: Said,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Word(String),
    Error {
        #[serde(default)]
        message: String,
        #[serde(default)]
        errors: Vec<Reason>,
    },
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

/// What an answer that is no success means.
pub(super) fn refusal(answer: &Answer, now: Timestamp) -> ProviderError {
    if let Some(common) = answer.common_refusal() {
        return common;
    }
    let error = serde_json::from_str::<Body>(&answer.body).ok().map(|body| body.error);
    match (answer.status, &error) {
        (StatusCode::TOO_MANY_REQUESTS, _) => limited(answer, now),
        (StatusCode::UNAUTHORIZED, _) => ProviderError::TokenInvalid,
        (StatusCode::BAD_REQUEST, Some(Said::Word(word))) if word == "invalid_token" => ProviderError::TokenInvalid,
        (StatusCode::FORBIDDEN, Some(error)) if error.is_limit() => limited(answer, now),
        (StatusCode::FORBIDDEN, error) => denial(answer, error.as_ref()),
        _ => answer.other_refusal(),
    }
}

fn limited(answer: &Answer, now: Timestamp) -> ProviderError {
    ProviderError::RateLimited { retry_after_seconds: answer.retry_after(now) }
}

fn denial(answer: &Answer, error: Option<&Said>) -> ProviderError {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let lacks = error.is_some_and(|error| error.has_reason(&["insufficientPermissions", "insufficient_scope"]));
    if lacks || challenge.contains("error=\"insufficient_scope\"") {
        return ProviderError::InsufficientScope { missing: first_scope(challenge).into_iter().collect() };
    }
    let said = match error {
        Some(Said::Error { message, .. }) => one_line(message),
        _ => answer.said(),
    };
    ProviderError::Forbidden { said }
}

/// The challenge names every scope of which any one would do, the narrowest first.
fn first_scope(challenge: &str) -> Option<String> {
    let (_, scopes) = challenge.split_once("scope=\"https://")?;
    let name = scopes.split(['"', ' ']).next()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_' | b'-');
    (name.len() <= 100 && name.bytes().all(plain)).then(|| format!("https://{name}"))
}

impl Said {
    fn has_reason(&self, any_of: &[&str]) -> bool {
        match self {
            Self::Word(word) => any_of.contains(&word.as_str()),
            Self::Error { errors, .. } => errors.iter().any(|error| any_of.contains(&error.reason.as_str())),
        }
    }

    fn is_limit(&self) -> bool {
        self.has_reason(&["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"])
    }
}
