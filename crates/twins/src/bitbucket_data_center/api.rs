//! Data Center's REST API: who asks, users, tokens.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
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
use crate::paging::window;
use crate::world::{Caller, World};

/// 2026-01-01, in milliseconds.
pub(super) const CREATED: u64 = 1_767_225_600_000;
/// The permissions of a token that let it read, or write; a higher one has the lower ones in it.
pub(super) const READ: &[&str] =
    &["REPO_READ", "REPO_WRITE", "REPO_ADMIN", "PROJECT_READ", "PROJECT_WRITE", "PROJECT_ADMIN"];
pub(super) const WRITE: &[&str] = &["REPO_WRITE", "REPO_ADMIN", "PROJECT_WRITE", "PROJECT_ADMIN"];

pub(super) type Answer = Result<Response, Problem>;
pub(super) type Twin = State<Arc<World>>;

pub(super) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    let core = Router::new()
        .route("/application-properties", get(properties))
        .route("/users", get(users))
        .route("/users/{slug}", get(user))
        .route("/repos", get(repositories::search))
        .route("/projects/{key}/repos", get(repositories::of_project))
        .route("/projects/{key}/repos/{slug}", get(repositories::one))
        .route("/projects/{key}/repos/{slug}/branches", get(repositories::branches))
        .route("/projects/{key}/repos/{slug}/branches/default", get(repositories::default_branch))
        .route("/projects/{key}/repos/{slug}/default-branch", get(repositories::default_branch))
        .route("/projects/{key}/repos/{slug}/pull-requests", get(pulls::list).post(pulls::open))
        .route("/projects/{key}/repos/{slug}/pull-requests/{number}", get(pulls::one).put(pulls::change));
    let tokens = Router::new().route("/users/{slug}", get(tokens));
    Router::new()
        .nest("/rest/api/latest", core.clone())
        .nest("/rest/api/1.0", core)
        .nest("/rest/access-tokens/latest", tokens.clone())
        .nest("/rest/access-tokens/1.0", tokens)
        .route_layer(middleware::from_fn_with_state(Arc::clone(world), name_the_caller))
}

/// Every answer to somebody who is signed in names the user, which no route does.
async fn name_the_caller(State(world): Twin, request: Request, next: Next) -> Response {
    let presented = world.identify(Some(Surface::Api), request.headers());
    let mut response = next.run(request).await;
    if let Some(caller) = presented.caller() {
        for (name, text) in
            [("x-ausername", caller.account.username.clone()), ("x-auserid", caller.account.id.to_string())]
        {
            let value = HeaderValue::from_str(&text).ok();
            response.headers_mut().extend(value.map(|value| (HeaderName::from_static(name), value)));
        }
    }
    response
}

/// Who asks. A token must work even where none is needed.
pub(super) fn visitor(world: &World, headers: &HeaderMap, permissions: &[&str]) -> Result<Option<Caller>, Problem> {
    match world.identify(Some(Surface::Api), headers) {
        Presented::Nothing => Ok(None),
        Presented::Useless => Err(Problem::useless_token()),
        Presented::Token(caller) if caller.has_scope(permissions) => Ok(Some(*caller)),
        Presented::Token(_) => Err(Problem::not_permitted()),
    }
}

pub(super) fn signed_in(world: &World, headers: &HeaderMap, permissions: &[&str]) -> Result<Caller, Problem> {
    visitor(world, headers, permissions)?.ok_or_else(Problem::not_permitted)
}

/// The query parameters of a list.
#[derive(Deserialize)]
pub(super) struct Listing {
    start: Option<usize>,
    limit: Option<usize>,
}

impl Listing {
    pub(super) fn answer<T>(&self, all: Vec<T>, show: impl Fn(&T) -> Value) -> Answer {
        let (start, limit) = (self.start.unwrap_or(0), self.limit.unwrap_or(25).clamp(1, 1_000));
        let (items, next) = window(all, start, limit);
        let values: Vec<_> = items.iter().map(show).collect();
        let mut body = json!({
            "size": values.len(), "limit": limit, "isLastPage": next.is_none(), "start": start, "values": values,
        });
        if let Some(next) = next {
            body["nextPageStart"] = json!(next);
        }
        Ok(Json(body).into_response())
    }
}

async fn properties() -> Response {
    let version = json!({
        "version": "9.4.10", "buildNumber": "9004010", "buildDate": CREATED.to_string(), "displayName": "Bitbucket",
    });
    Json(version).into_response()
}

#[derive(Deserialize)]
struct UsersQuery {
    filter: Option<String>,
}

async fn users(
    State(world): Twin,
    headers: HeaderMap,
    Query(query): Query<UsersQuery>,
    Query(listing): Query<Listing>,
) -> Answer {
    signed_in(&world, &headers, READ)?;
    let base = world.base_url(&headers);
    let found = world.accounts_like(&query.filter.unwrap_or_default());
    listing.answer(found, |account| account_json(account, &base))
}

async fn user(State(world): Twin, headers: HeaderMap, Path(slug): Path<String>) -> Answer {
    signed_in(&world, &headers, READ)?;
    let account = world.account_named(&slug).ok_or_else(|| Problem::no_user(&slug))?;
    Ok(Json(account_json(&account, &world.base_url(&headers))).into_response())
}

pub(super) fn account_json(account: &Account, base: &str) -> Value {
    let Account { id, username, name, email } = account;
    json!({
        "id": id, "name": username, "slug": username, "displayName": name, "emailAddress": email, "active": true,
        "type": "NORMAL", "links": {"self": [{"href": format!("{base}/users/{username}")}]},
    })
}

/// A user's own tokens, without their values.
async fn tokens(
    State(world): Twin,
    headers: HeaderMap,
    Path(slug): Path<String>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = signed_in(&world, &headers, READ)?;
    let account = world.account_named(&slug).ok_or_else(|| Problem::no_user(&slug))?;
    if account != caller.account {
        return Err(Problem::not_permitted());
    }
    listing.answer(world.tokens_of(&account), |owned| {
        json!({
            "id": owned.id.to_string(), "name": "valetkey", "permissions": owned.scopes(), "createdDate": CREATED,
            "expiryDate": owned.token.expires,
        })
    })
}
