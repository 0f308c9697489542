//! Disconnecting, which says first what it would break.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use valetkey_integrations::{Disconnected, RevokedAtProvider};
use valetkey_model::{AuthMethod, Integration, IntegrationId, IntegrationRef};
use valetkey_providers::provider;

use super::{back, named, usage::Users};
use crate::{
    App,
    auth::Caller,
    extract::Id,
    pages::{
        form::{Form, ProblemView},
        frame::{Frame, Section},
        render::{Page, View},
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
    /// What is erased, for people.
    what: &'static str,
    /// Whether the provider surely can revoke it.
    revocable: bool,
    users: Users,
}

impl View for DisconnectView {
    const TEMPLATE: &'static str = "disconnect.html";
}

impl DisconnectView {
    fn new(integration: &Integration, users: Users) -> Self {
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            provider: integration.provider.name(),
            username: integration.account.username.clone(),
            host: integration.instance_url.authority(),
            what: what(integration.auth_method),
            revocable: integration.auth_method.is_by_consent() && has_revocation(integration),
            users,
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
) -> Answer<impl IntoResponse> {
    let integration = named(&app, &caller, &id).await?;
    let users = Users::of(&app, &caller, &id).await?;
    let frame = Frame::new(&app, &caller, Section::Integrations, "Disconnect");
    Ok(Page::new(frame, DisconnectView::new(&integration, users)))
}

pub(super) async fn disconnect(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
    form: Form,
) -> Answer<Response> {
    let now = form.get("now") == "true";
    let known = named(&app, &caller, &id).await?;
    let left = match app.integrations.disconnect(&caller.actor, &IntegrationRef::Id(id), now).await? {
        Disconnected::UntilSessionsEnd(_) => return Ok(back("leaving").into_response()),
        Disconnected::Erased(RevokedAtProvider::Yes) => return Ok(back("revoked").into_response()),
        Disconnected::Erased(RevokedAtProvider::NotKnown) => return Ok(back("not-known").into_response()),
        Disconnected::Erased(RevokedAtProvider::NotOffered { page }) => LeftView::new(&known, page, None),
        Disconnected::Erased(RevokedAtProvider::Failed { problem, page }) => {
            LeftView::new(&known, page, Some((&problem).into()))
        }
    };
    Ok(Page::new(Frame::new(&app, &caller, Section::Integrations, "Disconnected"), left).into_response())
}

/// What is left for a person to do, because the provider did not revoke the credential.
#[derive(Debug, Serialize)]
struct LeftView {
    alias: String,
    provider: &'static str,
    what: &'static str,
    page: String,
    problem: Option<ProblemView>,
}

impl View for LeftView {
    const TEMPLATE: &'static str = "disconnected.html";
}

impl LeftView {
    fn new(of: &Integration, page: String, problem: Option<ProblemView>) -> Self {
        Self { alias: of.alias.to_string(), provider: of.provider.name(), what: what(of.auth_method), page, problem }
    }
}

/// What an integration stands on.
fn what(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::OAuth | AuthMethod::App => "consent",
        AuthMethod::Pat | AuthMethod::Basic => "token",
        AuthMethod::Header => "secret",
    }
}

fn has_revocation(of: &Integration) -> bool {
    provider(of.provider).oauth(&of.instance_url).is_some_and(|profile| profile.revocation.is_some())
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{Problem, ProblemCode, ProviderKind};

    use super::{super::card::tests::integration, *};
    use crate::pages::{integrations::usage::tests::users, render::tests::html};

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let account = integration(1, ProviderKind::GitLab);
        vec![
            ("disconnect", html(DisconnectView::new(&account, users()))),
            ("disconnect_free", html(DisconnectView::new(&account, Users::default()))),
            ("disconnected", html(LeftView::new(&account, page(), None))),
            ("disconnected_only_here", html(LeftView::new(&account, page(), Some(failure())))),
        ]
    }

    fn page() -> String {
        "https://gitlab.com/-/user_settings/personal_access_tokens".to_owned()
    }

    fn failure() -> ProblemView {
        (&Problem::new(ProblemCode::ProviderUnreachable, "Connecting to gitlab.com timed out.")).into()
    }

    #[test]
    fn what_the_provider_did_not_do_is_said_with_the_way_to_do_it() {
        let account = integration(1, ProviderKind::GitLab);
        for problem in [None, Some(failure())] {
            let failed = problem.is_some();
            let shown = html(LeftView::new(&account, page(), problem));
            assert!(shown.contains(&page()), "{shown}");
            assert_eq!(shown.contains("timed out"), failed, "{shown}");
        }
    }

    #[test]
    fn what_would_break_is_named() {
        let account = integration(1, ProviderKind::GitLab);
        let page = html(DisconnectView::new(&account, users()));
        assert!(page.contains("Add a dark mode") && page.contains("name=\"now\""), "{page}");
        assert!(!html(DisconnectView::new(&account, Users::default())).contains("name=\"now\""));
    }
}
