use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use serde::Serialize;
use valetkey_integrations::RegisteredApp;
use valetkey_model::{InstanceUrl, Integration, Problem, ProblemCode, ProviderKind};

use super::{At, back, frame, registered, standing_on};
use crate::{
    App,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        form::Form,
        render::{Page, View},
    },
    problem::{Answer, Failure},
};

#[derive(Debug, Serialize)]
struct RemoveView {
    slug: &'static str,
    name: &'static str,
    instance: String,
    host: String,
    used_by: usize,
}

impl View for RemoveView {
    const TEMPLATE: &'static str = "app_remove.html";
}

impl RemoveView {
    fn new(app: &RegisteredApp, integrations: &[Integration]) -> Self {
        Self {
            slug: app.provider.slug(),
            name: app.provider.name(),
            instance: app.instance_url.to_string(),
            host: app.instance_url.authority(),
            used_by: standing_on(app, integrations),
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(kind): Id<ProviderKind>,
    Params(At { instance }): Params<At>,
) -> Answer<impl IntoResponse> {
    let known = registered(&app, kind, instance.as_ref()).await?.ok_or_else(no_such_app)?;
    let integrations = app.integrations.own(&caller.actor, Some(kind)).await?;
    Ok(Page::new(frame(&app, &caller, "Remove an app"), RemoveView::new(&known, &integrations)))
}

pub(super) async fn remove(State(app): State<App>, Id(kind): Id<ProviderKind>, form: Form) -> Answer<Redirect> {
    let instance = form.get("instance").parse::<InstanceUrl>().map_err(Failure::invalid)?;
    app.integrations.remove_app(kind, &instance).await?;
    Ok(back("app-removed"))
}

fn no_such_app() -> Problem {
    Problem::new(ProblemCode::NotFound, "No app is registered there, or no longer.")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::{
        integrations::tests::{app, installed, integration},
        render::tests::html,
    };

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        vec![
            ("app_remove", html(RemoveView::new(&app(), &[installed(1), installed(2)]))),
            ("app_remove_free", html(RemoveView::new(&app(), &[]))),
        ]
    }

    #[test]
    fn only_what_stands_on_the_app_would_break() {
        let all = [installed(1), integration(2, ProviderKind::GitHub), integration(3, ProviderKind::GitLab)];
        assert_eq!(RemoveView::new(&app(), &all).used_by, 1);
    }
}
