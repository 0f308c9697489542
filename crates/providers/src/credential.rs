use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use valetkey_model::AuthMethod;
use valetkey_seal::Secret;

use crate::ProviderError;

/// What an integration's requests are authenticated with: what is sealed and stored of it.
#[derive(Clone)]
pub struct Credential {
    /// How it was got, which also says how it is sent.
    pub method: AuthMethod,
    /// What goes with the secret and is none: a user name or e-mail address, or the name of a header.
    pub login: Option<String>,
    /// The secret itself: a token, an access token.
    pub token: Secret<String>,
    /// What a new access token is got with.
    pub refresh: Option<Secret<String>>,
    /// How a person consented, where one did.
    pub consent: Option<Consent>,
}

/// How a person consented to an access. Nothing of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The callback's address; some providers want it again with every refresh.
    pub redirect_uri: String,
    /// The scopes that were asked for.
    pub asked: Vec<String>,
    /// When it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// How git presents a credential over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitAuth {
    /// As the password of this user.
    Basic {
        /// The user name; may be empty.
        user: String,
    },
    /// As a bearer token.
    Bearer,
}

/// The stored form of all but the simplest credentials.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<String>,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent: Option<Consent>,
}

impl Credential {
    /// A token by itself.
    pub fn pat(token: Secret<String>) -> Self {
        Self { method: AuthMethod::Pat, login: None, token, refresh: None, consent: None }
    }

    /// The text to seal. A token by itself is stored as it is; no token begins with a brace.
    #[expect(clippy::disallowed_methods, reason = "the credential is written out to be sealed")]
    pub fn to_text(&self) -> Secret<String> {
        let alone = self.login.is_none() && self.refresh.is_none() && self.consent.is_none();
        if alone && !self.token.expose().starts_with('{') {
            return self.token.clone();
        }
        let stored = Stored {
            login: self.login.clone(),
            token: self.token.expose().clone(),
            refresh: self.refresh.as_ref().map(|refresh| refresh.expose().clone()),
            consent: self.consent.clone(),
        };
        Secret::new(serde_json::to_string(&stored).expect("plain strings are JSON"))
    }

    /// Reads what was sealed; none if it is no credential.
    #[expect(clippy::disallowed_methods, reason = "what was opened is read")]
    pub fn from_text(method: AuthMethod, text: Secret<String>) -> Option<Self> {
        if !text.expose().starts_with('{') {
            return Some(Self { method, login: None, token: text, refresh: None, consent: None });
        }
        let stored: Stored = serde_json::from_str(text.expose()).ok()?;
        let Stored { login, token, refresh, consent } = stored;
        Some(Self { method, login, token: Secret::new(token), refresh: refresh.map(Secret::new), consent })
    }

    /// The `Authorization` header as git sends it.
    ///
    /// # Errors
    /// [`ProviderError::TokenMalformed`] if it fits no header.
    pub fn git_header(&self, auth: &GitAuth) -> Result<HeaderValue, ProviderError> {
        match auth {
            GitAuth::Basic { user } => self.basic(user),
            GitAuth::Bearer => self.after("Bearer "),
        }
    }

    /// A header's value: the secret after `scheme`.
    #[expect(clippy::disallowed_methods, reason = "here a token is put on a request")]
    pub(crate) fn after(&self, scheme: &str) -> Result<HeaderValue, ProviderError> {
        sensitive(format!("{scheme}{}", self.token.expose()))
    }

    /// Basic authentication with the secret as the password of `user`.
    #[expect(clippy::disallowed_methods, reason = "here a token is put on a request")]
    pub(crate) fn basic(&self, user: &str) -> Result<HeaderValue, ProviderError> {
        sensitive(format!("Basic {}", STANDARD.encode(format!("{user}:{}", self.token.expose()))))
    }
}

fn sensitive(text: String) -> Result<HeaderValue, ProviderError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| ProviderError::TokenMalformed)?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("method", &self.method).field("token", &self.token).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at made-up secrets")]
    fn what_is_stored_is_read_again() {
        let full = Credential {
            method: AuthMethod::OAuth,
            login: Some("j@x.test".into()),
            token: "a\"b".into(),
            refresh: Some("r".into()),
            consent: Some(Consent {
                redirect_uri: "https://v.test/oauth/callback".into(),
                asked: vec!["api".into()],
                at: None,
            }),
        };
        let odd = Credential::pat("{not json".into());
        for one in [full, odd, Credential::pat("glpat-x".into())] {
            let again = Credential::from_text(one.method, one.to_text()).unwrap();
            assert_eq!(again.token.expose(), one.token.expose());
            assert_eq!((again.login, again.consent), (one.login, one.consent));
            assert_eq!(again.refresh.map(|r| r.expose().clone()), one.refresh.map(|r| r.expose().clone()));
        }
        assert_eq!(Credential::pat("glpat-x".into()).to_text().expose(), "glpat-x");
        assert!(Credential::from_text(AuthMethod::OAuth, "{}".into()).is_none());
    }

    #[test]
    fn nothing_shows_it() {
        let one = Credential { refresh: Some("canary-2".into()), ..Credential::pat("canary-1".into()) };
        assert!(!format!("{one:?}").contains("canary"));
        let header = one.git_header(&GitAuth::Basic { user: "oauth2".into() }).unwrap();
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert!(Credential::pat("a\nb".into()).git_header(&GitAuth::Bearer).is_err());
    }
}
