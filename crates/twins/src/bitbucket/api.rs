//! Bitbucket Cloud's REST API, version 2.0: who asks, and the account.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{pulls, repositories};
use crate::access::AccessLevel;
use crate::admission::Presented;
use crate::faults::Surface;
use crate::fixtures::Account;
use crate::paging::Page;
use crate::seed::uuid;
use crate::world::{Caller, World};

pub(super) const CREATED: &str = "2026-01-01T00:00:00.000000+00:00";

/// An API token's scope comes first; the others are those of access tokens and OAuth consumers, which imply each other.
type Scopes = &'static [&'static str];
const READ_USER: Scopes = &["read:user:bitbucket", "account", "account:write"];
const READ_WORKSPACE: Scopes = &["read:workspace:bitbucket", "account", "team"];
pub(super) const READ_REPOSITORY: Scopes =
    &["read:repository:bitbucket", "repository", "repository:write", "pullrequest", "pullrequest:write", "project"];
pub(super) const WRITE_REPOSITORY: Scopes = &["write:repository:bitbucket", "repository:write", "pullrequest:write"];
pub(super) const READ_PULL_REQUEST: Scopes = &["read:pullrequest:bitbucket", "pullrequest", "pullrequest:write"];
pub(super) const WRITE_PULL_REQUEST: Scopes = &["write:pullrequest:bitbucket", "pullrequest:write"];

pub(super) type Answer = Result<Response, Problem>;
pub(super) type Twin = State<Arc<World>>;

pub(super) fn routes() -> Router<Arc<World>> {
    let removed = ["/2.0/repositories", "/2.0/workspaces", "/2.0/user/permissions/repositories"];
    let removed = removed.into_iter().chain(["/2.0/user/permissions/workspaces"]);
    let routes = removed.fold(Router::new(), |routes, path| {
        routes.route(path, get(move || async move { Problem::removed(path).into_response() }))
    });
    let repository = "/2.0/repositories/{workspace}/{slug}";
    // A list has the same content with a slash at the end.
    let routes = ["", "/"].into_iter().fold(routes, |routes, slash| {
        routes
            .route(&format!("/2.0/repositories/{{workspace}}{slash}"), get(repositories::list))
            .route(&format!("{repository}/refs/branches{slash}"), get(repositories::branches))
            .route(&format!("{repository}/pullrequests{slash}"), get(pulls::list).post(pulls::open))
    });
    routes
        .route("/2.0/user", get(user))
        .route("/2.0/user/workspaces", get(workspaces))
        .route("/2.0/user/workspaces/{workspace}/permissions/repositories", get(repositories::permissions))
        .route("/2.0/workspaces/{workspace}", get(workspace))
        .route(repository, get(repositories::one))
        .route("/2.0/repositories/{workspace}/{slug}/refs/branches/{*branch}", get(repositories::branch))
        .route("/2.0/repositories/{workspace}/{slug}/pullrequests/{number}", get(pulls::one).put(pulls::change))
}

/// Who asks. A token must work even where none is needed.
pub(super) fn visitor(world: &World, headers: &HeaderMap, scopes: Scopes) -> Result<Option<Caller>, Problem> {
    match world.identify(Some(Surface::Api), headers) {
        Presented::Nothing => Ok(None),
        Presented::Useless => Err(Problem::useless_token()),
        Presented::Token(caller) if caller.has_scope(scopes) => Ok(Some(*caller)),
        Presented::Token(caller) => {
            let own = if caller.scopes().iter().any(|scope| scope.ends_with(":bitbucket")) { 0 } else { 1 };
            Err(Problem::lacks_scope(&scopes[own..=own], caller.scopes()))
        }
    }
}

pub(super) fn signed_in(world: &World, headers: &HeaderMap, scopes: Scopes) -> Result<Caller, Problem> {
    visitor(world, headers, scopes)?.ok_or_else(Problem::useless_token)
}

/// The query parameters of a list.
#[derive(Deserialize)]
pub(super) struct Listing {
    page: Option<usize>,
    pagelen: Option<usize>,
    pub(super) q: Option<String>,
    pub(super) role: Option<String>,
    #[serde(default)]
    pub(super) state: Option<String>,
}

impl Listing {
    /// The page as an answer, with the address of the next one.
    pub(super) fn answer<T>(
        &self,
        all: Vec<T>,
        (most, base, uri): (usize, &str, &Uri),
        show: impl Fn(&T) -> Value,
    ) -> Answer {
        let length = self.pagelen.unwrap_or(10);
        if length == 0 || length > most {
            return Err(Problem::bad_request("Invalid pagelen"));
        }
        let page = Page::cut(all, self.page, length);
        let values: Vec<_> = page.items.iter().map(show).collect();
        let mut body = json!({"pagelen": length, "size": page.total, "page": page.number, "values": values});
        for (name, number) in [("next", page.next()), ("previous", page.previous())] {
            if let Some(number) = number {
                body[name] = json!(page.address(base, uri, "pagelen", number));
            }
        }
        Ok(Json(body).into_response())
    }
}

async fn user(State(world): Twin, headers: HeaderMap) -> Answer {
    let account = signed_in(&world, &headers, READ_USER)?.account;
    Ok(Json(account_json(&account, &world.base_url(&headers))).into_response())
}

pub(super) fn account_json(account: &Account, base: &str) -> Value {
    let id = uuid(1, account.id);
    json!({
        "type": "user", "uuid": format!("{{{id}}}"), "username": account.username, "nickname": account.username,
        "display_name": account.name, "account_id": format!("557058:{id}"), "account_status": "active",
        "created_on": CREATED, "links": {
            "self": {"href": format!("{base}/2.0/users/%7B{id}%7D")},
            "html": {"href": format!("{base}/%7B{id}%7D/")},
        },
    })
}

async fn workspaces(State(world): Twin, headers: HeaderMap, uri: Uri, Query(listing): Query<Listing>) -> Answer {
    let caller = signed_in(&world, &headers, READ_WORKSPACE)?;
    let base = world.base_url(&headers);
    let mut all: Vec<(String, bool)> = Vec::new();
    for project in world.projects() {
        let Some(level) = project.level(Some(&caller.account)) else { continue };
        let (workspace, _) = project.owner_and_name();
        let administers = level >= AccessLevel::Owner;
        match all.iter_mut().find(|(slug, _)| slug == workspace) {
            Some((_, administrator)) => *administrator |= administers,
            None => all.push((workspace.to_owned(), administers)),
        }
    }
    listing.answer(all, (100, &base, &uri), |(slug, administrator)| {
        let workspace = workspace_json(slug, &base);
        json!({"type": "workspace_access", "administrator": administrator, "workspace": workspace})
    })
}

async fn workspace(State(world): Twin, headers: HeaderMap, Path(slug): Path<String>) -> Answer {
    let caller = signed_in(&world, &headers, READ_WORKSPACE)?;
    let mut projects = world.projects().into_iter();
    let known = projects.any(|project| project.owner_and_name().0 == slug && project.visible_to(Some(&caller.account)));
    if !known {
        return Err(Problem::not_found(format!("No workspace with identifier '{slug}'.")));
    }
    Ok(Json(workspace_json(&slug, &world.base_url(&headers))).into_response())
}

pub(super) fn workspace_json(slug: &str, base: &str) -> Value {
    json!({
        "type": "workspace", "uuid": format!("{{{}}}", uuid(2, u64::from(crate::seed::crc32(slug)))), "slug": slug,
        "name": slug, "is_private": true, "created_on": CREATED,
        "links": {
            "self": {"href": format!("{base}/2.0/workspaces/{slug}")},
            "repositories": {"href": format!("{base}/2.0/repositories/{slug}")},
            "html": {"href": format!("{base}/{slug}/")},
        },
    })
}
