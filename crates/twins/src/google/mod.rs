//! Google Workspace: Drive, Calendar and Gmail, as far as Valetkey and its agents read them.

mod apis;
mod oauth;
mod refusal;
mod things;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::auth;
use crate::faults::Voice;
use crate::fixtures::{Account, Token, TokenState, User};
use crate::oauth::{Authority, TokenLife};
use crate::people::People;
use crate::seed::Seed;
use crate::service::Provider;
use refusal::Refusal;
use things::Things;

/// What every scope of a Google API begins with.
const SCOPE: &str = "https://www.googleapis.com/auth/";

/// Google's authorization server and its APIs, under one origin.
pub struct Google {
    people: People,
    things: Things,
    authority: Arc<Authority>,
}

/// An access token as Google sees it.
struct Caller {
    account: Account,
    scopes: Vec<String>,
}

impl Caller {
    /// Whether the token has a scope, named by its end.
    fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|has| has == scope || has.strip_prefix(SCOPE) == Some(scope))
    }
}

impl Google {
    /// Creates an account; its address is `<username>@example.test` unless given.
    pub fn user(&self, user: User) -> Account {
        let email = user.email.clone().unwrap_or_else(|| format!("{}@example.test", user.username));
        self.people.join(user.email(&email))
    }

    /// Creates an access token of the account's outside of any flow, and returns its value.
    pub fn access_token(&self, account: &Account, token: Token) -> String {
        self.people.add_key(account, token, || format!("ya29.{}", Seed::random().alphanumeric(60)))
    }

    /// Puts a file on the account's Drive, made by the account itself, and returns its id.
    pub fn file(&self, account: &Account, name: &str) -> String {
        self.things.add_file(account, name, "text/plain", false)
    }

    /// Adds a calendar besides the account's own, and returns its id.
    pub fn calendar(&self, account: &Account, name: &str) -> String {
        self.things.add_calendar(account, name)
    }

    /// Puts a message into the account's mailbox and returns its id.
    pub fn message(&self, account: &Account, subject: &str) -> String {
        self.things.add_message(account, subject)
    }

    /// Treats every app as one that is published for testing only: refresh tokens end after 7 days, and say so.
    pub fn publish_for_testing(&self) {
        self.authority.lifetimes(Some(oauth::ACCESS_LIFETIME), Some(oauth::TESTING_LIFETIME));
    }

    /// The authorization server: apps, consents, tokens.
    pub fn oauth(&self) -> &Authority {
        &self.authority
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let token = auth::bearer(headers).ok_or_else(Refusal::no_credentials)?;
        if let Some((granted, life)) = self.authority.lookup(token) {
            let caller = Caller { account: granted.account, scopes: granted.scopes };
            return if life == TokenLife::Live { Ok(caller) } else { Err(Refusal::bad_credentials()) };
        }
        let key = self.people.key(token).ok_or_else(Refusal::bad_credentials)?;
        match key.state {
            TokenState::Expired | TokenState::Revoked => Err(Refusal::bad_credentials()),
            TokenState::Active | TokenState::RateLimited { .. } | TokenState::SsoRequired => {
                Ok(Caller { account: key.account, scopes: key.scopes })
            }
        }
    }

    /// The caller, if its token has one of these scopes.
    fn admit(&self, headers: &HeaderMap, any_of: &[&str]) -> Result<Caller, Refusal> {
        let caller = self.caller(headers)?;
        if any_of.iter().any(|scope| caller.has(scope)) { Ok(caller) } else { Err(Refusal::lacks_scope(any_of)) }
    }
}

impl Provider for Google {
    fn at(origin: &str) -> Self {
        let authority = Arc::new(Authority::new(origin, oauth::dialect()));
        Self { people: People::default(), things: Things::default(), authority }
    }

    fn router(self: Arc<Self>) -> Router {
        apis::routes().merge(oauth::routes(&self)).with_state(self)
    }

    fn whose(&self, headers: &HeaderMap) -> Option<String> {
        self.caller(headers).ok().map(|caller| caller.account.username)
    }
}

impl Voice for Google {
    fn limited(&self, retry_after: Option<u64>) -> Response {
        let retry_after = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
        (retry_after, Refusal::rate_limited()).into_response()
    }

    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response {
        let retry_after = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
        (retry_after, Refusal::user_rate_limited()).into_response()
    }

    fn lacks_scope(&self) -> Response {
        Refusal::lacks_scope(&["drive.readonly"]).into_response()
    }
}

/// The account's number, by which Google knows it for good.
fn subject(account: &Account) -> String {
    format!("1{:020}", account.id)
}
