//! The record of every request that reached a twin.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::request::Parts;

/// The journal as it stood when it was asked for, oldest request first.
pub type Journal = Vec<Recorded>;

/// One request. Credentials are kept as they came, so that a test can search for them.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as sent, not decoded.
    pub path: String,
    /// The query as sent, without `?`; empty if there was none.
    pub query: String,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    /// `None` while the request has no answer.
    pub status: Option<u16>,
    /// The user whose working token came with the request.
    pub authenticated_as: Option<String>,
    /// Bytes of the body read so far.
    pub body_bytes: u64,
}

impl Recorded {
    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Whether the text occurs in the path, the query or any header, or in a decoded `Authorization: Basic`.
    pub fn mentions(&self, text: &str) -> bool {
        let basic = self.header("authorization").and_then(crate::auth::basic_pair);
        self.path.contains(text)
            || self.query.contains(text)
            || self.headers.iter().any(|(_, value)| value.contains(text))
            || basic.is_some_and(|(user, password)| user.contains(text) || password.contains(text))
    }
}

/// The part of an entry that is filled in while the request is served.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    status: AtomicU16,
    body_bytes: AtomicU64,
}

impl Progress {
    pub(crate) fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.body_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Old entries make room: a demo may run for days.
const CAPACITY: usize = 16_384;

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<VecDeque<(Recorded, Arc<Progress>)>>,
}

impl Log {
    pub(crate) fn arrived(&self, request: &Parts, authenticated_as: Option<String>) -> Arc<Progress> {
        let recorded = Recorded {
            method: request.method.to_string(),
            path: request.uri.path().to_owned(),
            query: request.uri.query().unwrap_or_default().to_owned(),
            headers: readable(&request.headers),
            status: None,
            authenticated_as,
            body_bytes: 0,
        };
        let progress = Arc::<Progress>::default();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back((recorded, Arc::clone(&progress)));
        progress
    }

    pub(crate) fn snapshot(&self) -> Journal {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let current = |(recorded, progress): &(Recorded, Arc<Progress>)| Recorded {
            status: Some(progress.status.load(Ordering::Relaxed)).filter(|status| *status != 0),
            body_bytes: progress.body_bytes.load(Ordering::Relaxed),
            ..recorded.clone()
        };
        entries.iter().map(current).collect()
    }
}

fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
