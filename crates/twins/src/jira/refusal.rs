//! Why Jira turns a request down, in the words of whoever does: Jira itself, or the gateway before it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The header that tells what became of the credentials.
pub(super) const LOGIN_REASON: &str = "x-seraph-loginreason";
pub(super) const LOGIN_FAILED: &str = "AUTHENTICATED_FAILED";

#[derive(Debug)]
pub(super) enum Refusal {
    /// Jira's own, about the request as a whole.
    Message(StatusCode, String),
    /// Jira's own, about one field.
    Field(&'static str, &'static str),
    /// Nobody is signed in.
    Anonymous,
    /// The credentials are wrong.
    LoginFailed,
    /// Too many logins failed: a person must solve a puzzle in the browser.
    Captcha,
    /// The site's own address takes no OAuth token.
    NoBearerHere,
    /// The gateway's own.
    Gateway(StatusCode, &'static str),
}

impl Refusal {
    pub(super) fn not_found(what: &str) -> Self {
        Self::Message(StatusCode::NOT_FOUND, what.to_owned())
    }

    pub(super) fn bad_request(what: &str) -> Self {
        Self::Message(StatusCode::BAD_REQUEST, what.to_owned())
    }

    pub(super) fn scope_does_not_match() -> Self {
        Self::Gateway(StatusCode::UNAUTHORIZED, "Unauthorized; scope does not match")
    }
}

const NOT_SIGNED_IN: &str = "Client must be authenticated to access this resource.";

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Message(status, message) => (status, Json(errors(&[&message], &json!({})))).into_response(),
            Self::Field(field, message) => {
                (StatusCode::BAD_REQUEST, Json(errors(&[], &json!({field: message})))).into_response()
            }
            Self::Anonymous => {
                (StatusCode::UNAUTHORIZED, Json(json!({"message": NOT_SIGNED_IN, "status-code": 401}))).into_response()
            }
            Self::LoginFailed => ([(LOGIN_REASON, LOGIN_FAILED)], Self::Anonymous).into_response(),
            Self::Captcha => {
                let denied = "CAPTCHA_CHALLENGE; login-url=/login.jsp";
                let headers = [(LOGIN_REASON, "AUTHENTICATION_DENIED"), ("x-authentication-denied-reason", denied)];
                (StatusCode::FORBIDDEN, headers, "Basic Authentication Failure - Reason : AUTHENTICATION_DENIED")
                    .into_response()
            }
            Self::NoBearerHere => {
                let error = json!({"error": "Failed to parse Connect Session Auth Token"});
                (StatusCode::FORBIDDEN, Json(error)).into_response()
            }
            Self::Gateway(status, message) => {
                (status, Json(json!({"code": status.as_u16(), "message": message}))).into_response()
            }
        }
    }
}

fn errors(messages: &[&str], fields: &Value) -> Value {
    json!({"errorMessages": messages, "errors": fields})
}
