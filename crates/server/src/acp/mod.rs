//! The routes that clients of Ambient Code Platform use, with that platform's bodies and texts.
//!
//! That platform knows one account per person and provider. Here it is the caller's *User Global* integration: the one
//! marked default, else the newest. Connecting another account of the same instance replaces it, as those clients expect;
//! an account of another instance is kept beside it. Disconnecting removes the one that the status routes show.
//! Unknown members of a body are ignored, as that platform ignores them.

pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod google;
pub(crate) mod jira;
pub(crate) mod repository;
pub(crate) mod session;
pub(crate) mod status;

use schemars::JsonSchema;
use serde::Serialize;
use valetkey_integrations::Connect;
use valetkey_model::{
    Actor, InstanceUrl, Integration, IntegrationRef, OwnerScope, Problem, ProblemCode, ProviderKind, Status,
};
use valetkey_providers::Credential;

use crate::App;

const TAG: &str = "Ambient Code Platform";

/// An answer that only says what was done.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientMessage")]
struct Message {
    message: &'static str,
}

/// What a trial of a credential came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientTested")]
struct Tested {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Tested {
    /// Asks the provider without storing anything; `message` is what is said if it agrees.
    async fn of(
        app: &App,
        provider: ProviderKind,
        instance: Option<InstanceUrl>,
        credential: &Credential,
        message: &'static str,
    ) -> Self {
        match app.integrations.try_credential(provider, instance, credential).await {
            Ok(_) => Self { valid: true, message: Some(message), error: None },
            Err(problem) => Self { valid: false, message: None, error: Some(problem.detail) },
        }
    }
}

/// An account as a status route shows it; without one only `connected` is there.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientStatusOf{T}")]
struct StatusOf<T> {
    connected: bool,
    #[serde(flatten)]
    account: Option<T>,
}

impl<T> StatusOf<T> {
    async fn of(
        app: &App,
        by: &Actor,
        provider: ProviderKind,
        describe: fn(&App, Integration) -> T,
    ) -> Result<Self, Problem> {
        let account = current(app, by, provider).await?.map(|integration| describe(app, integration));
        Ok(Self { connected: account.is_some(), account })
    }
}

/// The integration that these routes mean.
async fn current(app: &App, by: &Actor, provider: ProviderKind) -> Result<Option<Integration>, Problem> {
    Ok(shown(app.integrations.own(by, Some(provider)).await?))
}

/// Of the oldest-first list: the default-marked, else the newest.
fn shown(all: Vec<Integration>) -> Option<Integration> {
    let global = all.into_iter().filter(|integration| integration.scope == OwnerScope::UserGlobal);
    global.max_by(|a, b| (a.is_default, &a.id).cmp(&(b.is_default, &b.id)))
}

/// Connects an account, in place of another one of the same instance.
async fn connect(
    app: &App,
    by: &Actor,
    provider: ProviderKind,
    instance_url: Option<InstanceUrl>,
    credential: Credential,
) -> Result<Integration, Problem> {
    let before = app.integrations.own(by, Some(provider)).await?;
    let wanted =
        Connect { provider, scope: OwnerScope::UserGlobal, by: by.clone(), alias: None, instance_url, credential };
    let new = app.integrations.connect(wanted).await?;
    let is_new = before.iter().all(|known| known.id != new.id);
    let replaced = shown(before).filter(|old| is_new && old.instance_url == new.instance_url);
    if let Some(old) = replaced {
        let new = IntegrationRef::Id(new.id.clone());
        if old.is_default {
            app.integrations.set_default(by, &new, true).await?;
        }
        app.integrations.disconnect(by, &IntegrationRef::Id(old.id), false).await?;
    }
    Ok(new)
}

/// Removes the integration that these routes mean, if there is one.
async fn disconnect(app: &App, by: &Actor, provider: ProviderKind) -> Result<(), Problem> {
    if let Some(integration) = current(app, by, provider).await? {
        app.integrations.disconnect(by, &IntegrationRef::Id(integration.id), false).await?;
    }
    Ok(())
}

/// Whether the provider accepted the credential when it last said anything of it.
fn is_valid(app: &App, integration: &Integration) -> bool {
    match integration.status(app.now()).0 {
        Status::Connected | Status::Expiring => true,
        Status::Unreachable => integration.outcome == valetkey_model::CheckOutcome::Connected,
        Status::InsufficientScope | Status::Disconnected => false,
    }
}

/// A refusal of what was sent, in the words that those clients know.
fn as_invalid_input(mut problem: Problem) -> Problem {
    if matches!(problem.code, ProblemCode::TokenMalformed) {
        problem.detail = format!("Invalid input: {}", problem.detail);
    }
    problem
}
