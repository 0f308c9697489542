//! Browser sessions: how one begins and ends. The pages around it are in [`pages`](crate::pages).
//!
//! A session is a random value in a cookie; the store knows its hash and its end, so that signing out ends it on the
//! server too. One-time links are made by [`App::sign_in_link`] and used up by [`with_link`], which only a POST may call:
//! programs that fetch links to preview them must not use one up.

use http::{HeaderMap, HeaderValue, header};
use jiff::SignedDuration;
use valetkey_model::{AuditAction, AuditActor, AuditEvent, Problem, ProblemCode, UserId};
use valetkey_seal::{TokenHash, mint};

use crate::{App, auth, client::ClientAddress};

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
        return begin(app, &UserId::admin(), "link", from).await;
    }
    Err(Problem::new(ProblemCode::Unauthenticated, "This sign-in link was used already, or is too old.")
        .remedy("Sign in with an API token, or start the server again for a new link."))
}

/// Begins a browser session for the owner of an API token; the value is for a `Set-Cookie` header.
///
/// # Errors
/// `unauthenticated` for a token that is unknown or has ended.
pub(crate) async fn with_token(app: &App, token: &str, from: ClientAddress) -> Result<HeaderValue, Problem> {
    let caller = auth::by_token(app, token.trim()).await?;
    begin(app, &caller.actor.user, "token", from).await
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
    Ok(set_cookie(app, "", 0))
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
async fn begin(app: &App, user: &UserId, way: &str, from: ClientAddress) -> Result<HeaderValue, Problem> {
    let event = app.integrations.trail().event(AuditActor::Person(user.clone()), AuditAction::SignIn);
    app.integrations.trail().record(AuditEvent { from: from.0, ..event.with("by", way) }).await?;
    let token = mint("", &*app.entropy);
    let now = app.now();
    app.store.purge_sign_ins(now).await?;
    app.store.insert_web_session(TokenHash::of_secret(&token).as_str(), user, now + SESSION).await?;
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
