//! What is done to a webhook with one button.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use serde::Serialize;
use valetkey_model::{DeliveryState, ProjectName, WebhookDeliveryId, WebhookId};
use valetkey_seal::Secret;
use valetkey_store::Webhook;
use valetkey_webhooks::Change;

use super::{back_to_all, back_to_one, show::name};
use crate::{
    App,
    auth::Caller,
    extract::{Ids, Trio},
    pages::{
        form::Form,
        projects::frame,
        render::{Page, View},
    },
    problem::Answer,
};

/// A signing secret, the one time that it is shown.
#[derive(Serialize)]
pub(super) struct SecretView {
    project: String,
    id: String,
    receiver: String,
    added: bool,
    secret: String,
}

impl View for SecretView {
    const TEMPLATE: &'static str = "webhook_secret.html";
}

impl SecretView {
    /// `added`: the webhook is new too.
    #[expect(clippy::disallowed_methods, reason = "a new signing secret is shown once, to who asked for it")]
    pub(super) fn new(webhook: &Webhook, secret: &Secret<String>, added: bool) -> Self {
        Self {
            project: webhook.project.to_string(),
            id: webhook.id.to_string(),
            receiver: webhook.url.receiver().authority(),
            added,
            secret: secret.expose().clone(),
        }
    }
}

#[derive(Debug, Serialize)]
struct ConfirmView {
    project: String,
    id: String,
    name: String,
    receiver: String,
}

impl ConfirmView {
    fn new(webhook: &Webhook) -> Self {
        Self {
            project: webhook.project.to_string(),
            id: webhook.id.to_string(),
            name: name(webhook),
            receiver: webhook.url.receiver().authority(),
        }
    }
}

#[derive(Debug, Serialize)]
struct RotateView(ConfirmView);

impl View for RotateView {
    const TEMPLATE: &'static str = "webhook_rotate.html";
}

#[derive(Debug, Serialize)]
struct DeleteView(ConfirmView);

impl View for DeleteView {
    const TEMPLATE: &'static str = "webhook_delete.html";
}

type One = Ids<ProjectName, WebhookId>;

pub(super) async fn test(State(app): State<App>, Ids(project, id): One) -> Answer<Redirect> {
    let tested = app.integrations.webhooks().test(&project, &id).await?;
    let did = if tested.state == DeliveryState::Delivered { "webhook-tested" } else { "webhook-refused" };
    Ok(back_to_one(&project, &id, did))
}

pub(super) async fn set_enabled(State(app): State<App>, Ids(project, id): One, form: Form) -> Answer<Redirect> {
    let enabled = form.get("enabled") == "true";
    let change = Change { enabled: Some(enabled), ..Change::default() };
    app.integrations.webhooks().change(&project, &id, change).await?;
    Ok(back_to_one(&project, &id, if enabled { "webhook-enabled" } else { "webhook-disabled" }))
}

pub(super) async fn redeliver(
    State(app): State<App>,
    Trio(project, id, delivery): Trio<ProjectName, WebhookId, WebhookDeliveryId>,
) -> Answer<Redirect> {
    app.integrations.webhooks().redeliver(&project, &id, &delivery).await?;
    Ok(back_to_one(&project, &id, "redelivering"))
}

pub(super) async fn show_rotate(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): One,
) -> Answer<impl IntoResponse> {
    let webhook = app.integrations.webhooks().get(&project, &id).await?;
    Ok(Page::new(frame(&app, &caller, "Replace the signing secret"), RotateView(ConfirmView::new(&webhook))))
}

pub(super) async fn rotate(State(app): State<App>, caller: Caller, Ids(project, id): One) -> Answer<impl IntoResponse> {
    let (webhook, secret) = app.integrations.webhooks().rotate(&project, &id).await?;
    Ok(Page::new(frame(&app, &caller, "New signing secret"), SecretView::new(&webhook, &secret, false)))
}

pub(super) async fn show_delete(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): One,
) -> Answer<impl IntoResponse> {
    let webhook = app.integrations.webhooks().get(&project, &id).await?;
    Ok(Page::new(frame(&app, &caller, "Delete a webhook"), DeleteView(ConfirmView::new(&webhook))))
}

pub(super) async fn delete(State(app): State<App>, Ids(project, id): One) -> Answer<Redirect> {
    app.integrations.webhooks().remove(&project, &id).await?;
    Ok(back_to_all(&project, "webhook-deleted"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::show::tests::webhook, *};
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=");
        let confirm = || ConfirmView::new(&webhook());
        vec![
            ("webhook_added", html(SecretView::new(&webhook(), &secret, true))),
            ("webhook_rotated", html(SecretView::new(&webhook(), &secret, false))),
            ("webhook_rotate", html(RotateView(confirm()))),
            ("webhook_delete", html(DeleteView(confirm()))),
        ]
    }
}
