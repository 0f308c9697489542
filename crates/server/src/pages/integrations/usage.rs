//! What uses an integration.

use axum::{extract::State, response::IntoResponse};
use serde::Serialize;
use valetkey_model::{Integration, IntegrationId, IntegrationRef, Problem, ProblemCode, Session};

use super::seen;
use crate::{
    App,
    auth::Caller,
    extract::Id,
    pages::{
        frame::{Frame, Section},
        render::{Page, View},
        words::{Badge, title},
    },
    problem::Answer,
};

/// A session that uses an integration now.
#[derive(Debug, Serialize)]
pub(super) struct Holder {
    id: String,
    title: String,
    phase: Badge,
}

impl Holder {
    pub(super) fn new(session: &Session) -> Self {
        Self { id: session.id.to_string(), title: title(&session.spec.task), phase: session.phase.into() }
    }
}

/// The sessions that hold an integration now, of those that the person may know of.
pub(super) async fn holders(app: &App, caller: &Caller, id: &IntegrationId) -> Result<Vec<Session>, Problem> {
    let mut sessions = Vec::new();
    for id in app.integrations.used_by(&caller.actor, &IntegrationRef::Id(id.clone())).await? {
        match app.engine.session(&caller.actor, &id).await {
            Err(problem) if problem.code == ProblemCode::NotFound => {}
            session => sessions.push(session?),
        }
    }
    Ok(sessions)
}

#[derive(Debug, Serialize)]
struct UsageView {
    alias: String,
    sessions: Vec<Holder>,
}

impl View for UsageView {
    const TEMPLATE: &'static str = "usage.html";
}

impl UsageView {
    fn new(integration: &Integration, sessions: &[Session]) -> Self {
        Self { alias: integration.alias.to_string(), sessions: sessions.iter().map(Holder::new).collect() }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
) -> Answer<impl IntoResponse> {
    let integration = seen(&app, &caller, &id).await?;
    let sessions = holders(&app, &caller, &id).await?;
    let frame = Frame::new(&app, &caller, Section::Integrations, "Used by");
    Ok(Page::new(frame, UsageView::new(&integration, &sessions)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::card::tests::revoked, *};
    use crate::pages::{render::tests::html, sessions::tests::session};

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let used = UsageView::new(&revoked(2), &[session(1, valetkey_model::Phase::Running)]);
        vec![("usage", html(used)), ("usage_none", html(UsageView::new(&revoked(2), &[])))]
    }
}
