//! What ties a sign-in at an identity provider to the browser that began it.
//!
//! Nothing is stored here: the browser keeps one random value in a cookie, and state, nonce and PKCE verifier are made of it.
//! Whoever has not got the cookie can't know the state. When it began and where it goes on are part of what they are made
//! of, so that neither can be changed on the way.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use valetkey_providers::oidc::AttemptSecrets;
use valetkey_seal::{Secret, derive, mint};

use super::{LocalPath, cookie_for, cookie_named};
use crate::App;

const COOKIE: &str = "valetkey_sign_in";
const PATH: &str = "/sign-in/oidc";
/// Long enough to find one's second factor.
const TIME: SignedDuration = SignedDuration::from_mins(10);

/// A sign-in under way.
pub(super) struct Attempt {
    value: Secret<String>,
    begun_at: Timestamp,
    pub(super) return_to: LocalPath,
}

impl Attempt {
    /// A new one.
    pub(super) fn new(app: &App, return_to: LocalPath) -> Self {
        Self { value: mint("", &*app.entropy), begun_at: app.now(), return_to }
    }

    /// The one that a browser brings back, if its time is not over.
    pub(super) fn of(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let mut parts = cookie_named(headers, COOKIE)?.splitn(3, '.');
        let (value, seconds, path) = (parts.next()?, parts.next()?, parts.next()?);
        let begun_at = Timestamp::from_second(seconds.parse().ok()?).ok()?;
        let path = String::from_utf8(URL_SAFE_NO_PAD.decode(path).ok()?).ok()?;
        let age = now.duration_since(begun_at);
        let whole = value.len() == 43 && age >= -SignedDuration::from_secs(1) && age < TIME;
        whole.then(|| Self { value: Secret::from(value), begun_at, return_to: LocalPath::of(&path) })
    }

    pub(super) fn secrets(&self) -> AttemptSecrets {
        AttemptSecrets { state: self.made("state"), nonce: self.made("nonce"), verifier: self.made("verifier") }
    }

    fn made(&self, purpose: &str) -> Secret<String> {
        derive(&self.value, &format!("sign-in {purpose} {} {}", self.begun_at.as_second(), self.return_to))
    }

    /// Has the browser keep it until it comes back.
    #[expect(clippy::disallowed_methods, reason = "the browser is told what it will be recognised by")]
    pub(super) fn cookie(&self, app: &App) -> HeaderValue {
        let path = URL_SAFE_NO_PAD.encode(self.return_to.as_str());
        let value = format!("{}.{}.{path}", self.value.expose(), self.begun_at.as_second());
        cookie_for(app, &format!("{COOKIE}={value}; Path={PATH}"), TIME.as_secs())
    }
}

/// Has the browser drop it.
pub(super) fn drop_cookie(app: &App) -> HeaderValue {
    cookie_for(app, &format!("{COOKIE}=; Path={PATH}"), 0)
}
