//! Testing, renaming, marking as default.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Serialize;
use valetkey_model::{Alias, IntegrationId, IntegrationRef, Problem, ProblemCode, sentence};

use super::{back, named};
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

pub(super) async fn test(State(app): State<App>, caller: Caller, Id(id): Id<IntegrationId>) -> Answer<Redirect> {
    app.integrations.test(&caller.actor, &IntegrationRef::Id(id)).await?;
    Ok(back("tested"))
}

pub(super) async fn set_default(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
    form: Form,
) -> Answer<Redirect> {
    app.integrations.set_default(&caller.actor, &IntegrationRef::Id(id), form.get("default") == "true").await?;
    Ok(back("default"))
}

#[derive(Debug, Serialize)]
struct RenameView {
    id: String,
    alias: String,
    value: String,
    problem: Option<ProblemView>,
}

impl View for RenameView {
    const TEMPLATE: &'static str = "rename.html";
}

pub(super) async fn show_rename(State(app): State<App>, caller: Caller, Id(id): Id<IntegrationId>) -> Answer<Response> {
    let alias = named(&app, &caller, &id).await?.alias.to_string();
    let view = RenameView { id: id.to_string(), value: alias.clone(), alias, problem: None };
    Ok(Page::new(frame(&app, &caller, "Rename"), view).into_response())
}

pub(super) async fn rename(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<IntegrationId>,
    form: Form,
) -> Answer<Response> {
    let known = named(&app, &caller, &id).await?;
    let alias = form.get("alias").parse::<Alias>();
    let alias = alias.map_err(|e| Problem::new(ProblemCode::InvalidInput, sentence(&e)));
    let renamed = match alias {
        Ok(alias) => app.integrations.rename(&caller.actor, &IntegrationRef::Id(id.clone()), &alias).await.map(drop),
        Err(problem) => Err(problem),
    };
    let problem = match renamed {
        Ok(()) => return Ok(back("renamed").into_response()),
        Err(problem) => problem,
    };
    let (value, shown) = (form.get("alias").to_owned(), Some((&problem).into()));
    let view = RenameView { id: id.to_string(), alias: known.alias.to_string(), value, problem: shown };
    Ok(Page::new(frame(&app, &caller, "Rename"), view).with_status(refused(&problem)).into_response())
}

fn frame(app: &App, caller: &Caller, title: &str) -> Frame {
    Frame::new(app, caller, Section::Integrations, title)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::card::tests::revoked, *};
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let rename = RenameView {
            id: revoked(2).id.to_string(),
            alias: "Release bot".into(),
            value: "Work".into(),
            problem: Some((&Problem::new(ProblemCode::Conflict, "This alias is in use.")).into()),
        };
        vec![("rename", html(rename))]
    }
}
