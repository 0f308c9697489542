//! The JSON web token by which an app proves that it holds its private key.

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::registry::AppRecord;
use crate::auth;
use crate::github::api::Problem;
use crate::limits::in_seconds;
use crate::world::{World, locked};

/// A token may end at most this many seconds from now.
const WINDOW: i64 = 600;

/// The app whose token the headers bear.
pub(super) fn app(world: &World, headers: &HeaderMap) -> Result<AppRecord, Problem> {
    let undecodable = || unauthorized("A JSON web token could not be decoded");
    let token = auth::after_scheme(headers, "Bearer").ok_or_else(undecodable)?;
    let (signed, signature) = token.rsplit_once('.').ok_or_else(undecodable)?;
    let (header, claims) = signed.split_once('.').ok_or_else(undecodable)?;
    let (header, claims) = decoded(header).zip(decoded(claims)).ok_or_else(undecodable)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| undecodable())?;
    if header["alg"] != "RS256" {
        return Err(undecodable());
    }
    let issuer = claims["iss"].as_str().map_or_else(|| claims["iss"].to_string(), str::to_owned);
    let app = locked(&world.apps).app_by_issuer(&issuer).ok_or_else(|| unauthorized("Integration not found"))?;
    if !app.key.verifies(signed.as_bytes(), &signature) {
        return Err(undecodable());
    }
    in_time(&claims)?;
    Ok(app)
}

fn in_time(claims: &Value) -> Result<(), Problem> {
    let now = in_seconds(0).as_second();
    let issued = claims["iat"].as_i64().filter(|issued| *issued <= now);
    if issued.is_none() {
        let message =
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
        return Err(unauthorized(message));
    }
    let end = claims["exp"].as_i64().filter(|end| *end > now).ok_or_else(|| {
        let message = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
            assertion expires";
        unauthorized(message)
    })?;
    if end > now + WINDOW {
        return Err(unauthorized("'Expiration time' claim ('exp') is too far in the future"));
    }
    Ok(())
}

fn unauthorized(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, message)
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
