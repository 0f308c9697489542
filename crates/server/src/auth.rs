//! Who is asking. Identity comes from a bearer token or a browser session that we issued, from an access token that the
//! identity provider signed, or from a proxy that proves itself by a shared secret; never from a header that merely says so.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request::Parts};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;
use valetkey_model::{Actor, Limits, Problem, ProblemCode, ProjectName, UserId};
use valetkey_seal::{Secret, TokenHash};

use crate::{
    App,
    problem::Failure,
    sign_in::{self, IdentityProvider},
};

/// The person behind a request, proven. Handlers of rows with [`Permission::User`](crate::route::Permission) take it as
/// an argument.
///
/// It travels as an extension of the request, which exists only in this process: nothing that arrives over the network
/// can make one.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who, with what they may do.
    pub(crate) actor: Actor,
    proof: Proof,
}

/// How somebody proved who they are.
#[derive(Debug, Clone)]
enum Proof {
    /// They are this process, or know the token of its settings: it holds for as long as the process runs.
    Process,
    /// With an API token.
    Token(TokenHash),
    /// With the cookie of a browser session.
    Browser(TokenHash),
    /// With an access token of the identity provider, until its end.
    AccessToken { user: UserId, ends: Timestamp },
    /// By the word of the trusted proxy.
    Proxy(UserId),
}

impl Caller {
    /// The built-in administrator.
    pub(crate) fn admin() -> Self {
        Self { actor: Actor::admin(), proof: Proof::Process }
    }

    /// The browser session that proves it, where one does.
    pub(crate) fn browser(&self) -> Option<&TokenHash> {
        match &self.proof {
            Proof::Browser(hash) => Some(hash),
            Proof::Process | Proof::Token(_) | Proof::AccessToken { .. } | Proof::Proxy(_) => None,
        }
    }

    /// Who they are now, and what they may do now; none if their credential holds no more.
    pub(crate) async fn anew(&self, app: &App) -> Result<Option<Actor>, Problem> {
        self.proof.whose(app).await
    }

    /// Waits until the caller's credential holds no more, or they are not in the project any more. What this process ends
    /// is seen at once, the rest within [`LOOK_AGAIN`].
    pub(crate) fn turned_away(self, app: App, project: ProjectName) -> impl Future<Output = ()> {
        let mut ended = app.ended_credentials.subscribe();
        async move {
            // A database that does not answer says nothing about the credential.
            while self.proof.whose(&app).await.map_or(true, |actor| actor.is_some_and(|it| it.role(&project).is_some()))
            {
                let _ = timeout(LOOK_AGAIN, ended.changed()).await;
            }
        }
    }
}

/// The bearer token of a request for what sessions may ask for: a session's own, and nobody else's.
pub(crate) struct SessionToken(Secret<String>);

impl SessionToken {
    /// The text, to be compared by its hash.
    #[expect(clippy::disallowed_methods, reason = "it is looked up by its hash")]
    pub(crate) fn as_str(&self) -> &str {
        self.0.expose()
    }
}

impl<S: Sync> FromRequestParts<S> for SessionToken {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let credentials = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = credentials.and_then(bearer).filter(|token| !token.is_empty()).ok_or_else(unauthenticated)?;
        Ok(Self(Secret::from(token)))
    }
}

/// How long a credential that another process ended, or that ran out, may still be listened with.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Proof {
    /// Who it stands for, if it holds.
    async fn whose(&self, app: &App) -> Result<Option<Actor>, Problem> {
        let now = app.now();
        let (user, limits) = match self {
            Self::Process => return Ok(Some(Actor::admin())),
            Self::Browser(hash) => (app.store.web_session(hash.as_str(), now).await?, Limits::default()),
            Self::AccessToken { user, ends } => (Some(user.clone()).filter(|_| now < *ends), Limits::default()),
            Self::Proxy(user) => (Some(user.clone()), Limits::default()),
            Self::Token(hash) => {
                let known = app.store.token_by_hash(hash.as_str()).await?;
                let known = known.filter(|known| known.expires_at.is_none_or(|end| now < end));
                if let Some(known) = known.as_ref().filter(|known| is_stale(known.last_used_at, now)) {
                    app.store.touch_token(&known.id, now).await?;
                }
                match known {
                    Some(known) => (Some(known.owner), known.limits),
                    None => (None, Limits::default()),
                }
            }
        };
        let Some(user) = user else { return Ok(None) };
        Ok(app.store.actor(&user).await?.map(|actor| actor.limited(limits)))
    }

    async fn into_caller(self, app: &App) -> Result<Caller, Problem> {
        let actor = self.whose(app).await?.ok_or_else(unauthenticated)?;
        Ok(Caller { actor, proof: self })
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| unauthenticated().into())
    }
}

/// Finds out who sent a request: by its bearer token, else by its browser session, else by the trusted proxy's word.
///
/// # Errors
/// `unauthenticated`. A bearer token that is not valid is refused even if there is a valid cookie too.
pub(crate) async fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    if let Some(credentials) = headers.get(header::AUTHORIZATION) {
        let token = credentials.to_str().ok().and_then(bearer).ok_or_else(unauthenticated)?;
        return match &app.sign_in.identity_provider {
            Some(provider) if is_jwt(token) => by_access_token(app, provider, token).await,
            _ => by_token(app, token).await,
        };
    }
    // Whoever signed in here by a link or a token means to be who that says, also behind the proxy.
    if let Some(cookie) = sign_in::cookie(headers) {
        let browser = Proof::Browser(TokenHash::of(cookie));
        if let Some(actor) = browser.whose(app).await? {
            return Ok(Caller { actor, proof: browser });
        }
    }
    let person = sign_in::person_behind(app, headers).await?.ok_or_else(unauthenticated)?;
    Proof::Proxy(person).into_caller(app).await
}

async fn by_access_token(app: &App, provider: &IdentityProvider, token: &str) -> Result<Caller, Problem> {
    let (person, ends) = provider.person_with(app, &Secret::from(token)).await?;
    Proof::AccessToken { user: person.id, ends }.into_caller(app).await
}

/// Whether it has the form of what an identity provider signs; none of our own tokens has.
fn is_jwt(token: &str) -> bool {
    token.starts_with("ey") && token.split('.').count() == 3
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
    Proof::Token(hash).into_caller(app).await
}

/// Whether it is time to note a use again: a write per request would make all requests queue.
fn is_stale(last_used: Option<Timestamp>, now: Timestamp) -> bool {
    last_used.is_none_or(|at| now.duration_since(at) >= SignedDuration::from_mins(1))
}

fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthenticated() -> Problem {
    Problem::new(ProblemCode::Unauthenticated, "Sign in, or send a valid API token.")
        .remedy("`Authorization: Bearer TOKEN`; tokens are made with `valetkey tokens create` or on the Tokens page.")
}
