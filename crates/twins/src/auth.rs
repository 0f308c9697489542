//! The credential that a request presents, in the headers that each door accepts.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Git over HTTP: the password of a Basic pair; any user name will do.
pub(crate) fn for_git(headers: &HeaderMap) -> Option<String> {
    basic_pair(authorization(headers)?).map(|(_, password)| password)
}

/// GitLab's API: `PRIVATE-TOKEN`, or a bearer token.
pub(crate) fn for_gitlab(headers: &HeaderMap) -> Option<String> {
    let private = headers.get("private-token").and_then(|token| token.to_str().ok());
    private.or_else(|| after_scheme(authorization(headers)?, "Bearer")).map(str::to_owned)
}

/// GitHub's API: a bearer token under either of its names, or a Basic pair.
pub(crate) fn for_github(headers: &HeaderMap) -> Option<String> {
    let authorization = authorization(headers)?;
    let bearer = after_scheme(authorization, "Bearer").or_else(|| after_scheme(authorization, "token"));
    bearer.map(str::to_owned).or_else(|| basic_pair(authorization).map(|(_, password)| password))
}

/// The user name and password of an `Authorization: Basic` value.
pub(crate) fn basic_pair(authorization: &str) -> Option<(String, String)> {
    let encoded = after_scheme(authorization, "Basic")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

fn after_scheme<'a>(authorization: &'a str, scheme: &str) -> Option<&'a str> {
    let (given, rest) = authorization.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
