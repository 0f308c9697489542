//! The only places of this crate where a token is looked at.

use http::HeaderValue;
use valetkey_seal::Secret;

use crate::{ProviderError, api::Answer, http::ApiResponse};

/// Whether the token has a form that `fits`.
#[expect(clippy::disallowed_methods, reason = "a token's form is checked before it is sent anywhere")]
pub(crate) fn has_form(token: &Secret<String>, fits: impl FnOnce(&str) -> bool) -> bool {
    fits(token.expose())
}

/// The value of a header that carries the token after `scheme`.
#[expect(clippy::disallowed_methods, reason = "here a token is put on an API call")]
pub(crate) fn header(scheme: &str, token: &Secret<String>) -> Result<HeaderValue, ProviderError> {
    let value = HeaderValue::try_from(format!("{scheme}{}", token.expose()));
    let mut value = value.map_err(|_| ProviderError::TokenMalformed)?;
    value.set_sensitive(true);
    Ok(value)
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
