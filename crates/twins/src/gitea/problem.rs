//! Gitea's error answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(super) struct Problem {
    status: StatusCode,
    message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The target couldn't be found.")
    }

    pub(super) fn token_required() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "token is required")
    }

    pub(super) fn useless_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "user does not exist [uid: 0, name: ]")
    }

    pub(super) fn lacks_scope(required: &str) -> Self {
        let message = format!("token does not have at least one of required scope(s): [{required}]");
        Self::new(StatusCode::FORBIDDEN, message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let url = "https://gitea.test/api/swagger";
        (self.status, Json(json!({"message": self.message, "url": url}))).into_response()
    }
}
