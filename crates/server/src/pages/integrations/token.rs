//! A new token in place of the old: by the provider where it can, else by hand.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;
use valetkey_integrations::Rotation;
use valetkey_model::{AuthMethod, Integration, IntegrationId, IntegrationRef, Problem, ProblemCode, ProviderKind};
use valetkey_providers::provider;
use valetkey_seal::Secret;

use super::{back, card::Fix, named};
use crate::{
    App,
    auth::Caller,
    extract::Id,
    pages::{
        form::{Form, ProblemView, refused},
        frame::{Frame, Section},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct TokenView {
    id: String,
    alias: String,
    provider: &'static str,
    username: String,
    host: String,
    /// The secret's name for people.
    label: String,
    token_page: Option<String>,
    can_rotate: bool,
    /// The provider was asked to rotate and can't.
    by_hand: bool,
    problem: Option<ProblemView>,
    rotation_problem: Option<ProblemView>,
}

impl View for TokenView {
    const TEMPLATE: &'static str = "token.html";
}

impl TokenView {
    fn new(integration: &Integration) -> Self {
        let (kind, method, instance) = (integration.provider, integration.auth_method, &integration.instance_url);
        let catalogue = provider(kind).catalogue();
        let offered = catalogue.method(method);
        let field = offered.and_then(|offered| offered.fields.iter().find(|field| field.secret));
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            provider: kind.name(),
            username: integration.account.username.clone(),
            host: instance.authority(),
            label: field.map_or_else(|| "Token".to_owned(), |field| field.label.clone()),
            token_page: offered
                .is_some_and(|offered| offered.token_page.is_some())
                .then(|| provider(kind).token_page(instance, method)),
            can_rotate: can_rotate(kind, method),
            by_hand: false,
            problem: None,
            rotation_problem: None,
        }
    }
}

/// Whether it is worth asking the provider for a new token. It may still say that it can't.
fn can_rotate(kind: ProviderKind, method: AuthMethod) -> bool {
    kind == ProviderKind::GitLab && method == AuthMethod::Pat
}

pub(super) async fn show(State(app): State<App>, caller: Caller, Id(id): Id<IntegrationId>) -> Answer<Response> {
    let known = named(&app, &caller, &id).await?;
    if known.auth_method.is_by_consent() {
        return Ok(Redirect::to(Fix::of(&known).href()).into_response());
    }
    Ok(page(&app, &caller, TokenView::new(&known)).into_response())
}

pub(super) async fn replace(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
    form: Form,
) -> Answer<Response> {
    let known = named(&app, &caller, &id).await?;
    if known.auth_method.is_by_consent() {
        return Ok(Redirect::to(Fix::of(&known).href()).into_response());
    }
    let token = Secret::new(form.get("token").to_owned());
    match app.integrations.replace(&caller.actor, &IntegrationRef::Id(id), token).await {
        Ok(_) => Ok(back("replaced").into_response()),
        Err(problem) if problem.code == ProblemCode::Internal => Err(problem.into()),
        Err(problem) => {
            let view = TokenView { problem: Some((&problem).into()), ..TokenView::new(&known) };
            Ok(page(&app, &caller, view).with_status(refused(&problem)).into_response())
        }
    }
}

pub(super) async fn rotate(State(app): State<App>, caller: Caller, Id(id): Id<IntegrationId>) -> Answer<Response> {
    let known = named(&app, &caller, &id).await?;
    match app.integrations.rotate(&caller.actor, &IntegrationRef::Id(id)).await {
        Ok(Rotation::Done(_)) => Ok(back("rotated").into_response()),
        Ok(Rotation::ByHand { .. }) if known.auth_method.is_by_consent() => {
            Ok(Redirect::to(Fix::of(&known).href()).into_response())
        }
        Ok(Rotation::ByHand { .. }) => {
            let view = TokenView { by_hand: true, can_rotate: false, ..TokenView::new(&known) };
            Ok(page(&app, &caller, view).into_response())
        }
        Err(problem) if problem.code == ProblemCode::Internal => Err(problem.into()),
        Err(problem) => Ok(not_rotated(&app, &caller, &known, &problem)),
    }
}

fn not_rotated(app: &App, caller: &Caller, known: &Integration, problem: &Problem) -> Response {
    let view = TokenView { rotation_problem: Some(problem.into()), ..TokenView::new(known) };
    page(app, caller, view).with_status(refused(problem)).into_response()
}

fn page(app: &App, caller: &Caller, view: TokenView) -> Page<TokenView> {
    Page::new(Frame::new(app, caller, Section::Integrations, "Replace token"), view)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::card::tests::{integration, revoked},
        *,
    };
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let refusal = Problem::new(ProblemCode::TokenExpired, "Authentication failed: the GitLab token has expired.")
            .remedy("Create a new token, then reconnect.");
        let view = || TokenView::new(&revoked(2));
        vec![
            ("token", html(TokenView { problem: Some((&refusal).into()), ..view() })),
            ("token_not_rotated", html(TokenView { rotation_problem: Some((&refusal).into()), ..view() })),
            ("token_by_hand", html(TokenView { by_hand: true, can_rotate: false, ..view() })),
        ]
    }

    #[test]
    fn the_link_leads_to_the_instance_of_the_account() {
        let page = html(TokenView::new(&revoked(2)));
        assert!(page.contains("gitlab.example.com:8443"), "{page}");
    }

    #[test]
    fn the_provider_is_asked_to_rotate_only_where_it_may_be_able_to() {
        assert!(html(TokenView::new(&revoked(2))).contains("/rotate"));
        assert!(!html(TokenView::new(&integration(1, ProviderKind::GitHub))).contains("/rotate"));
    }

    #[test]
    fn what_is_asked_for_has_the_name_that_the_provider_gives_it() {
        let api_token = Integration { auth_method: AuthMethod::Basic, ..integration(1, ProviderKind::Bitbucket) };
        assert!(html(TokenView::new(&api_token)).contains("API token"));
    }
}
