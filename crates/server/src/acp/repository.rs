//! `/api/projects/{p}/repo/branches`: what those clients offer to start from.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{ProblemCode, ProjectName, RepoUrl};
use valetkey_providers::BranchInfo;

use super::TAG;
use crate::{
    App,
    auth::Caller,
    extract::{Id, Params},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/projects/{project}/repo/branches", branches)
            .operation(TAG, "ambientBranches", "All branches of a repository")
            .parameters::<Which>()
            .answers::<Branches>()
            .fails(&[
                ProblemCode::InvalidInput,
                ProblemCode::IntegrationMissing,
                ProblemCode::IntegrationAmbiguous,
                ProblemCode::RepositoryNotFound,
                ProblemCode::TokenInvalid,
                ProblemCode::InsufficientScope,
                ProblemCode::RateLimited,
                ProblemCode::ProviderUnreachable,
            ]),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// The repository's URL.
    repo: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientBranches")]
struct Branches {
    branches: Vec<Branch>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientBranch")]
struct Branch {
    name: String,
    protected: bool,
    default: bool,
    commit: Commit,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientCommit")]
struct Commit {
    sha: String,
}

impl From<BranchInfo> for Branch {
    fn from(branch: BranchInfo) -> Self {
        let BranchInfo { name, commit, protected, default } = branch;
        Self { name, protected, default, commit: Commit { sha: commit } }
    }
}

async fn branches(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(which): Params<Which>,
) -> Answer<Json<Branches>> {
    let Some(repo) = which.repo.filter(|repo| !repo.is_empty()) else {
        return Err(Failure::new(ProblemCode::InvalidInput, "repo query parameter required"));
    };
    let repo: RepoUrl = repo.parse().map_err(|e: valetkey_model::RepoUrlError| {
        Failure::new(ProblemCode::InvalidInput, format!("Invalid input: {e}."))
    })?;
    let branches = app.integrations.branches(&caller.user, &project, &repo).await?;
    Ok(Json(Branches { branches: branches.into_iter().map(Branch::from).collect() }))
}
