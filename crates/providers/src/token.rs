//! The only places of this crate where a token is looked at.

use aws_lc_rs::digest;
use http::HeaderValue;
use serde_json::Value;
use valetkey_seal::Secret;

use crate::{api::Answer, http::ApiResponse};

/// Whether the token has a form that `fits`.
#[expect(clippy::disallowed_methods, reason = "a token's form is checked before it is sent anywhere")]
pub(crate) fn has_form(token: &Secret<String>, fits: impl FnOnce(&str) -> bool) -> bool {
    fits(token.expose())
}

/// What tells one token from another without telling anything of it: the beginning of its SHA-256.
#[expect(clippy::disallowed_methods, reason = "a digest of the token is not the token")]
pub(crate) fn fingerprint(token: &Secret<String>) -> String {
    let digest = digest::digest(&digest::SHA256, token.expose().as_bytes());
    digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The token as a part of a JSON body.
#[expect(clippy::disallowed_methods, reason = "here a token is put on a request to revoke it")]
pub(crate) fn json(token: &Secret<String>) -> Value {
    Value::from(token.expose().as_str())
}

/// An answer with the token taken out wherever it repeats it, so that no error text or account name can carry it on.
#[expect(clippy::disallowed_methods, reason = "an answer is searched for the token to remove it")]
pub(crate) fn strike_out(token: &Secret<String>, response: ApiResponse) -> Answer {
    const GONE: &str = "***";
    let ApiResponse { status, mut headers, body } = response;
    let mut body =
        String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let token = token.expose().as_str();
    if !token.is_empty() {
        if body.contains(token) {
            body = body.replace(token, GONE);
        }
        for value in headers.values_mut().filter(|value| value.to_str().is_ok_and(|text| text.contains(token))) {
            *value = HeaderValue::from_static(GONE);
        }
    }
    Answer { status, headers, body }
}
