//! Stopping a session, which asks first.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use serde::Serialize;
use valetkey_model::{Session, SessionId};

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
struct StopView {
    id: String,
    title: String,
    over: bool,
}

impl View for StopView {
    const TEMPLATE: &'static str = "stop.html";
}

impl StopView {
    fn new(session: &Session) -> Self {
        Self { id: session.id.to_string(), title: title(&session.spec.task), over: session.phase.is_final() }
    }
}

pub(super) async fn show(State(app): State<App>, caller: Caller, Id(id): Id<SessionId>) -> Answer<impl IntoResponse> {
    let session = app.engine.managed(&caller.actor, &id).await?;
    Ok(Page::new(Frame::new(&app, &caller, Section::Sessions, "Stop"), StopView::new(&session)))
}

pub(super) async fn stop(State(app): State<App>, caller: Caller, Id(id): Id<SessionId>) -> Answer<Redirect> {
    app.engine.stop(&caller.actor, &id).await?;
    Ok(Redirect::to(&format!("/sessions/{id}?did=stopping")))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::Phase;

    use super::{super::tests::session, *};
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let page = |phase| html(StopView::new(&session(1, phase)));
        vec![("stop", page(Phase::Running)), ("stop_over", page(Phase::Completed))]
    }
}
