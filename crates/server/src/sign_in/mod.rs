//! Browser sessions: how one begins and ends. The pages around it are in [`pages`](crate::pages).
//!
//! Besides by one-time links and API tokens people come in by an identity provider: through OpenID Connect
//! ([`identity_provider`]), which begins a browser session, or behind a reverse proxy that has asked it ([`proxy`]), which
//! needs none.
//!
//! A session is a random value in a cookie; the store knows its hash and its end, so that signing out ends it on the
//! server too. One-time links are made by [`App::sign_in_link`] and used up by [`with_link`], which only a POST may call:
//! programs that fetch links to preview them must not use one up.

mod attempt;
mod identity_provider;
mod local_path;
mod proxy;

use http::{HeaderMap, HeaderValue, header};
use jiff::SignedDuration;
use valetkey_model::{AuditAction, AuditActor, AuditEvent, Limits, Problem, ProblemCode, UserId};
use valetkey_seal::{TokenHash, mint};
use valetkey_store::{SignInWay, WebSession};

use crate::{App, auth, client::ClientAddress};

pub use identity_provider::IdentityProvider;
pub(crate) use identity_provider::{
    Arrival, Departure, begin as begin_at_identity_provider, finish as finish_at_identity_provider,
};
pub(crate) use local_path::LocalPath;
pub use proxy::TrustedProxy;
pub(crate) use proxy::person_behind;

/// By what people come in, besides one-time links and API tokens.
#[derive(Debug, Default)]
pub struct SignIn {
    /// An OpenID provider.
    pub identity_provider: Option<IdentityProvider>,
    /// A reverse proxy that says who sends a request.
    pub proxy: Option<TrustedProxy>,
}

const COOKIE: &str = "valetkey_session";
const SESSION: SignedDuration = SignedDuration::from_hours(30 * 24);
const LINK: SignedDuration = SignedDuration::from_mins(15);

impl App {
    /// Makes a link that signs one browser in as the administrator, once, within 15 minutes.
    ///
    /// # Errors
    /// When the store fails.
    #[expect(clippy::disallowed_methods, reason = "the link is shown to the person who started the server")]
    pub async fn sign_in_link(&self) -> Result<String, Problem> {
        let token = mint("vks_", &*self.entropy);
        let hash = TokenHash::of_secret(&token);
        self.store.insert_sign_in_link(hash.as_str(), self.now() + LINK).await?;
        Ok(self.url(&format!("/sign-in/{}", token.expose())))
    }
}

/// Uses a one-time link up and begins a browser session; the value is for a `Set-Cookie` header.
///
/// # Errors
/// `unauthenticated` for a link that is unknown, used or too old.
pub(crate) async fn with_link(app: &App, token: &str, from: ClientAddress) -> Result<HeaderValue, Problem> {
    if app.store.consume_sign_in_link(TokenHash::of(token).as_str(), app.now()).await? {
        return begin(app, &UserId::admin(), SignInWay::Link, from).await;
    }
    Err(Problem::new(ProblemCode::Unauthenticated, "This sign-in link was used already, or is too old.")
        .remedy("Sign in with an API token, or start the server again for a new link."))
}

/// Begins a browser session for the owner of an API token; the value is for a `Set-Cookie` header.
///
/// # Errors
/// `unauthenticated` for a token that is unknown or has ended, or that may do less than its owner.
pub(crate) async fn with_token(app: &App, token: &str, from: ClientAddress) -> Result<HeaderValue, Problem> {
    let caller = auth::by_token(app, token.trim()).await?;
    if caller.actor.limits() != &Limits::default() {
        return Err(Problem::new(
            ProblemCode::Unauthenticated,
            "This token may do less than its owner; a browser session would not.",
        )
        .remedy("Sign in with a token for all projects that may write."));
    }
    begin(app, &caller.actor.user, SignInWay::Token, from).await
}

/// Ends the browser session of a request, if it has one; the value is for a `Set-Cookie` header.
///
/// # Errors
/// When the store fails.
pub(crate) async fn end(app: &App, headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    if let Some(value) = cookie(headers) {
        app.store.delete_web_session(TokenHash::of(value).as_str()).await?;
        app.ended_credentials.send_replace(());
    }
    Ok(drop_cookie(app))
}

/// Has a browser drop its session's cookie.
pub(crate) fn drop_cookie(app: &App) -> HeaderValue {
    set_cookie(app, "", 0)
}

/// Ends all of somebody's browser sessions; returns how many there were.
///
/// # Errors
/// When the store fails.
pub(crate) async fn end_all(app: &App, user: &UserId) -> Result<u64, Problem> {
    let ended = app.store.delete_web_sessions_of(user).await?;
    app.ended_credentials.send_replace(());
    Ok(ended)
}

/// The value of a request's session cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_named(headers, COOKIE)
}

/// The value of a request's cookie of this name.
pub(crate) fn cookie_named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Begins a browser session, and records who signed in, by which way and from where, before the browser is told of it.
#[expect(clippy::disallowed_methods, reason = "the browser is told the session that was just made for it")]
async fn begin(app: &App, user: &UserId, way: SignInWay, from: ClientAddress) -> Result<HeaderValue, Problem> {
    let event = app.integrations.trail().event(AuditActor::Person(user.clone()), AuditAction::SignIn);
    app.integrations.trail().record(AuditEvent { from: from.0, ..event.with("by", way.as_str()) }).await?;
    let token = mint("", &*app.entropy);
    let now = app.now();
    app.store.purge_sign_ins(now).await?;
    let session = WebSession {
        hash: TokenHash::of_secret(&token).as_str().to_owned(),
        owner: user.clone(),
        way: Some(way),
        begun_at: Some(now),
        expires_at: now + SESSION,
    };
    app.store.insert_web_session(&session).await?;
    Ok(set_cookie(app, token.expose(), SESSION.as_secs()))
}

fn set_cookie(app: &App, value: &str, seconds: i64) -> HeaderValue {
    cookie_for(app, &format!("{COOKIE}={value}; Path=/"), seconds)
}

/// A `Set-Cookie` header that no script and no other site's form can use; `named` is name, value and path.
pub(crate) fn cookie_for(app: &App, named: &str, seconds: i64) -> HeaderValue {
    let secure = if app.config.public_url.scheme() == "https" { "; Secure" } else { "" };
    let text = format!("{named}; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let mut header = HeaderValue::try_from(text).expect("URL-safe base64 and constants");
    header.set_sensitive(true);
    header
}
