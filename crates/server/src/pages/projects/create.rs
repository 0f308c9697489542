use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::Serialize;
use valetkey_model::{Description, Problem, ProblemCode, ProjectName, ProjectSettings, sentence};

use super::frame;
use crate::{
    App,
    api::projects::make,
    auth::Caller,
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Default, Serialize)]
struct NewView {
    name: String,
    description: String,
    problem: Option<ProblemView>,
}

impl View for NewView {
    const TEMPLATE: &'static str = "project_new.html";
}

pub(super) async fn show(State(app): State<App>, caller: Caller) -> Answer<impl IntoResponse> {
    app.config.project_creation.require(&caller.actor)?;
    Ok(Page::new(frame(&app, &caller, "New project"), NewView::default()))
}

pub(super) async fn create(State(app): State<App>, caller: Caller, form: Form) -> Answer<Response> {
    let made = match read(&form) {
        Ok((name, description)) => {
            make(&app, &caller, name, description, ProjectSettings::default()).await.map_err(|failure| failure.problem)
        }
        Err(problem) => Err(problem),
    };
    let problem = match made {
        Ok(project) => {
            return Ok(Redirect::to(&format!("/projects/{}?did=project-created", project.name)).into_response());
        }
        Err(problem) => problem,
    };
    let typed = |name: &str| form.get(name).to_owned();
    let view = NewView { name: typed("name"), description: typed("description"), problem: Some((&problem).into()) };
    Ok(Page::new(frame(&app, &caller, "New project"), view).with_status(refused(&problem)).into_response())
}

fn read(form: &Form) -> Result<(ProjectName, Description), Problem> {
    let name = form.get("name").parse().map_err(|error| wrong(&error))?;
    Ok((name, form.get("description").parse().map_err(|error| wrong(&error))?))
}

pub(super) fn wrong(error: &impl ToString) -> Problem {
    Problem::new(ProblemCode::InvalidInput, sentence(error))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let problem = wrong(&"../x".parse::<ProjectName>().unwrap_err());
        let refused =
            NewView { name: "Web Shop".into(), description: "The shop".into(), problem: Some((&problem).into()) };
        vec![("project_new", html(NewView::default())), ("project_new_refused", html(refused))]
    }
}
