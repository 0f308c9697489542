//! Projects.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::{Actor, ProjectName, Role};

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Id, Params},
    problem::Answer,
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Projects";
    vec![
        Row::get("/api/v1/projects", list)
            .operation(TAG, "listProjects", "The projects that the caller is in, by name")
            .parameters::<Paging>()
            .answers::<Page<ProjectView>>(),
        Row::get("/api/v1/projects/{project}", show)
            .project(Role::Viewer)
            .operation(TAG, "getProject", "One project")
            .answers::<ProjectView>(),
    ]
}

/// A project.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Project")]
struct ProjectView {
    /// Its name.
    name: ProjectName,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<ProjectView>>> {
    let (fetch, after) = (paging.to_fetch()?, paging.after::<ProjectName>()?);
    let mut all = app.store.projects().await?;
    all.retain(|name| caller.actor.role(name).is_some());
    all.retain(|name| after.as_ref().is_none_or(|after| name > after));
    Ok(Json(Page::cut(all, fetch, ProjectName::clone).map(|name| ProjectView { name })))
}

async fn show(State(app): State<App>, Id(name): Id<ProjectName>) -> Answer<Json<ProjectView>> {
    if app.store.project_exists(&name).await? {
        return Ok(Json(ProjectView { name }));
    }
    Err(Actor::no_project(&name).into())
}
