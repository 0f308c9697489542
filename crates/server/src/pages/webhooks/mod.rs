//! The webhooks of a project: who is told of what happens in it, and what became of each notification.

mod change;
mod edit;
mod list;
mod show;

use axum::response::Redirect;
use valetkey_model::{ProjectName, Role, WebhookEvent, WebhookId};

use crate::route::Row;

pub(crate) fn rows() -> Vec<Row> {
    const ALL: &str = "/projects/{project}/webhooks";
    const ONE: &str = "/projects/{project}/webhooks/{id}";
    let rows = vec![
        Row::get(ALL, list::show),
        Row::post(ALL, edit::add),
        Row::get("/projects/{project}/webhooks/new", edit::show_new),
        Row::get(ONE, show::show),
        Row::get("/projects/{project}/webhooks/{id}/live", show::follow).unbounded(),
        Row::get("/projects/{project}/webhooks/{id}/edit", edit::show_edit),
        Row::post("/projects/{project}/webhooks/{id}/edit", edit::edit),
        Row::post("/projects/{project}/webhooks/{id}/enabled", change::set_enabled),
        Row::post("/projects/{project}/webhooks/{id}/test", change::test),
        Row::get("/projects/{project}/webhooks/{id}/rotate", change::show_rotate),
        Row::post("/projects/{project}/webhooks/{id}/rotate", change::rotate),
        Row::get("/projects/{project}/webhooks/{id}/delete", change::show_delete),
        Row::post("/projects/{project}/webhooks/{id}/delete", change::delete),
        Row::post("/projects/{project}/webhooks/{id}/deliveries/{delivery}/redeliver", change::redeliver),
    ];
    rows.into_iter().map(|row| row.project(Role::Admin).page()).collect()
}

/// An event, for people.
fn event_words(event: WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::SessionCompleted => "a session completed",
        WebhookEvent::SessionFailed => "a session failed",
        WebhookEvent::SessionStopped => "a session was stopped, or its time was up",
        WebhookEvent::IntegrationDisconnected => "an integration of the project was disconnected",
        WebhookEvent::IntegrationExpiring => "an integration of the project ends soon",
    }
}

fn back_to_one(project: &ProjectName, id: &WebhookId, did: &str) -> Redirect {
    Redirect::to(&format!("/projects/{project}/webhooks/{id}?did={did}"))
}

fn back_to_all(project: &ProjectName, did: &str) -> Redirect {
    Redirect::to(&format!("/projects/{project}/webhooks?did={did}"))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [list::tests::samples(), show::tests::samples(), edit::tests::samples(), change::tests::samples()]
        .into_iter()
        .flatten()
        .collect()
}
