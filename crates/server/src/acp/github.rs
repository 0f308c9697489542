//! `/api/auth/github/…`: personal access tokens, and installations of the GitHub App.

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, AuthMethod, InstallationState, Integration, Problem, ProblemCode, ProviderKind};
use valetkey_providers::Credential;
use valetkey_seal::Secret;

use super::{Message, TAG, connect, disconnect, is_valid, shown};
use crate::{App, api::token_schema, auth::Caller, extract::Body, oauth, problem::Answer, route::Row};

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
        Row::post("/api/auth/github/install", install)
            .operation(TAG, "ambientInstallGithub", "Links an installation of the GitHub App that is the caller's")
            .body::<NewInstallation>()
            .answers::<Installed>()
            .fails(&[ProblemCode::Forbidden]),
        Row::get("/api/auth/github/user/callback", user_callback)
            .operation(TAG, "ambientGithubCallback", "Takes GitHub's answer, and leads to the Integrations page")
            .success(StatusCode::FOUND)
            .fails(&[ProblemCode::OauthStateInvalid, ProblemCode::ConsentDenied]),
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
    let connected = connect(&app, &caller.actor, KIND, None, Credential::pat(new.token)).await;
    connected.map_err(|mut problem| {
        if problem.code == ProblemCode::TokenMalformed {
            "Invalid GitHub token format".clone_into(&mut problem.detail);
        }
        problem
    })?;
    Ok(Json(Message { message: "GitHub PAT saved successfully" }))
}

async fn remove(State(app): State<App>, caller: Caller) -> Answer<Json<Message>> {
    disconnect(&app, &caller.actor, KIND).await?;
    Ok(Json(Message { message: "GitHub PAT removed successfully" }))
}

async fn disconnect_github(State(app): State<App>, caller: Caller) -> Answer<Json<Message>> {
    disconnect(&app, &caller.actor, KIND).await?;
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
    installation_id: Option<u64>,
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
    pub(super) async fn of(app: &App, by: &Actor) -> Result<Self, Problem> {
        let all = app.integrations.own(by, Some(KIND)).await?;
        let (by_app, by_token): (Vec<_>, Vec<_>) = all.iter().cloned().partition(is_app);
        let (by_app, by_token, active) = (shown(by_app), shown(by_token), shown(all));
        Ok(Self {
            installed: by_app.is_some(),
            installation_id: by_app.as_ref().and_then(installation),
            host: active.as_ref().map(|integration| integration.instance_url.authority()),
            updated_at: active.as_ref().map(|integration| integration.updated_at),
            active: active.as_ref().map(|integration| if is_app(integration) { "app" } else { "pat" }),
            github_user_id: active.map(|integration| integration.account.id),
            pat: PatStatus {
                configured: by_token.is_some(),
                updated_at: by_token.as_ref().map(|integration| integration.updated_at),
                valid: by_token.as_ref().map(|integration| is_valid(app, integration)),
            },
        })
    }
}

fn is_app(integration: &Integration) -> bool {
    integration.auth_method == AuthMethod::App
}

/// The first installation that works, else the first.
fn installation(integration: &Integration) -> Option<u64> {
    let all = &integration.details.installations;
    let active = all.iter().find(|installation| installation.state == InstallationState::Active);
    active.or(all.first()).map(|installation| installation.id)
}

/// An installation to link. A `code`, which some clients send too, came without a state of ours; it is not read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGithubInstallation")]
struct NewInstallation {
    /// GitHub's number of it.
    installation_id: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGithubInstalled")]
struct Installed {
    message: &'static str,
    installation_id: u64,
}

async fn install(State(app): State<App>, caller: Caller, Body(new): Body<NewInstallation>) -> Answer<Json<Installed>> {
    let NewInstallation { installation_id, .. } = new;
    let linked = app.integrations.link_installation(&caller.actor, installation_id).await;
    linked.map_err(not_verified)?;
    Ok(Json(Installed { message: "GitHub App installation linked successfully", installation_id }))
}

/// What can't be verified counts as somebody else's; why it can't is in the remediation.
fn not_verified(problem: Problem) -> Problem {
    let Problem { detail, remediation, .. } = problem;
    let text = "installation not owned by user";
    let why = if detail == text { None } else { Some(detail) };
    let hint: Vec<String> = why.into_iter().chain(remediation).collect();
    Problem::new(ProblemCode::Forbidden, text).remedy(hint.join(" ")).by(KIND)
}

/// The browser proves itself as at our own callback: being signed in is not enough, the attempt must be its own.
async fn user_callback(
    State(app): State<App>,
    _: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    oauth::finish(&app, &headers, query).await?.result?;
    Ok((StatusCode::FOUND, [(header::LOCATION, "/integrations")]).into_response())
}

async fn status(State(app): State<App>, caller: Caller) -> Answer<Json<GitHubStatus>> {
    Ok(Json(GitHubStatus::of(&app, &caller.actor).await?))
}

async fn pat_status(State(app): State<App>, caller: Caller) -> Answer<Json<PatStatus>> {
    Ok(Json(GitHubStatus::of(&app, &caller.actor).await?.pat))
}
