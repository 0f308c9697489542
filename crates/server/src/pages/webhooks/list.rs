use axum::{extract::State, response::IntoResponse};
use serde::Serialize;
use valetkey_model::ProjectName;
use valetkey_store::Webhook;

use crate::{
    App,
    api::projects::known,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        frame::Did,
        projects::{
            frame,
            head::{Head, Tab},
        },
        render::{Page, View},
        words::{Badge, counted},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct WebhooksView {
    head: Head,
    webhooks: Vec<Item>,
}

impl View for WebhooksView {
    const TEMPLATE: &'static str = "webhooks.html";
}

#[derive(Debug, Serialize)]
struct Item {
    id: String,
    receiver: String,
    description: String,
    state: Badge,
    disabled_reason: Option<String>,
    events: String,
}

impl WebhooksView {
    fn new(head: Head, webhooks: Vec<Webhook>) -> Self {
        let item = |webhook: Webhook| Item {
            id: webhook.id.to_string(),
            receiver: webhook.url.receiver().authority(),
            description: webhook.description,
            state: Badge::enabled(webhook.enabled),
            disabled_reason: webhook.disabled_reason,
            events: counted(i64::try_from(webhook.events.len()).unwrap_or_default(), "event"),
        };
        Self { head, webhooks: webhooks.into_iter().map(item).collect() }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let head = Head::new(&known(&app, &project).await?, &caller.actor, Tab::Webhooks);
    let webhooks = app.integrations.webhooks().list(&project).await?;
    let frame = frame(&app, &caller, format!("Webhooks · {project}")).after(did.as_deref());
    Ok(Page::new(frame, WebhooksView::new(head, webhooks)))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::Role;

    use super::*;
    use crate::pages::{
        projects::tests::{ann, project},
        render::tests::html,
        webhooks::show::tests::{disabled, webhook},
    };

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let shop = project("web-shop", "The shop, its API and its design tokens.");
        let head = || Head::new(&shop, &ann(Role::Admin), Tab::Webhooks);
        vec![
            ("webhooks", html(WebhooksView::new(head(), vec![webhook(), disabled()]))),
            ("webhooks_empty", html(WebhooksView::new(head(), Vec::new()))),
        ]
    }

    #[test]
    fn the_list_shows_no_token_of_a_receiver() {
        let page = &samples()[0].1;
        assert!(page.contains("ci.example.com") && !page.contains("canary"), "{page}");
        assert!(page.contains("answered 410"), "{page}");
    }
}
