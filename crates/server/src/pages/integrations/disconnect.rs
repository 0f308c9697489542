//! Disconnecting, which says first what it would break.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use serde::Serialize;
use valetkey_integrations::Disconnected;
use valetkey_model::{Integration, IntegrationId, IntegrationRef, Session};

use super::{back, named};
use crate::{
    App,
    auth::Caller,
    extract::Id,
    pages::{
        form::Form,
        frame::{Frame, Section},
        render::{Page, View},
        words::{Badge, title},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct DisconnectView {
    id: String,
    alias: String,
    provider: &'static str,
    username: String,
    host: String,
    sessions: Vec<Holder>,
}

impl View for DisconnectView {
    const TEMPLATE: &'static str = "disconnect.html";
}

/// A session that uses the integration now.
#[derive(Debug, Serialize)]
struct Holder {
    id: String,
    title: String,
    phase: Badge,
}

impl DisconnectView {
    fn new(integration: &Integration, sessions: &[Session]) -> Self {
        let holder = |session: &Session| Holder {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            phase: session.phase.into(),
        };
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            provider: integration.provider.name(),
            username: integration.account.username.clone(),
            host: integration.instance_url.authority(),
            sessions: sessions.iter().map(holder).collect(),
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
) -> Answer<impl IntoResponse> {
    let integration = named(&app, &caller, &id).await?;
    let mut sessions = Vec::new();
    for id in app.integrations.used_by(&caller.user, &IntegrationRef::Id(id)).await? {
        sessions.push(app.engine.session(&caller.user, &id).await?);
    }
    let frame = Frame::new(&app, &caller, Section::Integrations, "Disconnect");
    Ok(Page::new(frame, DisconnectView::new(&integration, &sessions)))
}

pub(super) async fn disconnect(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
    form: Form,
) -> Answer<Redirect> {
    let now = form.get("now") == "true";
    Ok(match app.integrations.disconnect(&caller.user, &IntegrationRef::Id(id), now).await? {
        Disconnected::Erased => back("disconnected"),
        Disconnected::UntilSessionsEnd(_) => back("leaving"),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{Phase, ProviderKind};

    use super::{super::card::tests::integration, *};
    use crate::pages::{render::tests::html, sessions::tests::session};

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let account = integration(1, ProviderKind::GitLab);
        vec![
            ("disconnect", html(DisconnectView::new(&account, &[session(1, Phase::Running)]))),
            ("disconnect_free", html(DisconnectView::new(&account, &[]))),
        ]
    }

    #[test]
    fn what_would_break_is_named() {
        let account = integration(1, ProviderKind::GitLab);
        let page = html(DisconnectView::new(&account, &[session(1, Phase::Running)]));
        assert!(page.contains("Add a dark mode") && page.contains("name=\"now\""), "{page}");
        assert!(!html(DisconnectView::new(&account, &[])).contains("name=\"now\""));
    }
}
