//! Registering an app, or replacing what is kept of it.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use valetkey_integrations::{AppSecrets, NewApp, RegisteredApp};
use valetkey_model::{InstanceUrl, Problem, ProblemCode, ProviderKind, sentence};
use valetkey_providers::{Scope, provider};
use valetkey_seal::Secret;
use valetkey_store::AppOrigin;

use super::{
    At, back, frame,
    places::{Place, consent, place},
    registered,
};
use crate::{
    App,
    auth::Caller,
    extract::{Id, Params},
    oauth::callback_url,
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
    },
    problem::{Answer, Failure},
};

#[derive(Debug, Serialize)]
struct RegisterView {
    slug: &'static str,
    name: &'static str,
    /// The instance of the app whose secret is replaced.
    replaces: Option<String>,
    /// Whether it is a GitHub App, which has a private key.
    with_key: bool,
    default_instance: String,
    callback: String,
    steps: &'static str,
    page: Option<String>,
    path: Option<&'static str>,
    scopes: Vec<Scope>,
    instance: String,
    client_id: String,
    problem: Option<ProblemView>,
}

impl View for RegisterView {
    const TEMPLATE: &'static str = "app.html";
}

impl RegisterView {
    fn new(kind: ProviderKind, place: Place, known: Option<&RegisteredApp>, callback: String) -> Self {
        let catalogue = provider(kind).catalogue();
        let instance = known.map(|known| known.instance_url.clone()).or_else(|| kind.default_instance());
        let method = consent(&catalogue);
        let always = method.and_then(|method| method.required_scopes.first()).into_iter().flat_map(|set| &set.scopes);
        let choices = method.into_iter().flat_map(|method| &method.choices);
        let choices = choices.map(|choice| Scope { name: choice.name.clone(), why: choice.why.clone() });
        Self {
            slug: kind.slug(),
            name: kind.name(),
            replaces: known.map(|known| known.instance_url.to_string()),
            with_key: known.is_some_and(|known| known.facts.slug.is_some()),
            default_instance: kind.default_instance().map(|url| url.to_string()).unwrap_or_default(),
            callback,
            steps: place.steps,
            page: place.href(instance.as_ref()),
            path: place.path(),
            scopes: always.cloned().chain(choices).collect(),
            instance: String::new(),
            client_id: known.map(|known| known.client_id.clone()).unwrap_or_default(),
            problem: None,
        }
    }

    /// The form again. Secrets are to be put in again.
    fn again(self, form: &Form, problem: &Problem) -> Self {
        let (instance, client_id) = (form.get("instance").to_owned(), form.get("client_id").to_owned());
        Self { instance, client_id, problem: Some(problem.into()), ..self }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(kind): Id<ProviderKind>,
    Params(At { instance }): Params<At>,
) -> Answer<Response> {
    let known = registered(&app, kind, instance.as_ref()).await?;
    let view = RegisterView::new(kind, place_of(kind)?, known.as_ref(), callback_url(&app));
    Ok(Page::new(frame(&app, &caller, title(kind)), view).into_response())
}

pub(super) async fn register(
    State(app): State<App>,
    caller: Caller,
    Id(kind): Id<ProviderKind>,
    form: Form,
) -> Answer<Response> {
    let place = place_of(kind)?;
    let replaced = form.get("replaces").parse::<InstanceUrl>().ok();
    let known = registered(&app, kind, replaced.as_ref()).await?;
    let done = match read(kind, known.as_ref(), &form) {
        Ok(new) => app.integrations.register_app(new, AppOrigin::Ui).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(_) => Ok(back("app-registered").into_response()),
        Err(problem) if problem.code == ProblemCode::Internal => Err(problem.into()),
        Err(problem) => {
            let view = RegisterView::new(kind, place, known.as_ref(), callback_url(&app));
            let page = Page::new(frame(&app, &caller, title(kind)), view.again(&form, &problem));
            Ok(page.with_status(refused(&problem)).into_response())
        }
    }
}

fn title(kind: ProviderKind) -> String {
    format!("Register an app at {kind}")
}

fn place_of(kind: ProviderKind) -> Result<Place, Failure> {
    place(kind).ok_or_else(|| Failure::new(ProblemCode::NotFound, format!("{kind} has no apps to register.")))
}

/// What the form registers. `known` is the app that it replaces.
fn read(kind: ProviderKind, known: Option<&RegisteredApp>, form: &Form) -> Result<NewApp, Problem> {
    let invalid = |why: String| Problem::new(ProblemCode::InvalidInput, why);
    let secret =
        |name: &str| Some(form.get(name)).filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_owned()));
    let instance_url = match (known, form.get("instance")) {
        (Some(known), _) => Some(known.instance_url.clone()),
        (None, "") => None,
        (None, text) => Some(text.parse::<InstanceUrl>().map_err(|e| invalid(sentence(&e)))?),
    };
    let secrets = AppSecrets {
        client_secret: secret("client_secret"),
        private_key: secret("private_key"),
        webhook_secret: secret("webhook_secret"),
    };
    let with_key = known.is_some_and(|known| known.facts.slug.is_some());
    if with_key && secrets.private_key.is_none() {
        return Err(invalid(
            "A GitHub App can't do without its private key; generate a new one on its page.".to_owned(),
        ));
    }
    let facts = known.map(|known| known.facts.clone()).unwrap_or_default();
    Ok(NewApp { provider: kind, instance_url, client_id: form.get("client_id").to_owned(), secrets, facts })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::{integrations::tests::app, render::tests::html};

    const CALLBACK: &str = "https://valetkey.example.com/oauth/callback";

    fn view(kind: ProviderKind, known: Option<&RegisteredApp>) -> RegisterView {
        RegisterView::new(kind, place(kind).unwrap(), known, CALLBACK.to_owned())
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let problem = Problem::new(ProblemCode::InvalidInput, "The client id is what the provider shows for the app.");
        vec![
            ("app", html(view(ProviderKind::GitHub, None))),
            ("app_refused", html(view(ProviderKind::GitLab, None).again(&form(), &problem))),
            ("app_replace", html(view(ProviderKind::GitHub, Some(&app())))),
        ]
    }

    fn form() -> Form {
        Form::of(
            "instance=https%3A%2F%2Fgitlab.example.com&client_id=abc&client_secret=gloas-canary&private_key=canary",
        )
    }

    #[test]
    fn the_callback_is_shown_and_no_secret_is() {
        let problem = Problem::new(ProblemCode::Conflict, "It is fixed by the settings file.");
        let page = html(view(ProviderKind::GitLab, None).again(&form(), &problem));
        for words in [CALLBACK, "https://gitlab.example.com", "value=\"abc\"", "fixed by the settings file"] {
            assert!(page.contains(words), "{words} in {page}");
        }
        assert!(!page.contains("canary"), "{page}");
    }

    #[test]
    fn a_github_app_keeps_its_facts_and_needs_its_key() {
        let without = Form::of("client_id=Iv23li&client_secret=x");
        assert_eq!(read(ProviderKind::GitHub, Some(&app()), &without).unwrap_err().code, ProblemCode::InvalidInput);
        let new = read(ProviderKind::GitHub, Some(&app()), &form()).unwrap();
        assert_eq!(new.facts, app().facts);
        assert_eq!(new.instance_url, Some(app().instance_url), "a replacement stays where it is");
    }
}
