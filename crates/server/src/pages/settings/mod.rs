//! Everybody's own profile and API tokens, and what an administrator sets up: people, and the applications that stand for Valetkey when
//! they consent at a provider.

mod github;
mod list;
mod people;
mod places;
mod profile;
mod register;
mod remove;
mod tokens;

use axum::response::Redirect;
use serde::Deserialize;
use valetkey_integrations::RegisteredApp;
use valetkey_model::{InstanceUrl, Integration, Problem, ProviderKind};

use super::frame::{Frame, Section};
use crate::{App, auth::Caller, route::Row};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::get("/settings", async || Redirect::to("/settings/profile")).page(),
        Row::get("/settings/profile", profile::show).page(),
        Row::post("/settings/profile/sign-out-everywhere", profile::sign_out_everywhere).page(),
        Row::get("/settings/tokens", tokens::show).page(),
        Row::post("/settings/tokens", tokens::make).page(),
        Row::get("/settings/tokens/new", tokens::show_new).page(),
        Row::get("/settings/tokens/{id}/end", tokens::show_end).owner().page(),
        Row::post("/settings/tokens/{id}/end", tokens::end).owner().page(),
        Row::get("/settings/people", people::show).administrator().page(),
        Row::get("/settings/people/{id}", people::show_one).administrator().page(),
        Row::post("/settings/people/{id}", people::change).administrator().page(),
        Row::get("/settings/apps", list::show).administrator().page(),
        Row::get("/settings/apps/{provider}", register::show).administrator().page(),
        Row::post("/settings/apps/{provider}", register::register).administrator().page(),
        Row::get("/settings/apps/{provider}/remove", remove::show).administrator().page(),
        Row::post("/settings/apps/{provider}/remove", remove::remove).administrator().page(),
    ];
    rows.extend(github::rows());
    rows
}

/// Which of a provider's apps is meant.
#[derive(Debug, Deserialize)]
struct At {
    instance: Option<InstanceUrl>,
}

async fn registered(
    app: &App,
    kind: ProviderKind,
    instance: Option<&InstanceUrl>,
) -> Result<Option<RegisteredApp>, Problem> {
    let Some(instance) = instance else { return Ok(None) };
    let all = app.integrations.registered_apps().await?;
    Ok(all.into_iter().find(|app| app.provider == kind && app.instance_url == *instance))
}

/// How many of these integrations stand on an app.
fn standing_on(app: &RegisteredApp, all: &[Integration]) -> usize {
    let stands = |one: &&Integration| {
        let by_consent = one.auth_method.is_by_consent();
        by_consent && one.provider == app.provider && one.instance_url == app.instance_url
    };
    all.iter().filter(stands).count()
}

/// The query that names an instance.
fn at(instance: &InstanceUrl) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("instance", &instance.to_string()).finish()
}

fn back(did: &str) -> Redirect {
    Redirect::to(&format!("/settings/apps?did={did}"))
}

fn frame(app: &App, caller: &Caller, title: impl Into<String>) -> Frame {
    Frame::new(app, caller, Section::Settings, title)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [
        profile::tests::samples(),
        tokens::tests::samples(),
        people::tests::samples(),
        list::tests::samples(),
        register::tests::samples(),
        remove::tests::samples(),
        github::tests::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
