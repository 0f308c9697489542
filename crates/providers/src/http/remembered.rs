use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::Request;
use valetkey_seal::TokenHash;

use super::{ApiResponse, recent::Recent};

/// Answers of providers to be asked for again only if they have changed since. No credential sees another's.
pub(crate) struct Remembered(Mutex<Recent<Key, Arc<Answer>>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    credential: TokenHash,
    url: String,
    accept: Option<HeaderValue>,
}

struct Answer {
    etag: HeaderValue,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A question that an answer may be remembered for.
pub(crate) struct Question {
    key: Key,
    known: Option<Arc<Answer>>,
}

const MOST_BYTES: usize = 8 << 20;
const MOST_BYTES_EACH: usize = 256 << 10;
const LONGEST_ETAG: usize = 256;
/// What the smallest answer counts, so that there can't be very many.
const LEAST_BYTES: usize = 1 << 10;

impl Remembered {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Recent::new(MOST_BYTES)))
    }

    /// Makes the request one for news only, if its answer is known.
    pub(crate) fn ask(&self, credential: &TokenHash, request: &mut Request) -> Question {
        let accept = request.headers().get(header::ACCEPT).cloned();
        let key = Key { credential: credential.clone(), url: request.url().to_string(), accept };
        let known = self.with(|answers| answers.get(&key).cloned());
        if let Some(known) = &known {
            request.headers_mut().insert(header::IF_NONE_MATCH, known.etag.clone());
        }
        Question { key, known }
    }

    /// The answer in full, which is kept for the next time. A "not modified" where nothing was known stays what it is.
    pub(crate) fn answer(&self, question: Question, response: ApiResponse) -> ApiResponse {
        let Question { key, known } = question;
        match (response.status, known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => known.renewed(&response.headers),
            (StatusCode::OK, _) => {
                self.keep(key, &response);
                response
            }
            _ => response,
        }
    }

    /// Forgets whatever a credential was answered.
    pub(crate) fn forget(&self, credential: &TokenHash) {
        self.with(|answers| answers.remove_all(|key| key.credential == *credential));
    }

    fn keep(&self, key: Key, response: &ApiResponse) {
        let headers = &response.headers;
        let etag = headers.get(header::ETAG).filter(|etag| !etag.is_empty() && etag.len() <= LONGEST_ETAG);
        let size = response.body.len()
            + headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
            + key.url.len();
        let Some(etag) = etag.filter(|_| size <= MOST_BYTES_EACH && !forbids_keeping(headers)) else {
            return self.with(|answers| answers.remove(&key));
        };
        let answer = Answer { etag: etag.clone(), headers: headers.clone(), body: response.body.clone() };
        self.with(|answers| answers.insert(key, Arc::new(answer), size.max(LEAST_BYTES)));
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recent<Key, Arc<Answer>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Answer {
    /// This answer with the headers that came now in place of those of the same names.
    fn renewed(&self, now: &HeaderMap) -> ApiResponse {
        let mut headers = self.headers.clone();
        for name in now.keys() {
            headers.remove(name);
        }
        for (name, value) in now.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
            headers.append(name.clone(), value.clone());
        }
        ApiResponse { status: StatusCode::OK, headers, body: self.body.clone() }
    }
}

fn forbids_keeping(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("no-store"))
}

#[cfg(test)]
mod tests;
