//! What a request carries, and how the secrets in it are kept out of what is said about the answer.

use std::cmp::Reverse;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};
use reqwest::Request;
use serde_json::{Map, Value, json};
use url::form_urlencoded::{self, byte_serialize};
use valetkey_seal::Secret;

use super::{ClientAuth, OAuthApp};

/// The fields of a request to an OAuth endpoint.
pub(super) struct Fields<'a> {
    fields: Vec<(&'static str, &'a str)>,
    secrets: Secrets,
}

impl<'a> Fields<'a> {
    pub(super) fn new() -> Self {
        Self { fields: Vec::new(), secrets: Secrets::default() }
    }

    pub(super) fn plain(mut self, name: &'static str, value: &'a str) -> Self {
        self.fields.push((name, value));
        self
    }

    #[expect(clippy::disallowed_methods, reason = "here codes, tokens and secrets are put on a request")]
    pub(super) fn secret(mut self, name: &'static str, value: &'a Secret<String>) -> Self {
        self.secrets.add(value.expose());
        self.fields.push((name, value.expose()));
        self
    }

    /// Puts the fields on the request, with the proof of who asks.
    pub(super) fn put_on(mut self, request: &mut Request, auth: ClientAuth, app: OAuthApp<'a>) -> Secrets {
        match (auth, app.client_secret) {
            (ClientAuth::Basic, Some(secret)) => {
                let header = self.secrets.basic(app.client_id, secret);
                request.headers_mut().insert(header::AUTHORIZATION, header);
            }
            (_, Some(secret)) => {
                self = self.plain("client_id", app.client_id).secret("client_secret", secret);
            }
            (_, None) => self = self.plain("client_id", app.client_id),
        }
        let (kind, body) = match auth {
            ClientAuth::Json => ("application/json", self.json()),
            ClientAuth::Basic | ClientAuth::Form => ("application/x-www-form-urlencoded", self.form()),
        };
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        *request.body_mut() = Some(body.into());
        self.secrets
    }

    fn form(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }

    fn json(&self) -> String {
        let members = self.fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        Value::Object(members.collect::<Map<_, _>>()).to_string()
    }
}

/// Texts that must not be repeated.
#[derive(Default)]
pub(super) struct Secrets(Vec<Secret<String>>);

impl Secrets {
    pub(super) fn add(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.0.extend([secret.into(), Secret::new(encoded(secret))]);
        }
    }

    /// A header with user name and password, both encoded as RFC 6749 wants it.
    #[expect(clippy::disallowed_methods, reason = "here the app's secret is put on a request")]
    pub(super) fn basic(&mut self, name: &str, secret: &Secret<String>) -> HeaderValue {
        let pair = Secret::new(format!("{}:{}", encoded(name), encoded(secret.expose())));
        let pair = Secret::new(STANDARD.encode(pair.expose()));
        self.add(secret.expose());
        self.add(pair.expose());
        let mut header = HeaderValue::try_from(format!("Basic {}", pair.expose())).expect("base64 fits a header");
        header.set_sensitive(true);
        header
    }

    /// A header with a token, if it fits one.
    #[expect(clippy::disallowed_methods, reason = "here a token is put on a request to revoke it")]
    pub(super) fn bearer(&mut self, token: &Secret<String>) -> Option<HeaderValue> {
        self.add(token.expose());
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// A JSON body with a token as its only member.
    #[expect(clippy::disallowed_methods, reason = "here a token is put on a request to revoke it")]
    pub(super) fn json(&mut self, name: &str, token: &Secret<String>) -> String {
        self.add(token.expose());
        json!({ name: token.expose() }).to_string()
    }

    /// The text without them.
    #[expect(clippy::disallowed_methods, reason = "a text is searched for secrets to remove them")]
    pub(super) fn strike_out(&self, text: &str) -> String {
        let mut longest_first: Vec<&str> = self.0.iter().map(|secret| secret.expose().as_str()).collect();
        longest_first.sort_unstable_by_key(|secret| Reverse(secret.len()));
        longest_first.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
