//! Consent in the browser: how it begins, where it comes back to, and what binds the two.
//!
//! An attempt belongs to one browser. One that is signed in here proves itself by its session's cookie. A program has no
//! browser yet: it gets an address of ours with a random ticket; the browser that opens it keeps the ticket in a cookie for
//! ten minutes and is sent on to the provider. An answer that comes with neither cookie is refused.

mod browser;
mod pages;

use jiff::Timestamp;
use valetkey_integrations::{Begun, ConsentRequest, Finished};
use valetkey_model::{OAuthAttemptId, Problem, ProblemCode};
use valetkey_seal::{TokenHash, mint};

pub(crate) use pages::rows;

use crate::{App, auth::Caller};
use http::HeaderMap;

/// A browser's way to a provider.
pub(crate) struct Departure {
    /// Where the browser goes first.
    pub(crate) url: String,
    /// The attempt, to ask for its outcome.
    pub(crate) attempt: OAuthAttemptId,
    /// When it is too late.
    pub(crate) expires_at: Timestamp,
}

/// The address that is registered with providers.
pub(crate) fn callback_url(app: &App) -> String {
    app.url("/oauth/callback")
}

/// Starts an attempt for the caller's own browser, or for the one that opens the address first.
///
/// # Errors
/// As [`Integrations::begin_consent`](valetkey_integrations::Integrations::begin_consent).
#[expect(clippy::disallowed_methods, reason = "whoever asks is given the ticket for their browser")]
pub(crate) async fn begin(app: &App, caller: &Caller, request: ConsentRequest) -> Result<Departure, Problem> {
    if let Some(session) = caller.browser() {
        let Begun { attempt, authorize_url, expires_at } = app.integrations.begin_consent(request, session).await?;
        return Ok(Departure { url: authorize_url.into(), attempt, expires_at });
    }
    let ticket = mint("", &*app.entropy);
    let begun = app.integrations.begin_consent(request, &TokenHash::of_secret(&ticket)).await?;
    let Begun { attempt, expires_at, .. } = begun;
    let url = app.url(&format!("/oauth/start/{attempt}?ticket={}", ticket.expose()));
    Ok(Departure { url, attempt, expires_at })
}

/// Takes the answer that a browser brought. It is worked on to its end though the browser goes away: it is good once.
///
/// # Errors
/// As [`Integrations::finish_consent`](valetkey_integrations::Integrations::finish_consent).
pub(crate) async fn finish(app: &App, headers: &HeaderMap, query: Option<String>) -> Result<Finished, Problem> {
    let (integrations, proofs) = (app.integrations.clone(), browser::proofs(headers));
    let work = async move { integrations.finish_consent(&query.unwrap_or_default(), &proofs).await };
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Problem::new(ProblemCode::Internal, "The answer was not taken.")))
}
