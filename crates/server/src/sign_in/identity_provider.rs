//! Signing in at an OpenID provider.

use http::{HeaderMap, HeaderValue};
use url::Url;
use valetkey_model::{Admission, Problem, ProblemCode, UserId};
use valetkey_providers::oidc::{OidcError, RelyingParty};
use valetkey_seal::Secret;
use valetkey_store::{SignInWay, UserRecord};

use super::{
    LocalPath,
    attempt::{Attempt, drop_cookie},
    begin as begin_session,
};
use crate::{App, client::ClientAddress};

/// An OpenID provider, as an administrator set it.
#[derive(Debug)]
pub struct IdentityProvider {
    /// What its button says: "Sign in with …".
    pub name: String,
    /// Us, as its client.
    pub party: RelyingParty,
    /// Whom to let in.
    pub admission: Admission,
}

/// A browser on its way to the identity provider.
pub(crate) struct Departure {
    /// What it must keep until it comes back.
    pub(crate) cookie: HeaderValue,
    /// Where it goes.
    pub(crate) url: Url,
}

/// A browser that came back.
pub(crate) struct Arrival {
    /// The new browser session's cookie, and where it goes on; or why there is none.
    pub(crate) outcome: Result<(HeaderValue, LocalPath), Problem>,
    /// Has the browser drop what it kept.
    pub(crate) dropped: HeaderValue,
}

/// The address that is registered with the identity provider.
fn redirect_uri(app: &App) -> String {
    app.url("/sign-in/oidc/callback")
}

/// Sends a browser to sign in.
///
/// # Errors
/// `not_found` where no identity provider is set; when it can't be asked where to go.
pub(crate) async fn begin(app: &App, return_to: LocalPath) -> Result<Departure, Problem> {
    let provider = set(app)?;
    let attempt = Attempt::new(app, return_to);
    let url = provider.party.authorize_url(&redirect_uri(app), &attempt.secrets(), app.now()).await;
    let url = url.map_err(|error| refused(app, error))?;
    Ok(Departure { cookie: attempt.cookie(app), url })
}

/// Takes what the identity provider sent a browser back with, and begins a browser session for whoever it says it is. An
/// attempt is over with its first answer, whatever it is.
pub(crate) async fn finish(app: &App, headers: &HeaderMap, query: &str, from: ClientAddress) -> Arrival {
    Arrival { outcome: arrived(app, headers, query, from).await, dropped: drop_cookie(app) }
}

async fn arrived(
    app: &App,
    headers: &HeaderMap,
    query: &str,
    from: ClientAddress,
) -> Result<(HeaderValue, LocalPath), Problem> {
    let provider = set(app)?;
    let attempt = Attempt::of(headers, app.now()).ok_or(OidcError::OtherAttempt)?;
    let claims = provider.party.finish(&redirect_uri(app), query, &attempt.secrets(), app.now()).await;
    let claims = claims.map_err(|error| refused(app, error))?;
    provider.admission.admit(&claims)?;
    let (now, administrator) = (app.now(), provider.admission.makes_administrator(&claims));
    let person = app.store.sign_in(&UserId::new(now, &*app.entropy), &claims, administrator, now).await?;
    if person.disabled {
        return Err(Problem::new(ProblemCode::Forbidden, "Your account is disabled on this server.")
            .remedy("Ask an administrator to enable it again."));
    }
    Ok((begin_session(app, &person.id, SignInWay::IdentityProvider, from).await?, attempt.return_to))
}

impl IdentityProvider {
    /// Whom an access token of the identity provider is about, among those who have signed in here, and its end.
    ///
    /// What they may do is as it was at their last sign-in: an access token need not say who somebody is.
    pub(crate) async fn person_with(
        &self,
        app: &App,
        access: &Secret<String>,
    ) -> Result<(UserRecord, jiff::Timestamp), Problem> {
        let (claims, end) = self.party.subject_of(access, app.now()).await?;
        let known = app.store.user_by_identity(claims.issuer(), claims.subject()).await?;
        let known = known.ok_or_else(|| {
            Problem::new(ProblemCode::Unauthenticated, "Whom the access token is about has not signed in here yet.")
                .remedy("Sign in once in the browser; then access tokens count too.")
        })?;
        Ok((known, end))
    }
}

fn set(app: &App) -> Result<&IdentityProvider, Problem> {
    let missing = || Problem::new(ProblemCode::NotFound, "No identity provider is set up on this server.");
    app.sign_in.identity_provider.as_ref().ok_or_else(missing)
}

/// What went wrong is an administrator's matter too.
fn refused(app: &App, error: OidcError) -> Problem {
    let issuer = app.sign_in.identity_provider.as_ref().map(|provider| provider.party.issuer().as_str());
    tracing::warn!(issuer, %error, "nobody was signed in by the identity provider");
    error.into()
}
