//! Assistants: named agent set-ups of a project, from which sessions start.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{
    Actor, Alias, Assistant, AssistantId, AssistantName, AssistantRef, Integration, IntegrationId, Level, Problem,
    ProblemCode, ProjectName, ProviderKind, Role, Slot, SlotState, SlotStatus, UserId,
};
use valetkey_sessions::{MissingTool, NewAgent, NewAssistant, Saved};
use valetkey_store::AssistantFilter;

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Body, Id, Ids, Params},
    problem::{Answer, Failure, ProblemDocument},
    route::{Right, Row},
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Assistants";
    const ALL: &str = "/api/v1/projects/{project}/assistants";
    const ONE: &str = "/api/v1/projects/{project}/assistants/{id}";
    let refused = [ProblemCode::NotFound, ProblemCode::Conflict, ProblemCode::IntegrationUnusable];
    vec![
        Row::get(ALL, list)
            .project(Role::Viewer)
            .operation(TAG, "listAssistants", "The assistants of a project, oldest first")
            .parameters::<Listing>()
            .answers::<Page<AssistantView>>(),
        Row::post(ALL, create)
            .project(Role::Member)
            .operation(
                TAG,
                "createAssistant",
                "Makes an assistant; a conflict lists the tools without an integration, unless acceptMissing is true",
            )
            .body::<NewAssistant>()
            .success(StatusCode::CREATED)
            .answers::<SavedView>()
            .fails(&refused),
        Row::get(ONE, show)
            .assistant(Right::See)
            .operation(TAG, "getAssistant", "One assistant, by id or name")
            .answers::<AssistantView>()
            .fails(&[ProblemCode::NotFound]),
        Row::put(ONE, change)
            .assistant(Right::Manage)
            .operation(
                TAG,
                "changeAssistant",
                "Makes an assistant what is given; what is left out is emptied. For who made it, and the project's admins",
            )
            .body::<NewAssistant>()
            .answers::<SavedView>()
            .fails(&refused),
        Row::delete(ONE, delete)
            .assistant(Right::Manage)
            .operation(TAG, "deleteAssistant", "Deletes an assistant; sessions that were started from it go on")
            .success(StatusCode::NO_CONTENT)
            .fails(&[ProblemCode::NotFound]),
    ]
}

/// Which assistants to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// Only those with this in their name or description.
    q: Option<String>,
    /// At most this many items; 1 to 200, 50 if not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A named agent set-up in a project.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Assistant")]
struct AssistantView {
    id: AssistantId,
    project: ProjectName,
    /// Its name, unique in the project.
    name: AssistantName,
    /// What it is for.
    description: String,
    /// Who made it.
    owner: UserId,
    /// What the agent is told besides the task.
    instructions: String,
    /// The agent to run; the server's own if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<NewAgent>,
    /// What it may use: these and no others. If none is listed, whatever a session without an assistant may.
    tools: BTreeMap<ProviderKind, SlotView>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A slot, and what it comes to for the caller now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AssistantSlot")]
struct SlotView {
    slot: SlotWord,
    /// The integration that is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    integration: Option<IntegrationId>,
    /// Whether there is an integration that the caller's sessions would use.
    status: SlotStatus,
    /// That integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<ResolvedView>,
    /// Why it is that one, or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Which integration of a provider serves an assistant's sessions.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SlotKind")]
enum SlotWord {
    /// The one that is found for whoever starts the session.
    Automatic,
    /// The one that is pinned, and no other.
    Pinned,
    /// None.
    None,
}

/// The integration that a session would use.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SlotIntegration")]
struct ResolvedView {
    id: IntegrationId,
    alias: Alias,
    scope: Level,
}

/// An assistant that was just stored.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SavedAssistant")]
struct SavedView {
    #[serde(flatten)]
    assistant: AssistantView,
    /// The tools that have no integration for the caller.
    missing: Vec<MissingTool>,
}

/// A refusal with what to ask the person about.
#[derive(Debug, Serialize)]
struct Asking {
    #[serde(flatten)]
    problem: ProblemDocument,
    missing: Vec<MissingTool>,
}

impl AssistantView {
    /// `all` is what the caller's sessions in its project could use.
    fn new(assistant: Assistant, by: &Actor, all: &[Integration]) -> Self {
        let Assistant { id, project, name, description, owner, instructions, agent, tools, created_at, updated_at } =
            assistant;
        let slot = |(provider, slot): (ProviderKind, &Slot)| {
            (provider, SlotView::new(slot, tools.state(provider, all, by, &project)))
        };
        let tools = tools.listed().map(slot).collect();
        let agent = agent.map(|command| NewAgent { command });
        Self { id, project, name, description, owner, instructions, agent, tools, created_at, updated_at }
    }
}

impl SlotView {
    fn new(slot: &Slot, state: SlotState) -> Self {
        let (slot, integration) = match slot {
            Slot::Automatic => (SlotWord::Automatic, None),
            Slot::Pinned(pin) => (SlotWord::Pinned, Some(pin.integration.clone())),
            Slot::None => (SlotWord::None, None),
        };
        let (status, why) = (state.status(), state.why().map(str::to_owned));
        let resolved = match state {
            SlotState::Ready { integration, .. } => {
                let Integration { id, alias, scope, .. } = *integration;
                Some(ResolvedView { id, alias, scope: scope.level() })
            }
            SlotState::Off | SlotState::Several | SlotState::Missing(_) | SlotState::Unusable(_) => None,
        };
        Self { slot, integration, status, resolved, why }
    }
}

async fn list(
    State(app): State<App>,
    Caller { actor, .. }: Caller,
    Id(project): Id<ProjectName>,
    Params(Listing { q, limit, cursor }): Params<Listing>,
) -> Answer<Json<Page<AssistantView>>> {
    let paging = Paging { limit, cursor };
    let (fetch, after) = (paging.to_fetch()?, paging.after::<AssistantId>()?);
    if !app.store.project_exists(&project).await? {
        return Err(Actor::no_project(&project).into());
    }
    let assistants = app.engine.assistants();
    let filter = AssistantFilter { project: Some(&project), text: q.as_deref() };
    let fetched = assistants.page(&actor, &filter, after.as_ref(), fetch).await?;
    let all = assistants.integrations(&actor, &project).await?;
    let page = Page::cut(fetched, fetch, |assistant| assistant.id.clone());
    Ok(Json(page.map(|assistant| AssistantView::new(assistant, &actor, &all))))
}

async fn show(
    State(app): State<App>,
    Caller { actor, .. }: Caller,
    Ids(project, which): Ids<ProjectName, AssistantRef>,
) -> Answer<Json<AssistantView>> {
    let assistant = app.engine.assistants().named(&actor, &project, &which).await?;
    Ok(Json(view(&app, &actor, assistant).await?))
}

async fn create(
    State(app): State<App>,
    Caller { actor, .. }: Caller,
    Id(project): Id<ProjectName>,
    Body(new): Body<NewAssistant>,
) -> Answer<Response> {
    let saved = app.engine.assistants().create(&actor, &project, new).await?;
    stored(&app, &actor, saved, StatusCode::CREATED).await
}

async fn change(
    State(app): State<App>,
    Caller { actor, .. }: Caller,
    Ids(project, which): Ids<ProjectName, AssistantRef>,
    Body(new): Body<NewAssistant>,
) -> Answer<Response> {
    let saved = app.engine.assistants().change(&actor, &project, &which, new).await?;
    stored(&app, &actor, saved, StatusCode::OK).await
}

async fn delete(
    State(app): State<App>,
    Caller { actor, .. }: Caller,
    Ids(project, which): Ids<ProjectName, AssistantRef>,
) -> Answer<StatusCode> {
    app.engine.assistants().delete(&actor, &project, &which).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn view(app: &App, by: &Actor, assistant: Assistant) -> Result<AssistantView, Problem> {
    let all = app.engine.assistants().integrations(by, &assistant.project).await?;
    Ok(AssistantView::new(assistant, by, &all))
}

async fn stored(app: &App, by: &Actor, saved: Saved, status: StatusCode) -> Answer<Response> {
    match saved {
        Saved::Done(assistant, missing) => {
            let assistant = view(app, by, *assistant).await?;
            Ok((status, Json(SavedView { assistant, missing })).into_response())
        }
        Saved::Asks(missing) => Ok(asking(missing)),
    }
}

fn asking(missing: Vec<MissingTool>) -> Response {
    let list: Vec<_> = missing.iter().map(|tool| format!("{}: {}", tool.provider, tool.why)).collect();
    let detail = format!("Some of the tools have no integration that you could use. {}", list.join(" "));
    let problem = Problem::new(ProblemCode::Conflict, detail)
        .remedy("Connect what is missing, choose others, or save with \"acceptMissing\": true.");
    let failure = Failure::from(problem);
    let status = failure.status;
    let body = Json(Asking { problem: failure.into(), missing });
    let media_type = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, media_type)], body).into_response()
}
