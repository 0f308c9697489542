//! Connected accounts: the list, and a small page for each thing that can be done to one.

mod card;
mod change;
mod connect;
mod disconnect;
mod list;
mod token;
mod usage;

use axum::response::Redirect;
use valetkey_model::{Integration, IntegrationId, IntegrationRef, Problem};

use crate::{
    App,
    auth::Caller,
    route::{Right, Row},
};

#[cfg(test)]
pub(super) use card::tests;
pub(super) use card::{Trouble, in_trouble};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::get("/integrations", list::show).page(),
        Row::get("/integrations/live", list::follow).unbounded().page(),
        Row::post("/integrations/{id}/test", change::test).integration(Right::Use).page(),
        Row::post("/integrations/{id}/default", change::set_default).integration(Right::Manage).page(),
        Row::get("/integrations/{id}/rename", change::show_rename).integration(Right::Manage).page(),
        Row::post("/integrations/{id}/rename", change::rename).integration(Right::Manage).page(),
        Row::get("/integrations/{id}/token", token::show).integration(Right::Manage).page(),
        Row::post("/integrations/{id}/token", token::replace).integration(Right::Manage).page(),
        Row::post("/integrations/{id}/rotate", token::rotate).integration(Right::Manage).page(),
        Row::get("/integrations/{id}/disconnect", disconnect::show).integration(Right::Manage).page(),
        Row::post("/integrations/{id}/disconnect", disconnect::disconnect).integration(Right::Manage).page(),
    ];
    rows.push(Row::get("/integrations/{id}/usage", usage::show).integration(Right::See).page());
    rows.extend(connect::rows());
    rows
}

/// An integration that the caller may know of.
async fn seen(app: &App, caller: &Caller, id: &IntegrationId) -> Result<Integration, Problem> {
    app.integrations.get(&caller.actor, &IntegrationRef::Id(id.clone())).await
}

/// An integration that the caller is about to change.
async fn named(app: &App, caller: &Caller, id: &IntegrationId) -> Result<Integration, Problem> {
    app.integrations.managed(&caller.actor, &IntegrationRef::Id(id.clone())).await
}

/// Back to the list, which says what was done.
fn back(did: &str) -> Redirect {
    Redirect::to(&format!("/integrations?did={did}"))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [
        list::tests::samples(),
        connect::tests::samples(),
        change::tests::samples(),
        token::tests::samples(),
        disconnect::tests::samples(),
        usage::tests::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
