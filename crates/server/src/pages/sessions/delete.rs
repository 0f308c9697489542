//! Deleting a session that is over, which says first what is lost by it.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use serde::Serialize;
use valetkey_model::{RepositoryChanges, Session, SessionId};

use super::changes::Changes;
use crate::{
    App,
    auth::Caller,
    extract::Id,
    pages::{
        frame::{Frame, Section},
        render::{Page, View},
        words::title,
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct DeleteView {
    id: String,
    title: String,
    over: bool,
    /// How many files it changed, if any.
    changes: Option<String>,
    /// The folder that was kept.
    workspace: Option<String>,
    /// Whether something was pushed, which stays.
    pushed: bool,
}

impl View for DeleteView {
    const TEMPLATE: &'static str = "session_delete.html";
}

impl DeleteView {
    fn new(session: &Session, changes: &[RepositoryChanges]) -> Self {
        Self {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            over: session.phase.is_final(),
            changes: Changes::counted(changes),
            workspace: session.workspace.clone(),
            pushed: session.repositories.iter().any(|run| run.branch_url.is_some()),
        }
    }
}

pub(super) async fn show(State(app): State<App>, caller: Caller, Id(id): Id<SessionId>) -> Answer<impl IntoResponse> {
    let session = app.engine.managed(&caller.actor, &id).await?;
    let changes = app.engine.changes(&caller.actor, &id).await?;
    let frame = Frame::new(&app, &caller, Section::Sessions, "Delete session");
    Ok(Page::new(frame, DeleteView::new(&session, &changes)))
}

pub(super) async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<SessionId>) -> Answer<Redirect> {
    app.engine.delete(&caller.actor, &id).await?;
    Ok(Redirect::to("/sessions?did=session-deleted"))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::Phase;

    use super::{
        super::{changes::tests::sample, tests::session},
        *,
    };
    use crate::pages::render::tests::html;

    fn page(phase: Phase, changes: &[RepositoryChanges]) -> String {
        html(DeleteView::new(&session(1, phase), changes))
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        vec![
            ("session_delete", page(Phase::Completed, &sample())),
            ("session_delete_kept", page(Phase::Failed, &[])),
            ("session_delete_running", page(Phase::Running, &[])),
        ]
    }

    #[test]
    fn what_is_lost_is_named() {
        let kept = page(Phase::Failed, &sample());
        for words in ["log", "205 files", "/var/lib/valetkey/workspaces/018f"] {
            assert!(kept.contains(words), "{words} in {kept}");
        }
        assert!(!kept.contains("What was pushed"), "{kept}");
        let completed = page(Phase::Completed, &[]);
        assert!(completed.contains("What was pushed") && !completed.contains("workspaces/"), "{completed}");
    }

    #[test]
    fn what_still_runs_is_not_deleted() {
        let running = page(Phase::Running, &[]);
        assert!(
            running.contains("/stop\"") && !running.contains("<form method=\"post\" action=\"/sessions/"),
            "{running}"
        );
    }
}
