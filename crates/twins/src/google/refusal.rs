//! The error body that all of Google's APIs share.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::SCOPE;

/// Why a request is turned down.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// The name of `google.rpc.Code`.
    name: &'static str,
    reason: &'static str,
    message: String,
    challenge: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, name: &'static str, reason: &'static str, message: &str) -> Self {
        Self { status, name, reason, message: message.to_owned(), challenge: None }
    }

    pub(super) fn no_credentials() -> Self {
        let message = "Request is missing required authentication credential. Expected OAuth 2 access token, login \
            cookie or other valid authentication credential.";
        let challenge = Some("Bearer realm=\"https://accounts.google.com/\"".to_owned());
        Self { challenge, ..Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "required", message) }
    }

    pub(super) fn bad_credentials() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
            other valid authentication credential.";
        let challenge = Some("Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"".to_owned());
        Self { challenge, ..Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "authError", message) }
    }

    /// The challenge names every scope that would do.
    pub(super) fn lacks_scope(any_of: &[&str]) -> Self {
        let message = "Request had insufficient authentication scopes.";
        let scopes: Vec<_> = any_of.iter().map(|scope| format!("{SCOPE}{scope}")).collect();
        let challenge = format!(
            "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\", scope=\"{}\"",
            scopes.join(" ")
        );
        let refusal = Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", "insufficientPermissions", message);
        Self { challenge: Some(challenge), ..refusal }
    }

    pub(super) fn rate_limited() -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Rate Limit Exceeded")
    }

    pub(super) fn user_rate_limited() -> Self {
        let status = StatusCode::FORBIDDEN;
        Self::new(status, "PERMISSION_DENIED", "userRateLimitExceeded", "User Rate Limit Exceeded")
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "invalid", message)
    }

    pub(super) fn required(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "required", message)
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "notFound", message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({"message": self.message, "domain": "global", "reason": self.reason});
        let body = json!({"error": {
            "code": self.status.as_u16(), "message": self.message, "errors": [error], "status": self.name,
        }});
        let challenge = self.challenge.map(|challenge| [(WWW_AUTHENTICATE, challenge)]);
        (self.status, challenge, Json(body)).into_response()
    }
}
