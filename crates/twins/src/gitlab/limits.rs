//! GitLab's limits.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde_json::json;

use crate::limits::{Unmetered, in_seconds, set, set_retry_after};

const LIMIT: u64 = 2_000;

pub(super) fn stamp(headers: &mut HeaderMap, served: u64) {
    let observed = served.min(LIMIT);
    metered(headers, observed, LIMIT - observed, in_seconds(60));
}

/// A 429 in plain text.
pub(super) fn exceeded(retry_after: Option<u64>) -> Response {
    let reset = in_seconds(retry_after.unwrap_or(60));
    let mut response = (StatusCode::TOO_MANY_REQUESTS, "Retry later\n").into_response();
    let headers = response.headers_mut();
    metered(headers, LIMIT + 1, 0, reset);
    set(headers, "ratelimit-resettime", &reset.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    set_retry_after(headers, retry_after);
    response
}

/// An application limit, which shows in no header.
pub(super) fn application_limit_exceeded(retry_after: Option<u64>) -> Response {
    let body = json!({"message": {"error": "This endpoint has been requested too many times. Try again later."}});
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Extension(Unmetered), Json(body)).into_response();
    set_retry_after(response.headers_mut(), retry_after);
    response
}

fn metered(headers: &mut HeaderMap, observed: u64, remaining: u64, reset: Timestamp) {
    set(headers, "ratelimit-limit", &LIMIT.to_string());
    set(headers, "ratelimit-name", "throttle_authenticated_api");
    set(headers, "ratelimit-observed", &observed.to_string());
    set(headers, "ratelimit-remaining", &remaining.to_string());
    set(headers, "ratelimit-reset", &reset.as_second().to_string());
}
