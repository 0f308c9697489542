//! Projects.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::{ProblemCode, ProjectName};

use crate::{
    App,
    api::paging::{Page, Paging},
    extract::{Id, Params},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Projects";
    vec![
        Row::get("/api/v1/projects", list)
            .operation(TAG, "listProjects", "All projects, by name")
            .parameters::<Paging>()
            .answers::<Page<ProjectView>>(),
        Row::get("/api/v1/projects/{project}", show)
            .operation(TAG, "getProject", "One project")
            .answers::<ProjectView>()
            .fails(&[ProblemCode::NotFound]),
    ]
}

/// A project.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Project")]
struct ProjectView {
    /// Its name.
    name: ProjectName,
}

async fn list(State(app): State<App>, Params(paging): Params<Paging>) -> Answer<Json<Page<ProjectView>>> {
    let (fetch, after) = (paging.to_fetch()?, paging.after::<ProjectName>()?);
    let mut all = app.store.projects().await?;
    all.retain(|name| after.as_ref().is_none_or(|after| name > after));
    Ok(Json(Page::cut(all, fetch, ProjectName::clone).map(|name| ProjectView { name })))
}

async fn show(State(app): State<App>, Id(name): Id<ProjectName>) -> Answer<Json<ProjectView>> {
    if app.store.project_exists(&name).await? {
        return Ok(Json(ProjectView { name }));
    }
    Err(Failure::new(ProblemCode::NotFound, format!("There is no project '{name}'.")))
}
