//! Rate limits: the headers of every API answer, and the answers when a limit is reached.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::github::{self, Problem};
use crate::twin::Forge;

const GITLAB_LIMIT: u64 = 2_000;
const GITHUB_LIMIT: u64 = 5_000;

/// Marks an answer whose headers tell nothing of a limit.
#[derive(Clone)]
struct Unmetered;

/// Adds the headers of an API answer; those that are there already stay.
pub(crate) fn stamp(forge: Forge, response: &mut Response, served: u64) {
    if response.extensions().get::<Unmetered>().is_some() {
        return;
    }
    match forge {
        Forge::GitLab => {
            let observed = served.min(GITLAB_LIMIT);
            gitlab_headers(response.headers_mut(), observed, GITLAB_LIMIT - observed, in_seconds(60));
        }
        Forge::GitHub => github_headers(response.headers_mut(), served.min(GITHUB_LIMIT - 1), in_seconds(3600)),
    }
}

/// GitLab's 429 in plain text; GitHub's primary limit.
pub(crate) fn exceeded(forge: Forge, retry_after: Option<u64>) -> Response {
    let reset = in_seconds(retry_after.unwrap_or(60));
    match forge {
        Forge::GitLab => {
            let mut response = (StatusCode::TOO_MANY_REQUESTS, "Retry later\n").into_response();
            let headers = response.headers_mut();
            gitlab_headers(headers, GITLAB_LIMIT + 1, 0, reset);
            set(headers, "ratelimit-resettime", &reset.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
            set_retry_after(headers, retry_after);
            response
        }
        Forge::GitHub => {
            let mut response = Problem::new(StatusCode::FORBIDDEN, PRIMARY).documented(github::LIMITS).into_response();
            github_headers(response.headers_mut(), GITHUB_LIMIT, reset);
            response
        }
    }
}

/// GitHub's secondary limit; GitLab's application limits, which show in no header.
pub(crate) fn secondary_exceeded(forge: Forge, retry_after: Option<u64>) -> Response {
    let mut response = match forge {
        Forge::GitLab => {
            let body =
                json!({"message": {"error": "This endpoint has been requested too many times. Try again later."}});
            (StatusCode::TOO_MANY_REQUESTS, Extension(Unmetered), Json(body)).into_response()
        }
        Forge::GitHub => {
            Problem::new(StatusCode::FORBIDDEN, SECONDARY).documented(github::SECONDARY_LIMITS).into_response()
        }
    };
    set_retry_after(response.headers_mut(), retry_after);
    response
}

/// The body of GitHub's `/rate_limit`.
pub(crate) fn github_overview(served: u64) -> serde_json::Value {
    let used = served.min(GITHUB_LIMIT - 1);
    let reset = in_seconds(3600).as_second();
    let core = json!({"limit": GITHUB_LIMIT, "used": used, "remaining": GITHUB_LIMIT - used, "reset": reset});
    let search = json!({"limit": 30, "used": 0, "remaining": 30, "reset": reset});
    json!({"resources": {"core": core, "search": search}, "rate": core})
}

const PRIMARY: &str = "API rate limit exceeded for user ID 1. If you reach out to GitHub Support for help, please \
    include the request ID 0001:0001:0001:0001 and timestamp 2026-01-01 00:00:00 UTC.";
const SECONDARY: &str = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If \
    you reach out to GitHub Support for help, please include the request ID 0001:0001:0001:0001.";

fn gitlab_headers(headers: &mut HeaderMap, observed: u64, remaining: u64, reset: Timestamp) {
    set(headers, "ratelimit-limit", &GITLAB_LIMIT.to_string());
    set(headers, "ratelimit-name", "throttle_authenticated_api");
    set(headers, "ratelimit-observed", &observed.to_string());
    set(headers, "ratelimit-remaining", &remaining.to_string());
    set(headers, "ratelimit-reset", &reset.as_second().to_string());
}

fn github_headers(headers: &mut HeaderMap, used: u64, reset: Timestamp) {
    set(headers, "x-ratelimit-limit", &GITHUB_LIMIT.to_string());
    set(headers, "x-ratelimit-used", &used.to_string());
    set(headers, "x-ratelimit-remaining", &(GITHUB_LIMIT - used).to_string());
    set(headers, "x-ratelimit-reset", &reset.as_second().to_string());
    set(headers, "x-ratelimit-resource", "core");
}

fn set_retry_after(headers: &mut HeaderMap, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
}

/// An earlier value wins.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.entry(HeaderName::from_static(name)).or_insert(value);
    }
}

#[expect(clippy::disallowed_methods, reason = "a limit's reset is a date in the reader's future")]
fn in_seconds(seconds: u64) -> Timestamp {
    let wait = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX)
}
