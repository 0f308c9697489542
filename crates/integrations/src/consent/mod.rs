//! Connecting by consent: in a browser, or by a code that is typed in on another device.
//!
//! An attempt is started for one person and bound to one browser. Its `state` is used up by the first answer, and is good
//! for ten minutes. Nothing is stored of an account before the provider has described it with the new tokens.

mod begin;
mod device;
mod finish;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;
use valetkey_model::{
    Actor, Alias, AuthMethod, InstanceUrl, Integration, IntegrationId, OAuthAttemptId, OwnerScope, Problem,
    ProblemCode, ProviderKind,
};
use valetkey_providers::oauth::OAuthError;
use valetkey_seal::{Identity, TokenHash};

pub use device::{DeviceCode, DeviceProgress};
pub use finish::Finished;

/// What somebody wants to connect by consent.
#[derive(Debug, Clone)]
pub struct ConsentRequest {
    /// The kind of service.
    pub provider: ProviderKind,
    /// [`AuthMethod::OAuth`] or [`AuthMethod::App`].
    pub method: AuthMethod,
    /// Where; the provider's public service if none.
    pub instance_url: Option<InstanceUrl>,
    /// Who may use it, and where.
    pub scope: OwnerScope,
    /// Who connects it.
    pub by: Actor,
    /// Its name; made of account and host if none.
    pub alias: Option<Alias>,
    /// The optional scopes that the person chose; those that are preselected if none.
    pub choices: Option<Vec<String>>,
    /// The integration that is to be connected again; its account must stay the same.
    pub reconnect: Option<IntegrationId>,
    /// The callback's address, as it is registered with the provider.
    pub redirect_uri: String,
}

/// A browser that was sent to a provider.
#[derive(Debug)]
pub struct Begun {
    /// The attempt, to ask for its outcome.
    pub attempt: OAuthAttemptId,
    /// Where the browser goes.
    pub authorize_url: Url,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// How an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing came back yet.
    Pending,
    /// The account is connected.
    Connected {
        /// As this integration.
        integration: IntegrationId,
    },
    /// It is not.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// What is kept of a request until its answer comes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Asked {
    method: AuthMethod,
    scope: OwnerScope,
    alias: Option<Alias>,
    asked: Vec<String>,
    reconnect: Option<IntegrationId>,
    redirect_uri: String,
}

fn identity(attempt: &OAuthAttemptId) -> Identity {
    Identity::new("oauth attempt", attempt.as_str(), 1)
}

/// Whoever answers must be the browser that asked.
pub(crate) fn bound_by<'a>(to: &str, proofs: &'a [TokenHash]) -> Option<&'a TokenHash> {
    proofs.iter().find(|proof| proof.as_str() == to)
}

/// The words for people: `kind` at `instance` was asked for its consent.
pub(crate) fn oauth_problem(error: OAuthError, kind: ProviderKind, instance: &InstanceUrl) -> Problem {
    let again = format!("Connect again: {}", kind.connect_command(instance));
    let administrator =
        "An administrator compares the app's id, secret and callback address with what the provider shows.";
    let words = format!("{kind} at {instance}: {error}.");
    let (code, remedy) = match error {
        OAuthError::Call(error) => return error.into_problem(kind, instance),
        OAuthError::Denied => (ProblemCode::ConsentDenied, format!("Nothing was connected. {again}")),
        OAuthError::CodeRejected { .. } | OAuthError::WrongIssuer | OAuthError::DeviceExpired => {
            (ProblemCode::OauthStateInvalid, again)
        }
        OAuthError::GrantDead { .. } => (ProblemCode::TokenRevoked, again),
        OAuthError::ClientRejected { .. } => (ProblemCode::OauthAppRefused, administrator.to_owned()),
        OAuthError::ScopeRejected { .. } => (
            ProblemCode::InsufficientScope,
            "An administrator allows these scopes in the app's settings at the provider.".to_owned(),
        ),
        OAuthError::DeviceFlowOff => (
            ProblemCode::OauthAppRefused,
            "An administrator enables the device flow in the app's settings at the provider; or connect with --web."
                .to_owned(),
        ),
        OAuthError::RateLimited { retry_after_seconds } => {
            let problem = Problem::new(ProblemCode::RateLimited, words).by(kind);
            return Problem { retry_after_seconds, ..problem };
        }
        OAuthError::Unavailable { .. } | OAuthError::Failed { .. } | OAuthError::Refused { .. } => {
            (ProblemCode::ProviderUnreachable, "Try again; if it lasts, ask whoever runs the provider.".to_owned())
        }
        OAuthError::NotOAuth { .. } => {
            (ProblemCode::NotTheProvider, "Check the instance URL, and that a proxy does not answer for it.".to_owned())
        }
    };
    Problem::new(code, words).remedy(remedy).by(kind)
}

pub(crate) fn invalid_state(detail: &str) -> Problem {
    Problem::new(ProblemCode::OauthStateInvalid, detail.to_owned())
        .remedy("Nothing was connected. Start again on the Integrations page, or with `valetkey connect`.")
}

impl Outcome {
    fn of(result: &Result<Integration, Problem>) -> Self {
        match result {
            Ok(integration) => Self::Connected { integration: integration.id.clone() },
            Err(problem) => Self::Failed { problem: problem.clone() },
        }
    }
}
