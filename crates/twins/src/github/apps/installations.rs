//! What an app learns of itself and its installations.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::jwt;
use super::manifest::app_json;
use super::registry::{AppRecord, Installation};
use super::tokens;
use crate::github::api::{Answer, CREATED, PER_PAGE, Problem, Twin, account_json};
use crate::paging::Paging;
use crate::world::{World, locked};

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/api/v3/app", get(itself))
        .route("/api/v3/app/installations", get(all))
        .route("/api/v3/app/installations/{id}", get(one))
        .route("/api/v3/app/installations/{id}/access_tokens", post(tokens::create))
        .route("/api/v3/repos/{owner}/{name}/installation", get(of_repository))
        .route("/api/v3/orgs/{owner}/installation", get(of_owner))
        .route("/api/v3/users/{owner}/installation", get(of_owner))
}

async fn itself(State(world): Twin, headers: HeaderMap) -> Answer {
    let record = jwt::app(&world, &headers)?;
    let mut body = app_json(&record, &world.base_url(&headers));
    body["installations_count"] = json!(locked(&world.apps).installations_of(record.app.id).len());
    Ok(Json(body).into_response())
}

async fn all(State(world): Twin, headers: HeaderMap, uri: Uri, Query(paging): Query<Paging>) -> Answer {
    let record = jwt::app(&world, &headers)?;
    let base = world.base_url(&headers);
    let page = paging.cut(locked(&world.apps).installations_of(record.app.id), PER_PAGE);
    let items: Vec<_> = page.items.iter().map(|item| installation_json(&world, item, &record, &base)).collect();
    Ok((page.github_headers(&base, &uri), Json(items)).into_response())
}

async fn one(State(world): Twin, headers: HeaderMap, Path(id): Path<u64>) -> Answer {
    found(&world, &headers, |installation| installation.id == id)
}

async fn of_repository(State(world): Twin, headers: HeaderMap, Path((owner, name)): Path<(String, String)>) -> Answer {
    let project = world.project(&format!("{owner}/{name}"));
    found(&world, &headers, |installation| project.as_ref().is_some_and(|project| installation.covers(&project.path)))
}

async fn of_owner(State(world): Twin, headers: HeaderMap, Path(owner): Path<String>) -> Answer {
    found(&world, &headers, |installation| installation.owner.eq_ignore_ascii_case(&owner))
}

fn found(world: &World, headers: &HeaderMap, wanted: impl Fn(&Installation) -> bool) -> Answer {
    let record = jwt::app(world, headers)?;
    let installations = locked(&world.apps).installations_of(record.app.id);
    let installation = installations.iter().find(|installation| wanted(installation)).ok_or_else(Problem::not_found)?;
    Ok(Json(installation_json(world, installation, &record, &world.base_url(headers))).into_response())
}

pub(super) fn installation_json(world: &World, installation: &Installation, record: &AppRecord, base: &str) -> Value {
    let Installation { id, owner, permissions, suspended, .. } = installation;
    let user = world.account_named(owner);
    let kind = if user.is_some() { "User" } else { "Organization" };
    let mut account = account_json(owner, user.map_or(9_000, |user| user.id), base);
    account["type"] = json!(kind);
    json!({
        "id": id, "account": account, "app_id": record.app.id, "app_slug": record.app.slug, "client_id": record.app.client_id,
        "target_id": account["id"], "target_type": kind, "repository_selection": installation.selection(),
        "permissions": permissions, "events": record.events, "created_at": CREATED, "updated_at": CREATED,
        "access_tokens_url": format!("{base}/api/v3/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{base}/api/v3/installation/repositories"),
        "html_url": format!("{base}/organizations/{owner}/settings/installations/{id}"),
        "single_file_name": null, "suspended_by": null, "suspended_at": suspended.then_some(CREATED),
    })
}
