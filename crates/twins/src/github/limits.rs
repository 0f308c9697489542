//! GitHub's two limits.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::Problem;
use crate::limits::{in_seconds, set, set_retry_after};

const LIMIT: u64 = 5_000;
const LIMITS: &str = "https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting";
const SECONDARY_LIMITS: &str =
    "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits";
const PRIMARY: &str = "API rate limit exceeded for user ID 1. If you reach out to GitHub Support for help, please \
    include the request ID 0001:0001:0001:0001 and timestamp 2026-01-01 00:00:00 UTC.";
const SECONDARY: &str = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If \
    you reach out to GitHub Support for help, please include the request ID 0001:0001:0001:0001.";

pub(super) fn stamp(headers: &mut HeaderMap, served: u64) {
    metered(headers, served.min(LIMIT - 1), in_seconds(3600));
}

/// The primary limit.
pub(super) fn exceeded(retry_after: Option<u64>) -> Response {
    let mut response = Problem::new(StatusCode::FORBIDDEN, PRIMARY).documented(LIMITS).into_response();
    metered(response.headers_mut(), LIMIT, in_seconds(retry_after.unwrap_or(60)));
    response
}

pub(super) fn secondary_exceeded(retry_after: Option<u64>) -> Response {
    let mut response = Problem::new(StatusCode::FORBIDDEN, SECONDARY).documented(SECONDARY_LIMITS).into_response();
    set_retry_after(response.headers_mut(), retry_after);
    response
}

/// The body of `/rate_limit`.
pub(super) fn overview(served: u64) -> Value {
    let used = served.min(LIMIT - 1);
    let reset = in_seconds(3600).as_second();
    let core = json!({"limit": LIMIT, "used": used, "remaining": LIMIT - used, "reset": reset});
    let search = json!({"limit": 30, "used": 0, "remaining": 30, "reset": reset});
    json!({"resources": {"core": core, "search": search}, "rate": core})
}

fn metered(headers: &mut HeaderMap, used: u64, reset: Timestamp) {
    set(headers, "x-ratelimit-limit", &LIMIT.to_string());
    set(headers, "x-ratelimit-used", &used.to_string());
    set(headers, "x-ratelimit-remaining", &(LIMIT - used).to_string());
    set(headers, "x-ratelimit-reset", &reset.as_second().to_string());
    set(headers, "x-ratelimit-resource", "core");
}
