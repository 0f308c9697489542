//! Things that go wrong once, for one request: an answer that is lost, a server that is busy.

use std::sync::Mutex;

use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::world::locked;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The request is served in full; then the connection breaks before a byte of the answer.
    LoseAnswer,
    /// The request is not served: this status, with `Retry-After` in seconds where given.
    Refuse {
        /// Such as 429 or 503.
        status: u16,
        /// `None` leaves the header out.
        retry_after: Option<u64>,
    },
}

/// The mishaps that wait for their request.
#[derive(Debug, Default)]
pub(crate) struct Mishaps(Mutex<Vec<(Method, String, Mishap)>>);

impl Mishaps {
    /// Waits for the next request of this method and path.
    pub(crate) fn plan(&self, method: Method, path: &str, mishap: Mishap) {
        locked(&self.0).push((method, path.to_owned(), mishap));
    }

    pub(crate) fn take(&self, method: &Method, path: &str) -> Option<Mishap> {
        let mut planned = locked(&self.0);
        let position = planned.iter().position(|(at, on, _)| at == method && on == path)?;
        Some(planned.remove(position).2)
    }
}

/// The answer of a busy server.
pub(crate) fn refused(status: u16, retry_after: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = (status, "Try again later.\n").into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
