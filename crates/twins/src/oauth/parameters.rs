//! What a token request brings: its parameters, and the app's credentials.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use super::dialect::{Dialect, Place};
use super::refusal::Refusal;
use crate::auth::basic_pair;

/// A token request.
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
    basic: Option<(String, String)>,
}

impl Parameters {
    pub(crate) fn read(dialect: &Dialect, headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let values = if kind.starts_with("application/json") {
            if !dialect.json_requests {
                return Err(Refusal::Malformed("The request must be form-encoded."));
            }
            let unreadable = |_| Refusal::Malformed("The request body is no JSON object.");
            let object: BTreeMap<String, Value> = serde_json::from_slice(body).map_err(unreadable)?;
            object.into_iter().map(|(name, value)| (name, text(value))).collect()
        } else {
            let unreadable = |_| Refusal::Malformed("The request body is not form-encoded.");
            serde_urlencoded::from_bytes(body).map_err(unreadable)?
        };
        let basic = basic_credentials(headers).filter(|_| dialect.credentials.contains(&Place::Basic));
        Ok(Self { values, basic })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::Malformed("The request is missing a required parameter."))
    }

    /// The client id and secret, from wherever the dialect reads them.
    pub(crate) fn client(&self, dialect: &Dialect) -> Option<(&str, Option<&str>)> {
        if let Some((id, secret)) = &self.basic {
            return Some((id, Some(secret).filter(|secret| !secret.is_empty()).map(String::as_str)));
        }
        let secret = self.get("client_secret").filter(|_| dialect.credentials.contains(&Place::Body));
        Some((self.get("client_id")?, secret))
    }
}

/// The pair of an `Authorization: Basic` header, form-decoded as RFC 6749 has it.
pub(crate) fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (id, secret) = basic_pair(headers.get(AUTHORIZATION)?.to_str().ok()?)?;
    let decoded = |text: String| {
        let pairs: Option<Vec<(String, String)>> = serde_urlencoded::from_str(&format!("v={text}")).ok();
        pairs.and_then(|mut pairs| pairs.pop()).map_or(text, |(_, value)| value)
    };
    Some((decoded(id), decoded(secret)))
}

/// Scopes as they are asked for: some providers separate them by commas.
pub(crate) fn scopes(text: Option<&str>) -> Vec<String> {
    let parts = text.unwrap_or_default().split([' ', ',']).filter(|scope| !scope.is_empty());
    parts.map(str::to_owned).collect()
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
