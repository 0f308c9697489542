//! Who is asking. Identity comes from a bearer token or a browser session that we issued, never from a header that
//! merely says so.

use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};
use valetkey_model::{Problem, ProblemCode, UserId};
use valetkey_seal::TokenHash;

use crate::{App, problem::Failure, sign_in};

/// The person behind a request, proven. Handlers of rows with [`Permission::User`](crate::route::Permission) take it as
/// an argument.
///
/// It travels as an extension of the request, which exists only in this process: nothing that arrives over the network
/// can make one.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) user: UserId,
}

impl Caller {
    /// The built-in administrator.
    pub(crate) fn admin() -> Self {
        Self { user: UserId::admin() }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| unauthenticated().into())
    }
}

/// Finds out who sent a request: by its bearer token, else by its browser session.
///
/// # Errors
/// `unauthenticated`. A bearer token that is not valid is refused even if there is a valid cookie too.
pub(crate) async fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    if let Some(credentials) = headers.get(header::AUTHORIZATION) {
        let token = credentials.to_str().ok().and_then(bearer).ok_or_else(unauthenticated)?;
        return by_token(app, token).await;
    }
    match sign_in::cookie(headers) {
        Some(cookie) => by_cookie(app, cookie).await,
        None => Err(unauthenticated()),
    }
}

/// Who an API token speaks for.
///
/// # Errors
/// `unauthenticated` for one that is unknown or has ended.
pub(crate) async fn by_token(app: &App, token: &str) -> Result<Caller, Problem> {
    // Tokens are recognised by their hash, so how long a refusal takes says nothing about how close a guess was.
    let hash = TokenHash::of(token);
    if app.config.admin_token.as_ref() == Some(&hash) {
        return Ok(Caller::admin());
    }
    let now = app.now();
    let known = app.store.token_by_hash(hash.as_str()).await?;
    let known = known.filter(|known| known.expires_at.is_none_or(|end| now < end)).ok_or_else(unauthenticated)?;
    app.store.touch_token(&known.id, now).await?;
    Ok(Caller { user: known.owner })
}

async fn by_cookie(app: &App, cookie: &str) -> Result<Caller, Problem> {
    let user = app.store.web_session(TokenHash::of(cookie).as_str(), app.now()).await?;
    user.map(|user| Caller { user }).ok_or_else(unauthenticated)
}

fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthenticated() -> Problem {
    Problem::new(ProblemCode::Unauthenticated, "Sign in, or send a valid API token.")
        .remedy("`Authorization: Bearer TOKEN`; tokens are made with `valetkey tokens create` or on the Tokens page.")
}
