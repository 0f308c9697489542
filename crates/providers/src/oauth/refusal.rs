//! The one place where an error word gets its meaning.

use http::StatusCode;

use super::{OAuthError, reply::Reply};

/// What was asked for; the same word means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Code,
    Refresh,
    Device,
    Revoke,
}

/// Why an answer is a refusal, if it is one.
pub(super) fn of_reply(reply: &Reply, step: Step, dead_grant_words: &[&str]) -> Option<OAuthError> {
    let status = reply.status;
    let retry_after_seconds = reply.retry_after_seconds;
    match status {
        StatusCode::TOO_MANY_REQUESTS => return Some(OAuthError::RateLimited { retry_after_seconds }),
        StatusCode::SERVICE_UNAVAILABLE => return Some(OAuthError::Unavailable { retry_after_seconds }),
        status if status.is_server_error() => {
            return Some(OAuthError::Failed { status: status.as_u16(), said: reply.said() });
        }
        _ => {}
    }
    let Some(word) = reply.error() else { return without_a_word(reply, step) };
    let said = || reply.said();
    if step == Step::Refresh && dead_grant_words.contains(&word) {
        return Some(OAuthError::GrantDead { said: said() });
    }
    Some(match word {
        "ratelimited" | "rate_limited" => OAuthError::RateLimited { retry_after_seconds },
        "temporarily_unavailable" | "service_unavailable" => OAuthError::Unavailable { retry_after_seconds },
        "server_error" | "internal_error" | "fatal_error" => {
            OAuthError::Failed { status: status.as_u16(), said: said() }
        }
        // So do Atlassian's sign-in servers answer a wrong client secret.
        "access_denied" if status == StatusCode::UNAUTHORIZED => OAuthError::ClientRejected { said: said() },
        word => meaning(word, step, said)
            .unwrap_or_else(|| OAuthError::Refused { status: Some(status.as_u16()), said: said() }),
    })
}

/// What the error of a callback means.
pub(super) fn of_callback(error: &str, description: &str) -> OAuthError {
    let said = || if description.is_empty() { error } else { description }.to_owned();
    match error {
        "temporarily_unavailable" => OAuthError::Unavailable { retry_after_seconds: None },
        error => meaning(error, Step::Code, said).unwrap_or_else(|| OAuthError::Refused { status: None, said: said() }),
    }
}

fn without_a_word(reply: &Reply, step: Step) -> Option<OAuthError> {
    let (status, said) = (reply.status, || reply.said());
    match status {
        status if status.is_success() => reply.is_web_page.then(|| reply.unreadable()),
        StatusCode::UNAUTHORIZED => Some(OAuthError::ClientRejected { said: said() }),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if step == Step::Device => {
            Some(OAuthError::DeviceFlowOff)
        }
        status if status.is_redirection() => Some(reply.not_oauth("a redirect")),
        status if reply.is_understood() => Some(OAuthError::Refused { status: Some(status.as_u16()), said: said() }),
        _ => Some(reply.unreadable()),
    }
}

fn meaning(word: &str, step: Step, said: impl Fn() -> String) -> Option<OAuthError> {
    Some(match (step, word) {
        // "Not Found" is GitHub's for a client id that it does not know.
        (
            _,
            "invalid_client"
            | "invalid_client_id"
            | "incorrect_client_credentials"
            | "bad_client_secret"
            | "redirect_uri_mismatch"
            | "bad_redirect_uri"
            | "deleted_client"
            | "disabled_client"
            | "org_internal"
            | "application_suspended"
            | "Not Found",
        )
        | (Step::Code | Step::Refresh, "unauthorized_client") => OAuthError::ClientRejected { said: said() },
        (_, "invalid_scope" | "missing_scope") => OAuthError::ScopeRejected { said: said() },
        (_, "device_flow_disabled") | (Step::Device, "unauthorized_client" | "unsupported_grant_type") => {
            OAuthError::DeviceFlowOff
        }
        (Step::Code | Step::Device, "access_denied") | (Step::Device, "authorization_declined") => OAuthError::Denied,
        (
            Step::Code,
            "invalid_grant" | "bad_verification_code" | "invalid_code" | "code_already_used" | "code_expired",
        ) => OAuthError::CodeRejected { said: said() },
        (
            Step::Refresh,
            "invalid_grant"
            | "bad_refresh_token"
            | "invalid_refresh_token"
            | "token_expired"
            | "token_revoked"
            | "account_inactive",
        ) => OAuthError::GrantDead { said: said() },
        (
            Step::Device,
            "expired_token" | "token_expired" | "incorrect_device_code" | "invalid_grant" | "bad_verification_code",
        ) => OAuthError::DeviceExpired,
        _ => return None,
    })
}
