//! What a browser can prove to be.

use http::{HeaderMap, HeaderValue};
use valetkey_seal::TokenHash;

use crate::{App, sign_in};

const COOKIE: &str = "valetkey_oauth";
/// As long as an attempt.
const SECONDS: i64 = 600;

/// What the cookies of a request prove: a session here, a ticket.
pub(super) fn proofs(headers: &HeaderMap) -> Vec<TokenHash> {
    let ticket = sign_in::cookie_named(headers, COOKIE).filter(|value| !value.is_empty());
    signed_in(headers).into_iter().chain(ticket.map(TokenHash::of)).collect()
}

/// What the cookie of a session here proves.
pub(super) fn signed_in(headers: &HeaderMap) -> Option<TokenHash> {
    sign_in::cookie(headers).map(TokenHash::of)
}

/// Has a browser keep its ticket until it comes back.
pub(super) fn keep(app: &App, ticket: &str) -> HeaderValue {
    sign_in::cookie_for(app, &format!("{COOKIE}={ticket}; Path=/oauth"), SECONDS)
}

/// Has a browser drop it.
pub(super) fn drop(app: &App) -> HeaderValue {
    sign_in::cookie_for(app, &format!("{COOKIE}=; Path=/oauth"), 0)
}
