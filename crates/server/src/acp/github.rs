//! `/api/auth/github/…`, as far as it is about personal access tokens.

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{Problem, ProblemCode, ProviderKind, UserId};
use valetkey_seal::Secret;

use super::{Message, TAG, connect, current, disconnect, is_valid};
use crate::{App, api::token_schema, auth::Caller, extract::Body, problem::Answer, route::Row};

const KIND: ProviderKind = ProviderKind::GitHub;

pub(crate) fn rows() -> Vec<Row> {
    const PAT: &str = "/api/auth/github/pat";
    let refused = [
        ProblemCode::TokenMalformed,
        ProblemCode::TokenInvalid,
        ProblemCode::InsufficientScope,
        ProblemCode::RateLimited,
        ProblemCode::ProviderUnreachable,
    ];
    vec![
        Row::post(PAT, save)
            .operation(TAG, "ambientSaveGithubPat", "Connects a GitHub account with a personal access token")
            .body::<Token>()
            .answers::<Message>()
            .fails(&refused),
        Row::delete(PAT, remove)
            .operation(TAG, "ambientRemoveGithubPat", "Disconnects the GitHub account's token")
            .answers::<Message>(),
        Row::get("/api/auth/github/pat/status", pat_status)
            .operation(TAG, "ambientGithubPatStatus", "The GitHub account's token")
            .answers::<PatStatus>(),
        Row::get("/api/auth/github/status", status)
            .operation(TAG, "ambientGithubStatus", "The GitHub account")
            .answers::<GitHubStatus>(),
        Row::post("/api/auth/github/disconnect", disconnect_github)
            .operation(TAG, "ambientDisconnectGithub", "Disconnects the GitHub account")
            .answers::<Message>(),
    ]
}

/// A GitHub token.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "AmbientGithubToken")]
struct Token {
    /// The token.
    #[schemars(schema_with = "token_schema")]
    token: Secret<String>,
}

async fn save(State(app): State<App>, caller: Caller, Body(new): Body<Token>) -> Answer<Json<Message>> {
    let connected = connect(&app, &caller.user, KIND, None, new.token).await;
    connected.map_err(|mut problem| {
        if problem.code == ProblemCode::TokenMalformed {
            "Invalid GitHub token format".clone_into(&mut problem.detail);
        }
        problem
    })?;
    Ok(Json(Message { message: "GitHub PAT saved successfully" }))
}

async fn remove(State(app): State<App>, caller: Caller) -> Answer<Json<Message>> {
    disconnect(&app, &caller.user, KIND).await?;
    Ok(Json(Message { message: "GitHub PAT removed successfully" }))
}

async fn disconnect_github(State(app): State<App>, caller: Caller) -> Answer<Json<Message>> {
    disconnect(&app, &caller.user, KIND).await?;
    Ok(Json(Message { message: "GitHub account disconnected" }))
}

/// The GitHub account's token.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGithubPatStatus")]
struct PatStatus {
    configured: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
    /// Whether GitHub accepted the token when last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid: Option<bool>,
}

/// The GitHub account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGithubStatus")]
pub(super) struct GitHubStatus {
    /// Whether a GitHub App is installed.
    installed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    github_user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
    pat: PatStatus,
    /// What is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<&'static str>,
}

impl GitHubStatus {
    pub(super) async fn of(app: &App, user: &UserId) -> Result<Self, Problem> {
        let integration = current(app, user, KIND).await?;
        let updated_at = integration.as_ref().map(|integration| integration.updated_at);
        let valid = integration.as_ref().map(|integration| is_valid(app, integration));
        Ok(Self {
            installed: false,
            active: integration.as_ref().map(|_| "pat"),
            host: integration.as_ref().map(|integration| integration.instance_url.authority()),
            github_user_id: integration.map(|integration| integration.account.id),
            updated_at,
            pat: PatStatus { configured: valid.is_some(), updated_at, valid },
        })
    }
}

async fn status(State(app): State<App>, caller: Caller) -> Answer<Json<GitHubStatus>> {
    Ok(Json(GitHubStatus::of(&app, &caller.user).await?))
}

async fn pat_status(State(app): State<App>, caller: Caller) -> Answer<Json<PatStatus>> {
    Ok(Json(GitHubStatus::of(&app, &caller.user).await?.pat))
}
