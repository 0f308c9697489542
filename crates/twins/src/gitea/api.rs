//! Gitea's REST API, version 1: who asks, the account, the version.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{pulls, repositories};
use crate::admission::Presented;
use crate::faults::Surface;
use crate::fixtures::Account;
use crate::paging::Page;
use crate::world::{Caller, World};

pub(super) const CREATED: &str = "2026-01-01T00:00:00Z";
const MAX_LIMIT: usize = 50;

pub(super) type Answer = Result<Response, Problem>;
pub(super) type Twin = State<Arc<World>>;

pub(super) fn routes(version: &'static str) -> Router<Arc<World>> {
    Router::new()
        .route("/api/v1/version", get(move || async move { Json(json!({"version": version})) }))
        .route("/login/oauth/userinfo", get(claims))
        .route("/api/v1/user", get(user))
        .route("/api/v1/user/repos", get(repositories::own))
        .route("/api/v1/repos/search", get(repositories::search))
        .route("/api/v1/repos/{owner}/{name}", get(repositories::one))
        .route("/api/v1/repos/{owner}/{name}/branches", get(repositories::branches))
        .route("/api/v1/repos/{owner}/{name}/branches/{*branch}", get(repositories::branch))
        .route("/api/v1/repos/{owner}/{name}/collaborators/{user}/permission", get(repositories::permission))
        .route("/api/v1/repos/{owner}/{name}/pulls", get(pulls::list).post(pulls::open))
        .route("/api/v1/repos/{owner}/{name}/pulls/{number}", get(pulls::one).patch(pulls::change))
        .route("/api/v1/repos/{owner}/{name}/pulls/{number}/{*head}", get(pulls::between))
}

pub(super) fn forgejo_routes(version: &'static str) -> Router<Arc<World>> {
    Router::new().route("/api/forgejo/v1/version", get(move || async move { Json(json!({"version": version})) }))
}

/// Whether the token has the scope, or one that includes it.
pub(super) fn may(caller: &Caller, scope: &str) -> bool {
    let write = scope.replace("read:", "write:");
    caller.has_scope(&[scope, &write, "all"])
}

/// Who asks. A token must work even where none is needed.
pub(super) fn visitor(world: &World, headers: &HeaderMap, scope: &str) -> Result<Option<Caller>, Problem> {
    match world.identify(Some(Surface::Api), headers) {
        Presented::Nothing => Ok(None),
        Presented::Useless => Err(Problem::useless_token()),
        Presented::Token(caller) if may(&caller, scope) => Ok(Some(*caller)),
        Presented::Token(_) => Err(Problem::lacks_scope(scope)),
    }
}

pub(super) fn signed_in(world: &World, headers: &HeaderMap, scope: &str) -> Result<Caller, Problem> {
    visitor(world, headers, scope)?.ok_or_else(Problem::token_required)
}

/// The query parameters of a list.
#[derive(Deserialize)]
pub(super) struct Listing {
    page: Option<usize>,
    limit: Option<usize>,
}

impl Listing {
    pub(super) fn cut<T>(&self, all: Vec<T>) -> Page<T> {
        Page::cut(all, self.page, self.limit.unwrap_or(30).clamp(1, MAX_LIMIT))
    }
}

async fn user(State(world): Twin, headers: HeaderMap) -> Answer {
    let Account { id, username, name, email } = signed_in(&world, &headers, "read:user")?.account;
    let mut body = account_json(&username, id, &world.base_url(&headers));
    body["full_name"] = json!(name);
    body["email"] = json!(email.unwrap_or_else(|| format!("{username}@noreply.gitea.test")));
    body["created"] = json!(CREATED);
    Ok(Json(body).into_response())
}

/// OpenID's claims about the user of an access token.
async fn claims(State(world): Twin, headers: HeaderMap) -> Answer {
    let presented = world.identify(Some(Surface::Api), &headers);
    let caller = presented.caller().ok_or_else(Problem::token_required)?;
    let Account { id, username, name, email } = &caller.account;
    let claims = json!({"sub": id.to_string(), "name": name, "preferred_username": username, "email": email});
    Ok(Json(claims).into_response())
}

pub(super) fn account_json(login: &str, id: u64, base: &str) -> Value {
    json!({
        "id": id, "login": login, "login_name": "", "username": login, "full_name": "", "email": "",
        "active": true, "is_admin": false, "html_url": format!("{base}/{login}"),
    })
}
