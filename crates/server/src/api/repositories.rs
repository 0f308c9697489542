//! Repositories as the providers list them: what a session can be started on.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_integrations::Portion;
use valetkey_model::{
    IntegrationId, IntegrationRef, ProblemCode, ProjectName, ProviderKind, RepoUrl, RepoUrlError, Role,
};
use valetkey_providers::{BranchInfo, RepositoryInfo};

use super::projects::known;
use crate::{
    App,
    api::paging::Page,
    auth::Caller,
    extract::{Id, Params},
    problem::{Answer, Failure, ProblemDocument},
    route::Row,
};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// Why nothing of a repository can be shown.
pub(crate) const REFUSED_REPOSITORY: [ProblemCode; 7] = [
    ProblemCode::IntegrationMissing,
    ProblemCode::IntegrationAmbiguous,
    ProblemCode::RepositoryNotFound,
    ProblemCode::TokenInvalid,
    ProblemCode::InsufficientScope,
    ProblemCode::RateLimited,
    ProblemCode::ProviderUnreachable,
];

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Repositories";
    vec![
        Row::get("/api/v1/projects/{project}/repositories/search", search)
            .project(Role::Member)
            .operation(TAG, "searchRepositories", "Repositories by name, through every account that may be used here")
            .parameters::<Search>()
            .answers::<Found>()
            .fails(&[ProblemCode::NotFound, ProblemCode::IntegrationAmbiguous]),
        Row::get("/api/v1/projects/{project}/repositories/branches", branches)
            .project(Role::Member)
            .operation(TAG, "listBranches", "All branches of a repository")
            .parameters::<Which>()
            .answers::<Page<BranchInfo>>()
            .fails(&[ProblemCode::NotFound])
            .fails(&REFUSED_REPOSITORY),
    ]
}

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// A part of the name; everything if left out.
    #[serde(default)]
    q: String,
    /// Only at this kind of service.
    provider: Option<ProviderKind>,
    /// Only through this integration, by id or alias.
    #[schemars(with = "Option<String>")]
    integration: Option<IntegrationRef>,
    /// At most this many of each account; 1 to 100, 20 if not given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// The `nextCursor` of the answer before.
    cursor: Option<usize>,
}

/// Repositories that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FoundRepositories")]
struct Found {
    /// The repositories.
    items: Vec<FoundRepository>,
    /// The accounts that could not be asked.
    failures: Vec<NotAsked>,
    /// Asks for the next of each account; absent where none has more, or what follows is better found by a longer text.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A repository, and the account that sees it.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundRepository {
    #[serde(flatten)]
    repository: RepositoryInfo,
    /// The integration that sees it.
    integration: IntegrationId,
}

/// An account that could not be asked.
#[derive(Debug, Serialize, JsonSchema)]
struct NotAsked {
    /// The integration.
    integration: IntegrationId,
    /// Why not.
    problem: ProblemDocument,
}

async fn search(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Search { q, provider, integration, limit, cursor }): Params<Search>,
) -> Answer<Json<Found>> {
    let (skip, limit) = (cursor.unwrap_or(0), limit.unwrap_or(DEFAULT_LIMIT));
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Failure::invalid("limit: expected 1 to 100"));
    }
    if skip >= Portion::FARTHEST {
        return Err(Failure::invalid("cursor: expected the nextCursor of an earlier answer"));
    }
    known(&app, &project).await?;
    let portion = Portion { skip, limit };
    let found = app.integrations.search(&caller.actor, &project, provider, integration.as_ref(), &q, portion).await?;
    let next = Some(skip + limit).filter(|next| found.more && *next < Portion::FARTHEST);
    let items = found.repositories.into_iter();
    let failures = found.failures.into_iter();
    Ok(Json(Found {
        items: items.map(|(integration, repository)| FoundRepository { repository, integration }).collect(),
        failures: failures
            .map(|(integration, problem)| NotAsked { integration, problem: Failure::from(problem).into() })
            .collect(),
        next_cursor: next.map(|next| next.to_string()),
    }))
}

/// Which repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Its URL.
    url: String,
}

async fn branches(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Which { url }): Params<Which>,
) -> Answer<Json<Page<BranchInfo>>> {
    let repository: RepoUrl = url.parse().map_err(|error: RepoUrlError| Failure::invalid(format!("url: {error}")))?;
    known(&app, &project).await?;
    Ok(Json(Page::whole(app.integrations.branches(&caller.actor, &project, &repository).await?)))
}
