use axum::{extract::State, response::IntoResponse};
use serde::Serialize;
use valetkey_integrations::RegisteredApp;
use valetkey_model::{Integration, ProviderKind};

use super::{at, frame, places::takes_apps, standing_on};
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        frame::Did,
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct AppsView {
    apps: Vec<AppRow>,
    offers: Vec<Offer>,
}

impl View for AppsView {
    const TEMPLATE: &'static str = "apps.html";
}

#[derive(Debug, Serialize)]
struct AppRow {
    slug: &'static str,
    name: &'static str,
    host: String,
    client_id: String,
    kind: &'static str,
    app_name: Option<String>,
    from_settings: bool,
    used_by: usize,
    query: String,
}

/// A provider for which an app can be registered.
#[derive(Debug, Serialize)]
struct Offer {
    slug: &'static str,
    name: &'static str,
}

impl AppsView {
    fn new(apps: Vec<RegisteredApp>, integrations: &[Integration]) -> Self {
        let row = |app: RegisteredApp| AppRow {
            slug: app.provider.slug(),
            name: app.provider.name(),
            host: app.instance_url.authority(),
            used_by: standing_on(&app, integrations),
            query: at(&app.instance_url),
            client_id: app.client_id,
            kind: if app.facts.slug.is_some() { "GitHub App" } else { "OAuth app" },
            app_name: app.facts.name,
            from_settings: app.from_settings,
        };
        let offers = ProviderKind::ALL.into_iter().filter(|kind| takes_apps(*kind));
        Self {
            apps: apps.into_iter().map(row).collect(),
            offers: offers.map(|kind| Offer { slug: kind.slug(), name: kind.name() }).collect(),
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let apps = app.integrations.registered_apps().await?;
    let integrations = app.integrations.own(&caller.actor, None).await?;
    let frame = frame(&app, &caller, "Provider apps").after(did.as_deref());
    Ok(Page::new(frame, AppsView::new(apps, &integrations)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::{
        integrations::tests::{app, installed},
        render::tests::html,
    };

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let fixed = RegisteredApp {
            provider: ProviderKind::GitLab,
            instance_url: "https://gitlab.example.com".parse().unwrap(),
            client_id: "0123456789abcdef".into(),
            from_settings: true,
            facts: valetkey_integrations::AppFacts::default(),
        };
        vec![
            ("apps", html(AppsView::new(vec![app(), fixed], &[installed(1)]))),
            ("apps_empty", html(AppsView::new(Vec::new(), &[]))),
        ]
    }

    #[test]
    fn what_the_settings_file_fixes_can_not_be_changed_here() {
        let page = &samples()[0].1;
        assert!(page.contains("/settings/apps/github/remove?instance=https%3A%2F%2Fgithub.com"), "{page}");
        assert!(!page.contains("/settings/apps/gitlab/remove"), "{page}");
        assert!(page.contains("1 integration"), "{page}");
    }
}
