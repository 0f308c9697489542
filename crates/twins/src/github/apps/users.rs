//! What a user's token of an app reaches, and how OAuth tokens are checked and ended.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::installations::installation_json;
use super::registry::{AppRecord, Installation};
use crate::access::AccessLevel;
use crate::faults::Surface;
use crate::fixtures::{Account, Kind, Token, TokenState};
use crate::github::api::{Answer, CREATED, PER_PAGE, Problem, Twin, account_json, repository_json, signed_in};
use crate::oauth::{Authority, Granted, TokenLife, basic_credentials};
use crate::paging::Paging;
use crate::world::{Caller, Project, World, locked};

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/api/v3/user/installations", get(installations))
        .route("/api/v3/user/installations/{id}/repositories", get(repositories))
        .route("/api/v3/applications/{client_id}/token", post(check).delete(end_token))
        .route("/api/v3/applications/{client_id}/grant", delete(end_grant))
        .route("/api/v3/credentials/revoke", post(revoke_leaked))
}

/// A user's token of a GitHub App reaches what both may; `None` for an OAuth app's.
pub(in crate::github) fn user_permissions(world: &World, granted: &Granted) -> Option<Token> {
    let apps = locked(&world.apps);
    let record = apps.app_by_client(&granted.client_id)?;
    let mut reached = world.projects();
    let awake: Vec<_> = apps.installations_of(record.app.id).into_iter().filter(|it| !it.suspended).collect();
    reached.retain(|project| {
        project.level(Some(&granted.account)).is_some() && awake.iter().any(|it| it.covers(&project.path))
    });
    let kind = Kind::App {
        permissions: record.permissions.clone().into_iter().collect(),
        repositories: reached.iter().map(|project| project.id).collect(),
        installation: None,
    };
    Some(Token { kind, ..Token::generated() })
}

/// The caller by a user's token of an app, and the installations that both may see.
fn seen(world: &World, headers: &HeaderMap) -> Result<(Caller, AppRecord, Vec<Installation>), Problem> {
    let caller = signed_in(world, headers)?;
    let value = world.presented(Some(Surface::Api), headers).unwrap_or_default();
    let client = world.oauth.as_ref().and_then(|oauth| oauth.lookup(&value)).map(|(granted, _)| granted.client_id);
    let apps = locked(&world.apps);
    let record = client.and_then(|client| apps.app_by_client(&client).cloned());
    let message =
        "You must authenticate with an access token authorized to a GitHub App in order to list installations";
    let record = record.ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, message))?;
    let mut seen = apps.installations_of(record.app.id);
    seen.retain(|it| it.owner == caller.account.username || !common(world, it, &caller.account).is_empty());
    Ok((caller, record, seen))
}

fn common(world: &World, installation: &Installation, account: &Account) -> Vec<Arc<Project>> {
    let mut all = world.projects();
    all.retain(|project| installation.covers(&project.path) && project.level(Some(account)).is_some());
    all
}

async fn installations(State(world): Twin, headers: HeaderMap, uri: Uri, Query(paging): Query<Paging>) -> Answer {
    let (_, record, seen) = seen(&world, &headers)?;
    let base = world.base_url(&headers);
    let page = paging.cut(seen, PER_PAGE);
    let items: Vec<_> = page.items.iter().map(|item| installation_json(&world, item, &record, &base)).collect();
    let body = json!({"total_count": page.total, "installations": items});
    Ok((page.github_headers(&base, &uri), Json(body)).into_response())
}

async fn repositories(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(id): Path<u64>,
    Query(paging): Query<Paging>,
) -> Answer {
    let (caller, _, seen) = seen(&world, &headers)?;
    let installation = seen.iter().find(|installation| installation.id == id).ok_or_else(Problem::not_found)?;
    let base = world.base_url(&headers);
    let page = paging.cut(common(&world, installation, &caller.account), PER_PAGE);
    let items: Vec<_> = page.items.iter().map(|item| repository_json(item, Some(&caller), &base)).collect();
    let body = json!({
        "total_count": page.total, "repository_selection": installation.selection(), "repositories": items,
    });
    Ok((page.github_headers(&base, &uri), Json(body)).into_response())
}

#[derive(Deserialize)]
struct Named {
    access_token: String,
}

/// The authority, for an app that proves who it is, and whose token it names.
fn of_app<'a>(
    world: &'a World,
    headers: &HeaderMap,
    client_id: &str,
    named: &Named,
) -> Result<(&'a Authority, Granted), Problem> {
    let authority = world.oauth.as_ref().ok_or_else(Problem::not_found)?;
    let pair = basic_credentials(headers).filter(|(id, _)| id == client_id);
    let proven = pair.zip(authority.app(client_id)).is_some_and(|((_, secret), app)| app.client_secret() == secret);
    if !proven {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "Requires authentication"));
    }
    let found = authority.lookup(&named.access_token).filter(|(_, life)| *life == TokenLife::Live);
    let ours = found.map(|(granted, _)| granted).filter(|granted| granted.client_id == client_id);
    Ok((authority, ours.ok_or_else(Problem::not_found)?))
}

async fn check(
    State(world): Twin,
    headers: HeaderMap,
    Path(client_id): Path<String>,
    Json(named): Json<Named>,
) -> Answer {
    let (_, granted) = of_app(&world, &headers, &client_id, &named)?;
    let Account { id, username, .. } = &granted.account;
    Ok(Json(json!({
        "id": 1, "token": named.access_token, "scopes": granted.scopes, "app": {"client_id": client_id},
        "user": account_json(username, *id, &world.base_url(&headers)), "created_at": CREATED,
    }))
    .into_response())
}

async fn end_token(
    State(world): Twin,
    headers: HeaderMap,
    Path(client_id): Path<String>,
    Json(named): Json<Named>,
) -> Answer {
    let (authority, _) = of_app(&world, &headers, &client_id, &named)?;
    authority.end_access(&named.access_token);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end_grant(
    State(world): Twin,
    headers: HeaderMap,
    Path(client_id): Path<String>,
    Json(named): Json<Named>,
) -> Answer {
    let (authority, granted) = of_app(&world, &headers, &client_id, &named)?;
    authority.end_grant(&client_id, granted.account.id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Anybody who found a token may end it, except an installation's.
async fn revoke_leaked(State(world): Twin, Json(body): Json<Value>) -> Response {
    for token in body["credentials"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let known = world.oauth.as_ref().is_some_and(|oauth| oauth.end(token));
        if !known && !token.starts_with("ghs_") {
            world.set_token_state(token, TokenState::Revoked);
        }
    }
    (StatusCode::ACCEPTED, Json(json!({}))).into_response()
}

impl Caller {
    /// Whether the token is an app's and reaches the repository.
    pub(in crate::github) fn app_reaches(&self, project: u64) -> bool {
        matches!(&self.token.kind, Kind::App { repositories, .. } if repositories.contains(&project))
    }

    /// What an installation's permissions come to, in a person's terms.
    pub(in crate::github) fn installation_level(&self, project: u64) -> Option<AccessLevel> {
        let level = if self.permission("contents") == Some("write") { AccessLevel::PUSH } else { AccessLevel::PULL };
        self.app_reaches(project).then_some(level)
    }

    /// Whether the token's owner, or the installation, may push.
    pub(in crate::github) fn may_push_to(&self, project: &Project) -> bool {
        match &self.token.kind {
            Kind::App { installation: Some(_), .. } => !project.archived && self.app_reaches(project.id),
            Kind::App { .. } => self.app_reaches(project.id) && project.pushable_by(Some(&self.account)),
            Kind::Scoped(_) | Kind::FineGrained(_) => project.pushable_by(Some(&self.account)),
        }
    }
}
