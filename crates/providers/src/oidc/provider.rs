//! What is known of the issuer: found by discovery, kept for an hour.

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use jiff::{SignedDuration, Timestamp};
use reqwest::Request;
use tokio::sync::Mutex;
use url::Url;
use valetkey_seal::Secret;

use super::{IssuerUrl, OidcError, keys::KeySet, metadata::Metadata, token::Members};
use crate::{Http, http::ApiResponse};

/// An issuer that moves its endpoints, or takes a key back, is believed this much later.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// New keys are asked for at most this often: anybody can send a token that names a key which does not exist.
const KEYS_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// An issuer that did not answer is not asked again at once.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);

/// The issuer as it described itself.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) metadata: Metadata,
    pub(super) keys: KeySet,
    found_at: Timestamp,
    keys_at: Timestamp,
}

#[derive(Debug, Default)]
struct Memory {
    known: Option<Arc<Known>>,
    failed: Option<(Timestamp, OidcError)>,
}

/// An issuer. Who asks while somebody else does waits for that answer.
#[derive(Debug)]
pub(super) struct OpenIdProvider {
    http: Http,
    pub(super) issuer: IssuerUrl,
    memory: Mutex<Memory>,
}

impl OpenIdProvider {
    pub(super) fn new(http: Http, issuer: IssuerUrl) -> Self {
        Self { http, issuer, memory: Mutex::default() }
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// What it says of itself, and its keys.
    pub(super) async fn known(&self, now: Timestamp) -> Result<Arc<Known>, OidcError> {
        let mut memory = self.memory.lock().await;
        if let Some(known) = memory.known.as_ref().filter(|known| now.duration_since(known.found_at) < FRESH) {
            return Ok(Arc::clone(known));
        }
        if let Some((_, error)) = memory.failed.as_ref().filter(|(at, _)| now.duration_since(*at) < AFTER_FAILURE) {
            return Err(error.clone());
        }
        let found = self.discover(now).await;
        memory.failed = found.as_ref().err().map(|error| (now, error.clone()));
        let known = Arc::new(found?);
        memory.known = Some(Arc::clone(&known));
        Ok(known)
    }

    /// The same with newer keys than these, if it is time to ask for them.
    pub(super) async fn with_newer_keys(&self, than: &Arc<Known>, now: Timestamp) -> Result<Arc<Known>, OidcError> {
        let mut memory = self.memory.lock().await;
        if let Some(newer) = memory.known.as_ref().filter(|known| !Arc::ptr_eq(known, than)) {
            return Ok(Arc::clone(newer));
        }
        if now.duration_since(than.keys_at) < KEYS_AGAIN {
            return Ok(Arc::clone(than));
        }
        let metadata = than.metadata.clone();
        let keys = self.keys(&metadata.jwks_uri).await?;
        let known = Arc::new(Known { metadata, keys, found_at: than.found_at, keys_at: now });
        memory.known = Some(Arc::clone(&known));
        Ok(known)
    }

    async fn discover(&self, now: Timestamp) -> Result<Known, OidcError> {
        let metadata = Metadata::read(&self.issuer, &self.get(self.issuer.metadata_url(), None).await?)?;
        let keys = self.keys(&metadata.jwks_uri).await?;
        Ok(Known { metadata, keys, found_at: now, keys_at: now })
    }

    async fn keys(&self, url: &Url) -> Result<KeySet, OidcError> {
        let answer = self.get(url.clone(), None).await?;
        let keys = Some(&answer).filter(|answer| answer.status.is_success());
        keys.and_then(|answer| KeySet::read(&answer.body)).ok_or_else(|| self.wrong("something else than its keys"))
    }

    /// What the userinfo endpoint says of whom an access token is about.
    pub(super) async fn userinfo(&self, url: &Url, access: &Secret<String>) -> Result<Members, OidcError> {
        let answer = self.get(url.clone(), Some(access)).await?;
        let said = Some(&answer).filter(|answer| answer.status.is_success());
        let said = said.and_then(|answer| serde_json::from_slice(&answer.body).ok());
        said.ok_or_else(|| self.wrong("something else than what it knows of the person"))
    }

    #[expect(clippy::disallowed_methods, reason = "here the access token is put on the request for userinfo")]
    async fn get(&self, url: Url, access: Option<&Secret<String>>) -> Result<ApiResponse, OidcError> {
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(access) = access {
            let bearer = HeaderValue::try_from(format!("Bearer {}", access.expose()));
            let mut bearer = bearer.map_err(|_| self.wrong("an access token that fits no header"))?;
            bearer.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        Ok(self.http.send(request).await?)
    }

    fn wrong(&self, saw: &'static str) -> OidcError {
        OidcError::NotAProvider { issuer: self.issuer.to_string(), saw }
    }
}
