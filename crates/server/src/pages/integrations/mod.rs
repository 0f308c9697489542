//! Connected accounts: the list, and a small page for each thing that can be done to one.

mod card;
mod change;
mod connect;
mod disconnect;
mod list;

use axum::response::Redirect;
use valetkey_model::{Integration, IntegrationId, IntegrationRef, Problem};

use crate::{App, auth::Caller, route::Row};

pub(super) use card::in_trouble;
#[cfg(test)]
pub(super) use card::tests;
pub(super) use connect::sentence;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::get("/integrations", list::show).page(),
        Row::get("/integrations/connect/{provider}", connect::show).page(),
        Row::post("/integrations/connect/{provider}", connect::connect).page(),
        Row::post("/integrations/{id}/test", change::test).page(),
        Row::post("/integrations/{id}/default", change::set_default).page(),
        Row::get("/integrations/{id}/rename", change::show_rename).page(),
        Row::post("/integrations/{id}/rename", change::rename).page(),
        Row::get("/integrations/{id}/token", change::show_token).page(),
        Row::post("/integrations/{id}/token", change::replace_token).page(),
        Row::get("/integrations/{id}/disconnect", disconnect::show).page(),
        Row::post("/integrations/{id}/disconnect", disconnect::disconnect).page(),
    ]
}

async fn named(app: &App, caller: &Caller, id: &IntegrationId) -> Result<Integration, Problem> {
    app.integrations.get(&caller.user, &IntegrationRef::Id(id.clone())).await
}

/// Back to the list, which says what was done.
fn back(did: &str) -> Redirect {
    Redirect::to(&format!("/integrations?did={did}"))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [list::tests::samples(), connect::tests::samples(), change::tests::samples(), disconnect::tests::samples()]
        .into_iter()
        .flatten()
        .collect()
}
