//! `/api/auth/gitlab/…`.

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, InstanceUrl, Integration, Problem, ProblemCode, ProviderKind, UserId};
use valetkey_providers::Credential;
use valetkey_seal::Secret;

use super::{StatusOf, TAG, Tested, as_invalid_input, connect, disconnect, is_valid};
use crate::{
    App,
    api::token_schema,
    auth::Caller,
    extract::Body,
    problem::{Answer, Failure},
    route::Row,
};

const KIND: ProviderKind = ProviderKind::GitLab;

pub(crate) fn rows() -> Vec<Row> {
    const DISCONNECT: &str = "/api/auth/gitlab/disconnect";
    let refused = [
        ProblemCode::TokenInvalid,
        ProblemCode::InsufficientScope,
        ProblemCode::RateLimited,
        ProblemCode::ProviderUnreachable,
    ];
    vec![
        Row::post("/api/auth/gitlab/connect", connect_gitlab)
            .operation(TAG, "ambientConnectGitlab", "Connects a GitLab account")
            .body::<Token>()
            .answers::<Connected>()
            .fails(&refused),
        Row::get("/api/auth/gitlab/status", status)
            .operation(TAG, "ambientGitlabStatus", "The GitLab account")
            .answers::<StatusOf<GitLabAccount>>(),
        Row::post("/api/auth/gitlab/test", test)
            .operation(TAG, "ambientTestGitlab", "Asks GitLab whether a token works, without storing it")
            .body::<Token>()
            .answers::<Tested>(),
        Row::post(DISCONNECT, disconnect_gitlab)
            .operation(TAG, "ambientDisconnectGitlab", "Disconnects the GitLab account")
            .answers::<Gone>(),
        Row::delete(DISCONNECT, disconnect_gitlab)
            .operation(TAG, "ambientDeleteGitlab", "Disconnects the GitLab account")
            .answers::<Gone>(),
    ]
}

/// A GitLab token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGitlabToken")]
struct Token {
    /// The token.
    #[schemars(schema_with = "token_schema")]
    personal_access_token: Secret<String>,
    /// Where; gitlab.com if empty or left out.
    instance_url: Option<String>,
}

impl Token {
    fn instance(&self) -> Answer<Option<InstanceUrl>> {
        let given = self.instance_url.as_deref().filter(|url| !url.is_empty());
        given.map(str::parse).transpose().map_err(|error| Failure::invalid(format!("instanceUrl: {error}")))
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGitlabConnected")]
struct Connected {
    user_id: UserId,
    gitlab_user_id: String,
    username: String,
    instance_url: InstanceUrl,
    /// `true`.
    connected: bool,
    message: &'static str,
}

async fn connect_gitlab(State(app): State<App>, caller: Caller, Body(token): Body<Token>) -> Answer<Json<Connected>> {
    let instance = token.instance()?;
    let connected = connect(&app, &caller.actor, KIND, instance, Credential::pat(token.personal_access_token)).await;
    let integration = connected.map_err(as_invalid_input)?;
    Ok(Json(Connected {
        user_id: caller.actor.user,
        gitlab_user_id: integration.account.id,
        username: integration.account.username,
        instance_url: integration.instance_url,
        connected: true,
        message: "GitLab account connected successfully",
    }))
}

/// The GitLab account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGitlabAccount")]
pub(super) struct GitLabAccount {
    username: String,
    instance_url: InstanceUrl,
    gitlab_user_id: String,
    updated_at: Timestamp,
    /// Whether GitLab accepted the token when last asked.
    valid: bool,
}

impl GitLabAccount {
    pub(super) async fn status(app: &App, by: &Actor) -> Result<StatusOf<Self>, Problem> {
        StatusOf::of(app, by, KIND, Self::new).await
    }

    fn new(app: &App, integration: Integration) -> Self {
        Self {
            valid: is_valid(app, &integration),
            username: integration.account.username,
            instance_url: integration.instance_url,
            gitlab_user_id: integration.account.id,
            updated_at: integration.updated_at,
        }
    }
}

async fn status(State(app): State<App>, caller: Caller) -> Answer<Json<StatusOf<GitLabAccount>>> {
    Ok(Json(GitLabAccount::status(&app, &caller.actor).await?))
}

async fn test(State(app): State<App>, _: Caller, Body(token): Body<Token>) -> Answer<Json<Tested>> {
    let instance = token.instance()?;
    let credential = Credential::pat(token.personal_access_token);
    Ok(Json(Tested::of(&app, KIND, instance, &credential, "GitLab connection successful").await))
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientGitlabGone")]
struct Gone {
    message: &'static str,
    /// `false`.
    connected: bool,
}

async fn disconnect_gitlab(State(app): State<App>, caller: Caller) -> Answer<Json<Gone>> {
    disconnect(&app, &caller.actor, KIND).await?;
    Ok(Json(Gone { message: "GitLab account disconnected successfully", connected: false }))
}
