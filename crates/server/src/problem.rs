//! Refusals on the wire: RFC 9457 problem documents with the members that the contract adds.

use std::any::Any;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::{Problem, ProblemCode, ProviderKind};

/// What a handler answers: a success or a refusal.
pub(crate) type Answer<T> = Result<T, Failure>;

/// A refusal with the status under which it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) problem: Problem,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, problem }
    }
}

impl From<valetkey_store::StoreError> for Failure {
    fn from(error: valetkey_store::StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl Failure {
    /// A refusal of ours.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// The request itself is wrong.
    pub(crate) fn invalid(why: impl std::fmt::Display) -> Self {
        Self::new(ProblemCode::InvalidInput, format!("Invalid input: {why}"))
    }

    /// The same refusal under another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// The body of every refusal (`application/problem+json`).
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemDocument {
    /// `about:blank`: `code` says which kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The HTTP status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened.
    detail: String,
    /// The kind of problem, stable.
    code: ProblemCode,
    /// The same as `detail`.
    error: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<String>,
    /// Whose refusal it was, when a provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<ProviderKind>,
    /// When to come back, for a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

impl From<Failure> for ProblemDocument {
    fn from(Failure { status, problem }: Failure) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            error: problem.detail.clone(),
            detail: problem.detail,
            code: problem.code,
            remediation: problem.remediation,
            provider: problem.provider,
            retry_after_seconds: problem.retry_after_seconds,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code, retry) = (self.status, self.problem.code, self.problem.retry_after_seconds);
        let mut response = (status, Json(ProblemDocument::from(self))).into_response();
        // For the audit trail.
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The answer to a request whose handler panicked. What it said is in the log already.
pub(crate) fn after_panic(_: Box<dyn Any + Send>) -> Response {
    Failure::new(ProblemCode::Internal, "Something went wrong inside Valetkey; the server's log says what.")
        .into_response()
}
