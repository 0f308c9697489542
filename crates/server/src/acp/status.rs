//! `/api/auth/integrations/status`: every provider that those clients know, in one answer.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use super::{TAG, github::GitHubStatus, gitlab::GitLabStatus};
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
    gitlab: GitLabStatus,
    google: NotConnected,
    jira: NotConnected,
    /// By name.
    mcp_servers: BTreeMap<String, NotConnected>,
}

/// A provider that nothing is connected of.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientNotConnected")]
struct NotConnected {
    /// `false`.
    connected: bool,
}

async fn status(State(app): State<App>, caller: Caller) -> Answer<Json<AllStatus>> {
    Ok(Json(AllStatus {
        github: GitHubStatus::of(&app, &caller.user).await?,
        gitlab: GitLabStatus::of(&app, &caller.user).await?,
        google: NotConnected { connected: false },
        jira: NotConnected { connected: false },
        mcp_servers: BTreeMap::new(),
    }))
}
