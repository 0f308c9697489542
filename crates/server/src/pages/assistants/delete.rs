use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use serde::Serialize;
use valetkey_model::{Assistant, AssistantRef, ProjectName};

use super::address;
use crate::{
    App,
    auth::Caller,
    extract::Ids,
    pages::{
        projects::frame,
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct DeleteView {
    id: String,
    name: String,
    project: String,
}

impl View for DeleteView {
    const TEMPLATE: &'static str = "assistant_delete.html";
}

impl From<Assistant> for DeleteView {
    fn from(assistant: Assistant) -> Self {
        let Assistant { id, name, project, .. } = assistant;
        Self { id: id.to_string(), name: name.to_string(), project: project.to_string() }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Ids(project, which): Ids<ProjectName, AssistantRef>,
) -> Answer<impl IntoResponse> {
    let known = app.engine.assistants().named(&caller.actor, &project, &which).await?;
    let frame = frame(&app, &caller, "Delete assistant");
    Ok(Page::new(frame, DeleteView::from(known)))
}

pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Ids(project, which): Ids<ProjectName, AssistantRef>,
) -> Answer<Redirect> {
    app.engine.assistants().delete(&caller.actor, &project, &which).await?;
    Ok(Redirect::to(&format!("{}?did=assistant-deleted", address(&project))))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::tests::assistant, *};
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        vec![("assistant_delete", html(DeleteView::from(assistant(1))))]
    }
}
