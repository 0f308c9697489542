//! The repositories of projects, each with what an account may do with it.

use axum::{Json, extract::State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_integrations::{CheckedRepository, Resolved};
use valetkey_model::{
    Actor, BranchName, IntegrationId, IntegrationRef, IntegrationView, ProblemCode, ProjectName, ProviderKind, RepoUrl,
    RepoUrlError, Role, UserId,
};
use valetkey_store::ProjectRepository;

use super::{projects::known, repositories::REFUSED_REPOSITORY};
use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Body, Id, Params},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Repositories";
    const ALL: &str = "/api/v1/projects/{project}/repositories";
    const USABLE: [ProblemCode; 2] = [ProblemCode::NotFound, ProblemCode::IntegrationUnusable];
    vec![
        Row::get(ALL, list)
            .project(Role::Viewer)
            .operation(TAG, "listProjectRepositories", "The repositories of a project, by address")
            .parameters::<Listing>()
            .answers::<Page<ProjectRepositoryView>>()
            .fails(&[ProblemCode::NotFound]),
        Row::post(ALL, add)
            .project(Role::Admin)
            .operation(
                TAG,
                "addProjectRepository",
                "Adds a repository, once its provider has shown it to the caller's integration",
            )
            .body::<NewRepository>()
            .success(StatusCode::CREATED)
            .answers::<CheckedView>()
            .fails(&USABLE)
            .fails(&[ProblemCode::Conflict])
            .fails(&REFUSED_REPOSITORY),
        Row::delete(ALL, remove)
            .project(Role::Admin)
            .operation(TAG, "removeProjectRepository", "Takes a repository out of a project")
            .parameters::<Which>()
            .success(StatusCode::NO_CONTENT)
            .fails(&[ProblemCode::NotFound]),
        Row::post("/api/v1/projects/{project}/repositories/check", check)
            .project(Role::Admin)
            .operation(
                TAG,
                "checkProjectRepository",
                "Asks a repository's provider anew, with the caller's integration",
            )
            .body::<NewRepository>()
            .answers::<CheckedView>()
            .fails(&USABLE)
            .fails(&REFUSED_REPOSITORY),
    ]
}

/// What an account may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RepositoryAccess")]
enum Access {
    /// Read and push.
    Push,
    /// Read.
    Read,
    /// Nothing: its provider did not show it when it was asked last.
    None,
}

/// A repository of a project.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProjectRepository")]
struct ProjectRepositoryView {
    /// Its address.
    url: RepoUrl,
    /// Whose it is.
    provider: ProviderKind,
    /// The default branch; not given while the repository is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_branch: Option<BranchName>,
    /// Whether it is read-only for everybody.
    archived: bool,
    /// What the account that was asked last may do. Others may be allowed more, or less.
    access: Access,
    /// Why that account may not push.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not_push: Option<String>,
    /// Why it was not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<ProblemCode>,
    /// The integration that was asked with, if it is there and the caller may know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    integration: Option<IntegrationId>,
    /// When that was.
    checked_at: Timestamp,
    /// For whom.
    checked_by: UserId,
    /// When it became one of the project's.
    added_at: Timestamp,
    /// Who added it.
    added_by: UserId,
}

/// A repository of a project as its provider just showed it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CheckedRepository")]
struct CheckedView {
    /// The repository.
    repository: ProjectRepositoryView,
    /// The integration with which the provider was asked.
    integration: IntegrationView,
    /// Why that one.
    reason: String,
    /// How it was found, level by level.
    steps: Vec<String>,
    /// All that were considered.
    candidates: Vec<IntegrationId>,
}

impl ProjectRepositoryView {
    fn new(repository: ProjectRepository, integration: Option<IntegrationId>) -> Self {
        let ProjectRepository { url, checked, added_at, added_by } = repository;
        let access = match (&checked.refusal, &checked.why_not_push) {
            (Some(_), _) => Access::None,
            (None, Some(_)) => Access::Read,
            (None, None) => Access::Push,
        };
        Self {
            url,
            provider: checked.provider,
            default_branch: checked.default_branch,
            archived: checked.archived,
            access,
            why_not_push: checked.why_not_push,
            refusal: checked.refusal,
            integration,
            checked_at: checked.at,
            checked_by: checked.by,
            added_at,
            added_by,
        }
    }
}

impl CheckedView {
    fn new(app: &App, checked: CheckedRepository) -> Self {
        let CheckedRepository { repository, with } = checked;
        let reason = with.told();
        let Resolved { integration, steps, candidates, .. } = with;
        Self {
            repository: ProjectRepositoryView::new(repository, Some(integration.id.clone())),
            integration: integration.view(app.now()),
            reason,
            steps,
            candidates,
        }
    }
}

/// Which of a project's repositories to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// Only those with this in their address.
    q: Option<String>,
    /// At most this many items; 1 to 200, 50 if not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A repository, and with what to ask for it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewProjectRepository")]
struct NewRepository {
    /// Its URL, in any form that git takes.
    url: RepoUrl,
    /// The integration to ask with, by id or alias; resolved if none.
    integration: Option<IntegrationRef>,
}

/// Which repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Its URL.
    url: String,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Listing { q, limit, cursor }): Params<Listing>,
) -> Answer<Json<Page<ProjectRepositoryView>>> {
    let paging = Paging { limit, cursor };
    let (fetch, after) = (paging.to_fetch()?, paging.after::<RepoUrl>()?);
    known(&app, &project).await?;
    let found = app.store.repositories_page(&project, q.as_deref(), after.as_ref(), fetch).await?;
    let page = Page::cut(found, fetch, |repository| repository.url.clone());
    let (next_cursor, mut items) = (page.next_cursor, Vec::with_capacity(page.items.len()));
    for repository in page.items {
        let integration = seen(&app, &caller.actor, repository.checked.integration.as_ref()).await?;
        items.push(ProjectRepositoryView::new(repository, integration));
    }
    Ok(Json(Page { items, next_cursor }))
}

/// The integration, if it is the caller's to know of: a repository may have been checked with somebody's own.
async fn seen(app: &App, by: &Actor, id: Option<&IntegrationId>) -> Answer<Option<IntegrationId>> {
    let Some(id) = id else { return Ok(None) };
    let known = app.store.integration(id).await?;
    Ok(known.filter(|integration| !integration.removing && by.sees(integration)).map(|integration| integration.id))
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Body(NewRepository { url, integration }): Body<NewRepository>,
) -> Answer<(StatusCode, Json<CheckedView>)> {
    let added = app.integrations.add_repository(&caller.actor, &project, &url, integration.as_ref()).await?;
    Ok((StatusCode::CREATED, Json(CheckedView::new(&app, added))))
}

async fn check(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Body(NewRepository { url, integration }): Body<NewRepository>,
) -> Answer<Json<CheckedView>> {
    let checked = app.integrations.recheck_repository(&caller.actor, &project, &url, integration.as_ref()).await?;
    Ok(Json(CheckedView::new(&app, checked)))
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Which { url }): Params<Which>,
) -> Answer<StatusCode> {
    let url: RepoUrl = url.parse().map_err(|error: RepoUrlError| Failure::invalid(format!("url: {error}")))?;
    app.integrations.remove_repository(&caller.actor, &project, &url).await?;
    Ok(StatusCode::NO_CONTENT)
}
