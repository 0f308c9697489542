//! Sessions: asking for one, following it, stopping it.

use axum::{Json, extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::{
    Actor, AssistantId, AssistantName, Phase, PhaseTimes, Problem, ProblemCode, ProjectName, RepositoryChanges,
    RepositoryRun, Role, Session, SessionId, UserId,
};
use valetkey_sessions::{NewAgent, NewSession};
use valetkey_store::SessionFilter;

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    events::{self, After, Followed},
    extract::{Body, Id, Ids, Params},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Sessions";
    const ALL: &str = "/api/v1/projects/{project}/sessions";
    const ONE: &str = "/api/v1/projects/{project}/sessions/{id}";
    let missing = [ProblemCode::NotFound];
    let missing_or_conflict = [ProblemCode::NotFound, ProblemCode::Conflict];
    vec![
        Row::get(ALL, list)
            .project(Role::Viewer)
            .operation(TAG, "listSessions", "The sessions of a project, newest first")
            .parameters::<Paging>()
            .answers::<Page<SessionView>>()
            .fails(&missing),
        Row::post(ALL, create)
            .project(Role::Member)
            .operation(TAG, "createSession", "Starts a session")
            .body::<NewSession>()
            .success(StatusCode::CREATED)
            .answers::<SessionView>()
            .fails(&[
                ProblemCode::NotFound,
                ProblemCode::IntegrationMissing,
                ProblemCode::IntegrationAmbiguous,
                ProblemCode::IntegrationUnusable,
            ]),
        Row::get(ONE, show)
            .project(Role::Viewer)
            .operation(TAG, "getSession", "One session")
            .answers::<SessionView>()
            .fails(&missing),
        Row::delete(ONE, delete)
            .project(Role::Member)
            .operation(TAG, "deleteSession", "Deletes a session that is over: its record, its log and its workspace")
            .success(StatusCode::NO_CONTENT)
            .fails(&missing_or_conflict),
        Row::get("/api/v1/projects/{project}/sessions/{id}/changes", changes)
            .project(Role::Viewer)
            .operation(TAG, "listChanges", "What the session changed, per repository, as far as it came to commit it")
            .answers::<Page<RepositoryChanges>>()
            .fails(&missing),
        Row::get("/api/v1/projects/{project}/sessions/{id}/events", follow)
            .project(Role::Viewer)
            .operation(TAG, "followSession", "The session's events, until it is over; Last-Event-ID resumes")
            .parameters::<After>()
            .events::<Followed>()
            .fails(&[ProblemCode::NotFound, ProblemCode::RateLimited]),
        Row::post("/api/v1/projects/{project}/sessions/{id}/stop", stop)
            .project(Role::Member)
            .operation(TAG, "stopSession", "Asks a session to stop; returns at once, the agent gets ten seconds")
            .success(StatusCode::ACCEPTED)
            .answers::<SessionView>()
            .fails(&missing_or_conflict),
    ]
}

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Session")]
pub(crate) struct SessionView {
    id: SessionId,
    project: ProjectName,
    /// Who started it.
    owner: UserId,
    /// Its page.
    url: String,
    /// What the agent was asked to do.
    task: String,
    /// What became of each repository.
    repositories: Vec<RepositoryRun>,
    agent: NewAgent,
    /// The assistant that it was started from, by the name that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant: Option<AssistantOf>,
    /// How long the agent may run.
    timeout_seconds: u64,
    /// Whether a pull (merge) request was asked for.
    pull_request: bool,
    /// Where it is in its life.
    phase: Phase,
    /// The outcome in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Why it failed or was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Problem>,
    /// Where its workspace is, while it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    /// When each phase began.
    times: PhaseTimes,
}

/// The assistant that a session was started from.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SessionAssistant")]
struct AssistantOf {
    id: AssistantId,
    name: AssistantName,
}

impl SessionView {
    /// What the API answers for a session.
    pub(crate) fn new(app: &App, session: Session) -> Self {
        let Session { id, project, owner, spec, phase, repositories, message, failure, workspace, times, .. } = session;
        Self {
            url: app.url(&format!("/sessions/{id}")),
            id,
            project,
            owner,
            task: spec.task,
            repositories,
            agent: NewAgent { command: spec.agent },
            assistant: spec.assistant.map(|from| AssistantOf { id: from.id, name: from.name }),
            timeout_seconds: spec.timeout_seconds,
            pull_request: spec.pull_request,
            phase,
            message,
            failure,
            workspace,
            times,
        }
    }
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<SessionView>>> {
    let (fetch, before) = (paging.to_fetch()?, paging.after::<SessionId>()?);
    if !app.store.project_exists(&project).await? {
        return Err(Actor::no_project(&project).into());
    }
    let filter = SessionFilter { project: Some(&project), ..Default::default() };
    let fetched = app.engine.sessions(&caller.actor, &filter, fetch, before.as_ref()).await?;
    let page = Page::cut(fetched, fetch, |session| session.id.clone());
    Ok(Json(page.map(|session| SessionView::new(&app, session))))
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Body(new): Body<NewSession>,
) -> Answer<(StatusCode, Json<SessionView>)> {
    let session = app.engine.create(&caller.actor, &project, new).await?;
    Ok((StatusCode::CREATED, Json(SessionView::new(&app, session))))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, SessionId>,
) -> Answer<Json<SessionView>> {
    let session = find(&app, &caller, &project, &id).await?;
    Ok(Json(SessionView::new(&app, session)))
}

async fn changes(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, SessionId>,
) -> Answer<Json<Page<RepositoryChanges>>> {
    find(&app, &caller, &project, &id).await?;
    Ok(Json(Page::whole(app.engine.changes(&caller.actor, &id).await?)))
}

async fn follow(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, SessionId>,
    Params(after): Params<After>,
    headers: HeaderMap,
) -> Answer<Response> {
    find(&app, &caller, &project, &id).await?;
    events::stream_of(app, caller, id, after, &headers).await
}

async fn stop(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, SessionId>,
) -> Answer<(StatusCode, Json<SessionView>)> {
    find(&app, &caller, &project, &id).await?;
    let session = app.engine.stop(&caller.actor, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(SessionView::new(&app, session))))
}

async fn delete(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, SessionId>,
) -> Answer<StatusCode> {
    find(&app, &caller, &project, &id).await?;
    app.engine.delete(&caller.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A session of the caller in the project that the address names.
async fn find(app: &App, caller: &Caller, project: &ProjectName, id: &SessionId) -> Answer<Session> {
    let session = app.engine.session(&caller.actor, id).await?;
    if session.project == *project {
        return Ok(session);
    }
    Err(Failure::new(ProblemCode::NotFound, format!("The project '{project}' has no session {id}.")))
}
