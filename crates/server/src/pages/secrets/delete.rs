use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use serde::Serialize;
use valetkey_model::SecretName;

use super::{Named, Whose, list::Overridden};
use crate::{
    App,
    pages::render::{Page, View},
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct DeleteView {
    path: String,
    project: Option<String>,
    name: String,
    provider: Option<Overridden>,
}

impl View for DeleteView {
    const TEMPLATE: &'static str = "secret_delete.html";
}

impl DeleteView {
    fn new(whose: &Whose, name: &SecretName) -> Self {
        Self {
            path: whose.path(),
            project: whose.project().map(ToString::to_string),
            name: name.to_string(),
            provider: Overridden::by(name),
        }
    }
}

pub(super) async fn show(State(app): State<App>, whose: Whose, Named(name): Named) -> Answer<impl IntoResponse> {
    let known = app.integrations.secret(&whose.caller.actor, &whose.owner, &name).await?;
    Ok(Page::new(whose.frame(&app, "Delete a secret"), DeleteView::new(&whose, &known.name)))
}

pub(super) async fn delete(State(app): State<App>, whose: Whose, Named(name): Named) -> Answer<Redirect> {
    app.integrations.delete_secret(&whose.caller.actor, &whose.owner, &name).await?;
    Ok(whose.back("secret-deleted"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::list::tests::whose, *};
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let view = |project, name: &str| html(DeleteView::new(&whose(project), &name.parse().unwrap()));
        vec![
            ("secret_delete", view(None, "GITHUB_TOKEN")),
            ("secret_delete_of_project", view(Some("shop"), "NPM_TOKEN")),
        ]
    }

    #[test]
    fn it_is_said_what_agents_get_afterwards() {
        let page = &samples()[0].1;
        assert!(page.contains("the GitHub integration") && page.contains("may do more"), "{page}");
    }
}
