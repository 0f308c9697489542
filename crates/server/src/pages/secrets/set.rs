//! Keeping a secret, or putting another value in its place. A value is never shown again, not even a refused one.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use valetkey_integrations::{NewSecret, typed_value};
use valetkey_model::{Problem, ProblemCode, SecretName, sentence};
use valetkey_store::SecretRecord;

use super::{Whose, list::Overridden};
use crate::{
    App,
    extract::Params,
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct SetView {
    path: String,
    project: Option<String>,
    /// The secret whose value is replaced.
    replaces: Option<String>,
    provider: Option<Overridden>,
    description: String,
    problem: Option<ProblemView>,
}

impl View for SetView {
    const TEMPLATE: &'static str = "secret.html";
}

impl SetView {
    fn new(whose: &Whose, known: Option<&SecretRecord>) -> Self {
        Self {
            path: whose.path(),
            project: whose.project().map(ToString::to_string),
            replaces: known.map(|known| known.name.to_string()),
            provider: known.and_then(|known| Overridden::by(&known.name)),
            description: known.map(|known| known.description.clone()).unwrap_or_default(),
            problem: None,
        }
    }

    /// The form again, with what was wrong. What was typed may be a value in the wrong field, so it is typed again.
    fn refused(self, problem: &Problem) -> Self {
        Self { problem: Some(problem.into()), ..self }
    }
}

/// Which one's value is to be replaced.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    name: Option<SecretName>,
}

pub(super) async fn show(
    State(app): State<App>,
    whose: Whose,
    Params(Which { name }): Params<Which>,
) -> Answer<Response> {
    let known = known(&app, &whose, name.as_ref()).await?;
    Ok(Page::new(whose.frame(&app, "Set a secret"), SetView::new(&whose, known.as_ref())).into_response())
}

pub(super) async fn set(State(app): State<App>, whose: Whose, form: Form) -> Answer<Response> {
    let replaced = form.get("replaces").parse::<SecretName>().ok();
    let known = known(&app, &whose, replaced.as_ref()).await?;
    let done = match read(&form) {
        Ok(new) => app.integrations.set_secret(&whose.caller.actor, &whose.owner, new).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(saved) if saved.too_short => {
            let to = format!("{}?did=secret-set&short={}", whose.path(), saved.secret.name);
            Ok(Redirect::to(&to).into_response())
        }
        Ok(_) => Ok(whose.back("secret-set").into_response()),
        Err(problem) if matches!(problem.code, ProblemCode::Internal | ProblemCode::SealBroken) => Err(problem.into()),
        Err(problem) => {
            let view = SetView::new(&whose, known.as_ref()).refused(&problem);
            let page = Page::new(whose.frame(&app, "Set a secret"), view);
            Ok(page.with_status(refused(&problem)).into_response())
        }
    }
}

async fn known(app: &App, whose: &Whose, name: Option<&SecretName>) -> Answer<Option<SecretRecord>> {
    let Some(name) = name else { return Ok(None) };
    Ok(Some(app.integrations.secret(&whose.caller.actor, &whose.owner, name).await?))
}

fn read(form: &Form) -> Result<NewSecret, Problem> {
    let name = if form.has("replaces") { form.get("replaces") } else { form.get("name") };
    let name = name.parse().map_err(|e| Problem::new(ProblemCode::InvalidInput, sentence(&e)))?;
    let description = Some(form.get("description").to_owned());
    Ok(NewSecret { name, value: typed_value(form.as_sent("value")), description })
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::list::tests::{secret, whose},
        *,
    };
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let problem = read(&Form::of("name=GIT_DIR&value=canary")).unwrap_err();
        let token = secret("GITHUB_TOKEN", "Reads only; for agents");
        vec![
            ("secret", html(SetView::new(&whose(None), None))),
            ("secret_of_project", html(SetView::new(&whose(Some("shop")), None))),
            ("secret_replace", html(SetView::new(&whose(None), Some(&token)))),
            ("secret_refused", html(SetView::new(&whose(None), None).refused(&problem))),
        ]
    }

    #[test]
    fn nothing_that_was_typed_is_shown_again() {
        let problem = read(&Form::of("name=canary-in-the-wrong-field&value=canary&description=canary")).unwrap_err();
        let page = html(SetView::new(&whose(None), None).refused(&problem));
        assert!(page.contains("must be that of an environment variable") && !page.contains("canary"), "{page}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the value is looked at")]
    fn a_key_file_keeps_its_lines_and_a_token_loses_the_one_behind_it() {
        let value = |text: &str| read(&Form::of(&format!("name=A&value={text}"))).unwrap().value.expose().clone();
        assert_eq!(value("a%0D%0Ab%0D%0A"), "a\nb\n");
        assert_eq!(value("token%0D%0A"), "token");
    }

    #[test]
    fn what_is_replaced_stays_what_it_is() {
        let new = read(&Form::of("replaces=OLD&name=NEW&value=x")).unwrap();
        assert_eq!(new.name.as_str(), "OLD");
    }
}
