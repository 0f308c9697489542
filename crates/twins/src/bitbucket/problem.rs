//! Bitbucket Cloud's error answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) struct Problem {
    status: StatusCode,
    error: Value,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, error: json!({"message": message.into()}) }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A field of the body is wrong.
    pub(super) fn field(name: &str, text: &str) -> Self {
        let error = json!({"message": format!("{name}: {text}"), "fields": {name: [text]}});
        Self { status: StatusCode::BAD_REQUEST, error }
    }

    pub(super) fn useless_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Token is invalid, expired, or not supported for this endpoint.")
    }

    pub(super) fn lacks_scope(required: &[&str], granted: &[String]) -> Self {
        let message = "Your credentials lack one or more required privilege scopes.";
        let error = json!({"message": message, "detail": {"required": required, "granted": granted}});
        Self { status: StatusCode::FORBIDDEN, error }
    }

    pub(super) fn removed(endpoint: &str) -> Self {
        let error = json!({
            "message": "CHANGE-2770 - Functionality has been deprecated",
            "detail": format!("The endpoint {endpoint} works across workspaces and was removed."),
            "data": {"announcement_url": "https://developer.atlassian.com/cloud/bitbucket/changelog/#CHANGE-2770"},
        });
        Self { status: StatusCode::GONE, error }
    }

    pub(super) fn rate_limited() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Rate limit for this resource has been exceeded")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"type": "error", "error": self.error}))).into_response()
    }
}
