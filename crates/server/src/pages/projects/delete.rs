//! Deleting a project, which says first what would be lost.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;
use valetkey_model::{Actor, Problem, ProblemCode, ProjectName, Session};
use valetkey_sessions::Loss;

use super::frame;
use crate::{
    App,
    api::projects::{known, remove},
    auth::Caller,
    extract::Id,
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
        words::{Badge, title},
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
    running_count: usize,
    lost: Vec<Lost>,
    problem: Option<ProblemView>,
}

impl View for DeleteView {
    const TEMPLATE: &'static str = "project_delete.html";
}

/// Things of one kind that would be lost.
#[derive(Debug, Serialize)]
struct Lost {
    words: String,
    /// What the first few are called; empty if they have no names for others.
    names: String,
}

#[derive(Debug, Serialize)]
struct Running {
    id: String,
    title: String,
    phase: Badge,
}

impl DeleteView {
    /// `unfinished` are in the way; while there are some, or for the one that is always there, nothing is asked.
    fn new(name: &ProjectName, lost: &[Loss], unfinished: &[Session]) -> Self {
        let running = |session: &Session| Running {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            phase: session.phase.into(),
        };
        Self {
            name: name.to_string(),
            fixed: *name == ProjectName::default_project(),
            running: unfinished.iter().take(SHOWN).map(running).collect(),
            running_count: unfinished.len(),
            lost: lost.iter().map(|loss| Lost { words: loss.words(), names: loss.named() }).collect(),
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
    let unfinished = app.engine.unfinished_in(by, name).await?;
    let asked = unfinished.is_empty() && *name != ProjectName::default_project();
    let lost = if asked { app.engine.project_losses(by, name).await? } else { Vec::new() };
    Ok(DeleteView::new(name, &lost, &unfinished))
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
    use valetkey_sessions::LossKind;

    use super::*;
    use crate::pages::{render::tests::html, sessions::tests::session};

    fn loss(kind: LossKind, count: i64, names: &[&str]) -> Loss {
        Loss { kind, count, names: names.iter().map(ToString::to_string).collect() }
    }

    fn full() -> Vec<Loss> {
        vec![
            loss(LossKind::Integrations, 1, &["Release bot"]),
            loss(LossKind::PrivateIntegrations, 2, &[]),
            loss(LossKind::Secrets, 2, &["DEPLOY_KEY", "NPM_TOKEN"]),
            loss(LossKind::Webhooks, 1, &["ci.example.com"]),
            loss(LossKind::Assistants, 1, &["Release <manager>"]),
            loss(LossKind::Sessions, 12, &["Add X", "Fix the flaky test", "Move to the new API", "Tidy up", "Try Y"]),
            loss(LossKind::Repositories, 3, &["acme/design-tokens", "acme/shop-api", "acme/web/shop"]),
            loss(LossKind::Members, 4, &["Ann Ng", "bob@example.com", "cleo@example.com", "engineering"]),
        ]
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let shop = "web-shop".parse().unwrap();
        let alone = [loss(LossKind::Members, 1, &["Ann Ng"])];
        let problem = Problem::new(ProblemCode::InvalidInput, "This is not the project's name. Nothing was deleted.");
        let wrong = DeleteView { problem: Some((&problem).into()), ..DeleteView::new(&shop, &alone, &[]) };
        vec![
            ("project_delete", html(DeleteView::new(&shop, &full(), &[]))),
            ("project_delete_running", html(DeleteView::new(&shop, &[], &[session(1, Phase::Running)]))),
            ("project_delete_wrong_name", html(wrong)),
            ("project_delete_default", html(DeleteView::new(&ProjectName::default_project(), &[], &[]))),
        ]
    }

    #[test]
    fn what_would_be_lost_is_named_and_nothing_else_can_be_pressed_while_something_runs() {
        let pages = samples();
        let full = &pages[0].1;
        for part in [
            "1 integration of the project",
            "2 integrations that members",
            "DEPLOY_KEY, NPM_TOKEN",
            "Release &lt;manager&gt;",
            "12 sessions with their logs",
            "Try Y and 7 more",
            "3 repositories, which stay",
        ] {
            assert!(full.contains(part), "{part} in {full}");
        }
        assert!(full.contains("action=\"/projects/web-shop/delete\""));
        for refused in [&pages[1].1, &pages[3].1] {
            assert!(!refused.contains("action=\"/projects/web-shop/delete\"") && !refused.contains("/default/delete"));
        }
    }
}
