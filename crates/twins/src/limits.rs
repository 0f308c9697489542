//! Rate limits: the parts of their answers that forges share.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

/// Marks an answer whose headers tell nothing of a limit.
#[derive(Clone)]
pub(crate) struct Unmetered;

pub(crate) fn set_retry_after(headers: &mut HeaderMap, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
}

/// An earlier value wins.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.entry(HeaderName::from_static(name)).or_insert(value);
    }
}

#[expect(clippy::disallowed_methods, reason = "a limit's reset is a date in the reader's future")]
pub(crate) fn in_seconds(seconds: u64) -> Timestamp {
    let wait = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX)
}
