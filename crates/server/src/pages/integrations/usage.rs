//! What uses an integration.

use axum::{extract::State, response::IntoResponse};
use serde::Serialize;
use valetkey_integrations::Usage;
use valetkey_model::{IntegrationId, IntegrationRef, Problem, Session};

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

/// What uses an integration, as the pages list it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Users {
    pub(super) sessions: Vec<Holder>,
    assistants: Vec<Assistant>,
    repositories: Vec<Repository>,
}

/// A session that uses an integration now.
#[derive(Debug, Serialize)]
pub(super) struct Holder {
    id: String,
    title: String,
    phase: Badge,
}

/// An assistant that is pinned to it.
#[derive(Debug, Serialize)]
struct Assistant {
    id: String,
    project: String,
    name: String,
}

/// A project's repository that was asked about with it.
#[derive(Debug, Serialize)]
struct Repository {
    project: String,
    path: String,
}

impl Users {
    /// Those of an integration that the person may know of.
    pub(super) async fn of(app: &App, caller: &Caller, id: &IntegrationId) -> Result<Self, Problem> {
        let usage = app.integrations.used_by(&caller.actor, &IntegrationRef::Id(id.clone())).await?;
        let mut sessions = Vec::new();
        for id in &usage.sessions {
            sessions.push(app.engine.session(&caller.actor, id).await?);
        }
        Ok(Self::new(&usage, &sessions))
    }

    fn new(usage: &Usage, sessions: &[Session]) -> Self {
        let holder = |session: &Session| Holder {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            phase: session.phase.into(),
        };
        let assistants = usage.assistants.iter().map(|(id, project, name)| Assistant {
            id: id.to_string(),
            project: project.to_string(),
            name: name.to_string(),
        });
        let repositories = usage
            .repositories
            .iter()
            .map(|(project, url)| Repository { project: project.to_string(), path: url.path().to_owned() });
        Self {
            sessions: sessions.iter().map(holder).collect(),
            assistants: assistants.collect(),
            repositories: repositories.collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct UsageView {
    alias: String,
    users: Users,
}

impl View for UsageView {
    const TEMPLATE: &'static str = "usage.html";
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
) -> Answer<impl IntoResponse> {
    let integration = seen(&app, &caller, &id).await?;
    let users = Users::of(&app, &caller, &id).await?;
    let frame = Frame::new(&app, &caller, Section::Integrations, "Used by");
    Ok(Page::new(frame, UsageView { alias: integration.alias.to_string(), users }))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::Phase;

    use super::{super::card::tests::revoked, *};
    use crate::pages::{render::tests::html, sessions::tests::session};

    /// A session, an assistant and a repository.
    pub(in crate::pages) fn users() -> Users {
        let project = valetkey_model::ProjectName::default_project();
        let id = "018f0000-0000-7000-8000-000000000201".parse().unwrap();
        let usage = Usage {
            sessions: Vec::new(),
            assistants: vec![(id, project.clone(), "Release <manager>".parse().unwrap())],
            repositories: vec![(project, "https://gitlab.com/acme/web/app".parse().unwrap())],
        };
        Users::new(&usage, &[session(1, Phase::Running)])
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let alias = || revoked(2).alias.to_string();
        vec![
            ("usage", html(UsageView { alias: alias(), users: users() })),
            ("usage_none", html(UsageView { alias: alias(), users: Users::default() })),
        ]
    }

    #[test]
    fn all_that_would_break_is_named() {
        let page = html(UsageView { alias: "Work".into(), users: users() });
        for words in ["Release &lt;manager&gt;", "acme/web/app", "/sessions/"] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
}
