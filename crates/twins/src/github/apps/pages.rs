//! The install page, answered at once as the test chose.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::github::api::Twin;
use crate::oauth::redirect;
use crate::world::{World, locked};

/// An Enterprise Server has its apps under another path than github.com.
pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/apps/{slug}/installations/new", get(install))
        .route("/github-apps/{slug}/installations/new", get(install))
}

async fn install(
    State(world): Twin,
    Path(slug): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let mut apps = locked(&world.apps);
    let Some(record) = apps.app_by_slug(&slug).cloned() else { return page(StatusCode::NOT_FOUND, "Not Found") };
    let Some(decision) = apps.decisions.pop_front() else {
        return page(StatusCode::OK, "The twin was told nothing to install: call GitHubApps::next_install first.");
    };
    let mut parameters = if decision.needs_approval {
        vec![("setup_action", "request".to_owned())]
    } else {
        let id = apps.install(record.app.id, decision);
        vec![("installation_id", id.to_string()), ("setup_action", "install".to_owned())]
    };
    parameters.extend(asked.get("state").map(|state| ("state", state.clone())));
    match record.setup_url {
        Some(address) => redirect(&address, &parameters),
        None => page(StatusCode::OK, "Okay, the app was installed."),
    }
}

fn page(status: StatusCode, text: &str) -> Response {
    (status, Html(format!("<!doctype html><title>Install</title><p>{text}</p>"))).into_response()
}
