//! Deleting a project, which says first what would be lost.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;
use valetkey_model::{Actor, Problem, ProblemCode, ProjectName, Session};
use valetkey_store::ProjectContents;

use super::frame;
use crate::{
    App,
    api::projects::{known, remove},
    auth::Caller,
    extract::Id,
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
        words::{Badge, counted, title},
    },
    problem::Answer,
};

/// How many of the sessions in the way are named.
const SHOWN: usize = 10;

#[derive(Debug, Serialize)]
struct DeleteView {
    name: String,
    /// Whether it is the one that is always there.
    fixed: bool,
    /// Some of the sessions that are not over, and how many there are.
    running: Vec<Running>,
    running_count: i64,
    /// What would be lost, each as a line.
    lost: Vec<String>,
    problem: Option<ProblemView>,
}

impl View for DeleteView {
    const TEMPLATE: &'static str = "project_delete.html";
}

#[derive(Debug, Serialize)]
struct Running {
    id: String,
    title: String,
    phase: Badge,
}

impl DeleteView {
    fn new(name: &ProjectName, contents: ProjectContents, unfinished: &[Session]) -> Self {
        let running = |session: &Session| Running {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            phase: session.phase.into(),
        };
        let ProjectContents { running: running_count, sessions, integrations, private_integrations, .. } = contents;
        let lost = [
            (
                sessions,
                "session",
                "that has ended, its log and its workspace",
                "that have ended, their logs and workspaces",
            ),
            (integrations, "integration", "of the project", "of the project"),
            (
                private_integrations,
                "integration",
                "that a member connected for themselves in it",
                "that members connected for themselves in it",
            ),
            (contents.repositories, "repository entry", "", ""),
            (contents.tokens, "API token", "for this project alone", "for this project alone"),
        ];
        let line = |(count, noun, one, several): (i64, &str, &str, &str)| {
            let what = if noun == "repository entry" && count != 1 {
                format!("{count} repository entries")
            } else {
                counted(count, noun)
            };
            format!("{what} {}", if count == 1 { one } else { several }).trim_end().to_owned()
        };
        Self {
            name: name.to_string(),
            fixed: *name == ProjectName::default_project(),
            running: unfinished.iter().take(SHOWN).map(running).collect(),
            running_count,
            lost: lost.into_iter().filter(|(count, ..)| *count > 0).map(line).collect(),
            problem: None,
        }
    }
}

pub(super) async fn show(State(app): State<App>, caller: Caller, Id(name): Id<ProjectName>) -> Answer<Response> {
    let view = view(&app, &caller.actor, &name).await?;
    Ok(Page::new(frame(&app, &caller, "Delete a project"), view).into_response())
}

async fn view(app: &App, by: &Actor, name: &ProjectName) -> Answer<DeleteView> {
    known(app, name).await?;
    let contents = app.store.project_contents(name).await?;
    Ok(DeleteView::new(name, contents, &app.engine.unfinished_in(by, name).await?))
}

pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<ProjectName>,
    form: Form,
) -> Answer<Response> {
    let done = if form.get("name") == name.as_str() {
        // The page has said what there is.
        remove(&app, &caller, &name, true).await.map_err(|failure| failure.problem)
    } else {
        Err(Problem::new(ProblemCode::InvalidInput, "This is not the project's name. Nothing was deleted."))
    };
    let Err(problem) = done else { return Ok(Redirect::to("/projects?did=project-deleted").into_response()) };
    let view = DeleteView { problem: Some((&problem).into()), ..view(&app, &caller.actor, &name).await? };
    Ok(Page::new(frame(&app, &caller, "Delete a project"), view).with_status(refused(&problem)).into_response())
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::Phase;

    use super::*;
    use crate::pages::{render::tests::html, sessions::tests::session};

    const FULL: ProjectContents = ProjectContents {
        running: 0,
        sessions: 12,
        integrations: 1,
        private_integrations: 2,
        repositories: 3,
        members: 4,
        tokens: 1,
    };

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let shop = "web-shop".parse().unwrap();
        let busy = ProjectContents { running: 1, ..FULL };
        let empty = ProjectContents { members: 1, ..Default::default() };
        let problem = Problem::new(ProblemCode::InvalidInput, "This is not the project's name. Nothing was deleted.");
        let wrong = DeleteView { problem: Some((&problem).into()), ..DeleteView::new(&shop, empty, &[]) };
        vec![
            ("project_delete", html(DeleteView::new(&shop, FULL, &[]))),
            ("project_delete_running", html(DeleteView::new(&shop, busy, &[session(1, Phase::Running)]))),
            ("project_delete_wrong_name", html(wrong)),
            ("project_delete_default", html(DeleteView::new(&ProjectName::default_project(), empty, &[]))),
        ]
    }

    #[test]
    fn what_would_be_lost_is_named_and_nothing_else_can_be_pressed_while_something_runs() {
        let pages = samples();
        let full = &pages[0].1;
        for part in [
            "12 sessions that have ended",
            "1 integration of the project",
            "2 integrations that members",
            "3 repository entries",
        ] {
            assert!(full.contains(part), "{part} in {full}");
        }
        assert!(full.contains("action=\"/projects/web-shop/delete\""));
        for refused in [&pages[1].1, &pages[3].1] {
            assert!(!refused.contains("action=\"/projects/web-shop/delete\"") && !refused.contains("/default/delete"));
        }
    }
}
