//! `/api/auth/integrations/status`: every provider that those clients know, in one answer.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::{Integration, OwnerScope, ProviderKind};

use super::{
    StatusOf, TAG, github::GitHubStatus, gitlab::GitLabAccount, google::GoogleAccount, is_valid, jira::JiraAccount,
};
use crate::{App, auth::Caller, problem::Answer, route::Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/auth/integrations/status", status)
            .operation(TAG, "ambientIntegrationsStatus", "The accounts of all providers")
            .answers::<AllStatus>(),
    ]
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientIntegrationsStatus")]
struct AllStatus {
    github: GitHubStatus,
    gitlab: StatusOf<GitLabAccount>,
    google: StatusOf<GoogleAccount>,
    jira: StatusOf<JiraAccount>,
    /// By name.
    mcp_servers: BTreeMap<String, McpServer>,
}

/// An MCP server, or another HTTP API.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientMcpServer")]
struct McpServer {
    /// `true`.
    connected: bool,
    updated_at: Timestamp,
    /// Whether the server accepted the credential when last asked.
    valid: bool,
}

async fn status(State(app): State<App>, caller: Caller) -> Answer<Json<AllStatus>> {
    let servers = app.integrations.own(&caller.actor, Some(ProviderKind::Http)).await?.into_iter();
    let global = servers.filter(|integration| integration.scope == OwnerScope::UserGlobal);
    let server = |integration: Integration| {
        let valid = is_valid(&app, &integration);
        (integration.alias.to_string(), McpServer { connected: true, updated_at: integration.updated_at, valid })
    };
    Ok(Json(AllStatus {
        github: GitHubStatus::of(&app, &caller.actor).await?,
        gitlab: GitLabAccount::status(&app, &caller.actor).await?,
        google: GoogleAccount::status(&app, &caller.actor).await?,
        jira: JiraAccount::status(&app, &caller.actor).await?,
        mcp_servers: global.map(server).collect(),
    }))
}
