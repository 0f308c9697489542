//! The credential that a request presents, and what else its head says.

use std::collections::HashMap;

use axum::extract::Query;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The user name and password of an `Authorization: Basic` header.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    basic_pair(authorization(headers)?)
}

pub(crate) fn basic_password(headers: &HeaderMap) -> Option<String> {
    basic(headers).map(|(_, password)| password)
}

/// What follows the scheme of an `Authorization` header.
pub(crate) fn after_scheme<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    value_of_scheme(authorization(headers)?, scheme)
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    after_scheme(headers, "Bearer")
}

/// The user name and password of an `Authorization: Basic` value.
pub(crate) fn basic_pair(authorization: &str) -> Option<(String, String)> {
    let encoded = value_of_scheme(authorization, "Basic")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// A parameter of the query, decoded.
pub(crate) fn query_value(uri: &Uri, name: &str) -> Option<String> {
    Query::<HashMap<String, String>>::try_from_uri(uri).ok()?.0.remove(name)
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

fn value_of_scheme<'a>(authorization: &'a str, scheme: &str) -> Option<&'a str> {
    let (given, rest) = authorization.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
