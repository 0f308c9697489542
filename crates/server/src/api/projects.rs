//! Projects.

use axum::{Json, extract::State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use valetkey_model::{Actor, Description, ProblemCode, Project, ProjectName, ProjectSettings, PushPattern, Role};
use valetkey_sessions::{Loss, ProjectChange};

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Body, Id, Params},
    problem::Answer,
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Projects";
    const ONE: &str = "/api/v1/projects/{project}";
    vec![
        Row::get("/api/v1/projects", list)
            .operation(TAG, "listProjects", "The projects that the caller is in, by name")
            .parameters::<Listing>()
            .answers::<Page<ProjectView>>(),
        Row::post("/api/v1/projects", create)
            .operation(TAG, "createProject", "Makes a project; who makes it is its first admin")
            .body::<NewProject>()
            .success(StatusCode::CREATED)
            .answers::<ProjectView>()
            .fails(&[ProblemCode::Forbidden, ProblemCode::Conflict]),
        Row::get(ONE, show).project(Role::Viewer).operation(TAG, "getProject", "One project").answers::<ProjectView>(),
        Row::patch(ONE, change)
            .project(Role::Admin)
            .operation(TAG, "changeProject", "Changes a project; null takes a setting away")
            .body::<Change>()
            .answers::<ProjectView>()
            .fails(&[ProblemCode::NotFound]),
        Row::get("/api/v1/projects/{project}/losses", losses)
            .project(Role::Admin)
            .operation(TAG, "listProjectLosses", "What would be lost with a project, before it is deleted")
            .answers::<LossesView>()
            .fails(&[ProblemCode::NotFound, ProblemCode::Conflict]),
        Row::delete(ONE, delete)
            .project(Role::Admin)
            .operation(
                TAG,
                "deleteProject",
                "Deletes a project; one that holds more than members and repositories only if asked to",
            )
            .parameters::<Extent>()
            .success(StatusCode::NO_CONTENT)
            .fails(&[ProblemCode::NotFound, ProblemCode::Conflict]),
    ]
}

/// A project.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Project")]
pub(crate) struct ProjectView {
    /// Its name.
    name: ProjectName,
    /// What it is for.
    description: Description,
    /// What the caller may do in it.
    role: Role,
    /// The agent of sessions that name none; the server's own if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_agent: Option<Vec<String>>,
    /// How push branches are named; any may be if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    push_pattern: Option<PushPattern>,
    /// When it was made; not given for the one that was always there.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
}

impl ProjectView {
    fn new(project: Project, by: &Actor) -> Self {
        let Project { name, description, settings, created_at } = project;
        Self {
            role: by.role(&name).unwrap_or(Role::Viewer),
            name,
            description,
            default_agent: settings.default_agent,
            push_pattern: settings.push_pattern,
            created_at: Some(created_at).filter(|at| *at != Timestamp::UNIX_EPOCH),
        }
    }
}

/// Which projects to list.
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

/// What to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewProject {
    /// Its name: 1 to 63 of `a-z`, `0-9` and `-`. It can't be changed later.
    name: ProjectName,
    /// What it is for.
    #[serde(default)]
    description: Description,
    /// The agent of sessions that name none: program and arguments.
    default_agent: Option<Vec<String>>,
    /// How push branches are named.
    push_pattern: Option<PushPattern>,
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    /// What it is for.
    description: Option<Description>,
    /// The agent of sessions that name none; null for the server's own.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>")]
    default_agent: Option<Option<Vec<String>>>,
    /// How push branches are named; null for no rule.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<PushPattern>")]
    push_pattern: Option<Option<PushPattern>>,
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// What would be lost with a project.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProjectLosses")]
struct LossesView {
    /// Each kind of which there is something.
    items: Vec<LossView>,
}

/// Things of one kind that would be lost.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProjectLoss")]
struct LossView {
    /// Of which kind: `integrations`, `private_integrations`, `secrets`, `webhooks`, `assistants`, `sessions`, `tokens`,
    /// `repositories` or `members`.
    kind: &'static str,
    /// How many there are.
    count: i64,
    /// The same for people.
    words: String,
    /// What the first few are called; nothing for what people have for themselves.
    names: Vec<String>,
    /// Whether it goes only if everything may go.
    only_with_everything: bool,
}

impl From<Loss> for LossView {
    fn from(loss: Loss) -> Self {
        Self {
            kind: loss.kind.as_str(),
            count: loss.count,
            words: loss.words(),
            names: loss.names,
            only_with_everything: loss.kind.is_for_good(),
        }
    }
}

/// How much of a project may go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Extent {
    /// Also what can't be had again by adding it to another project: every integration in it, its secrets, webhooks and
    /// assistants, its sessions that are over with their logs and workspaces, and API tokens for it alone.
    #[serde(default)]
    everything: bool,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(Listing { q, limit, cursor }): Params<Listing>,
) -> Answer<Json<Page<ProjectView>>> {
    let paging = Paging { limit, cursor };
    let (fetch, after) = (paging.to_fetch()?, paging.after::<ProjectName>()?);
    let found = app.store.projects_page(&caller.actor, q.as_deref(), after.as_ref(), fetch).await?;
    let page = Page::cut(found, fetch, |project| project.name.clone());
    Ok(Json(page.map(|project| ProjectView::new(project, &caller.actor))))
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewProject>,
) -> Answer<(StatusCode, Json<ProjectView>)> {
    let NewProject { name, description, default_agent, push_pattern } = new;
    let settings = ProjectSettings { default_agent, push_pattern };
    let made = make(&app, &caller, name, description, settings).await?;
    // What they were when they asked does not have the new project yet.
    let view = ProjectView { role: Role::Admin, ..ProjectView::new(made, &caller.actor) };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Makes a project, if the caller may.
pub(crate) async fn make(
    app: &App,
    caller: &Caller,
    name: ProjectName,
    description: Description,
    settings: ProjectSettings,
) -> Answer<Project> {
    app.config.project_creation.require(&caller.actor)?;
    Ok(app.engine.create_project(&caller.actor, name, description, settings).await?)
}

async fn show(State(app): State<App>, caller: Caller, Id(name): Id<ProjectName>) -> Answer<Json<ProjectView>> {
    Ok(Json(ProjectView::new(known(&app, &name).await?, &caller.actor)))
}

/// The project that the address names.
pub(crate) async fn known(app: &App, name: &ProjectName) -> Answer<Project> {
    Ok(app.store.project(name).await?.ok_or_else(|| Actor::no_project(name))?)
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<ProjectName>,
    Body(Change { description, default_agent, push_pattern }): Body<Change>,
) -> Answer<Json<ProjectView>> {
    let change = ProjectChange { description, default_agent, push_pattern };
    let changed = app.engine.change_project(&caller.actor, &name, change).await?;
    Ok(Json(ProjectView::new(changed, &caller.actor)))
}

async fn losses(State(app): State<App>, caller: Caller, Id(name): Id<ProjectName>) -> Answer<Json<LossesView>> {
    let losses = app.engine.project_losses(&caller.actor, &name).await?;
    Ok(Json(LossesView { items: losses.into_iter().map(LossView::from).collect() }))
}

async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<ProjectName>,
    Params(Extent { everything }): Params<Extent>,
) -> Answer<StatusCode> {
    remove(&app, &caller, &name, everything).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a project, with everything in it if that is asked for.
pub(crate) async fn remove(app: &App, caller: &Caller, name: &ProjectName, everything: bool) -> Answer<()> {
    app.engine.delete_project(&caller.actor, name, everything).await?;
    // Tokens for this project alone went with it.
    app.ended_credentials.send_replace(());
    Ok(())
}
