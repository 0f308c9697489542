//! GitLab's REST API, version 4: the routes that Valetkey calls.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::contents;
use crate::access::{AccessLevel, Through};
use crate::etag;
use crate::faults::Surface;
use crate::fixtures::{Account, TokenState};
use crate::git::Branch;
use crate::paging::Paging;
use crate::world::{Caller, Project, PullRequest, World, locked};

pub(super) const PER_PAGE: usize = 20;
pub(super) const CREATED: &str = "2026-01-01T00:00:00.000Z";
const READ_API: &[&str] = &["api", "read_api"];

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/api/v4/version", get(version))
        .route("/api/v4/user", get(user))
        .route("/api/v4/projects", get(projects))
        .route("/api/v4/projects/{id}", get(project))
        .route("/api/v4/projects/{id}/members/all/{user}", get(member))
        .route("/api/v4/projects/{id}/repository/branches", get(branches))
        .route("/api/v4/projects/{id}/merge_requests", get(merge_requests).post(open_merge_request))
        .route("/api/v4/projects/{id}/merge_requests/{iid}", put(change_merge_request))
        .route("/api/v4/projects/{id}/repository/tree", get(contents::tree))
        .route("/api/v4/projects/{id}/repository/files/{path}", get(contents::file))
        .merge(super::tokens::routes())
        .route_layer(middleware::from_fn(etag::tag))
}

/// GitLab's refusals, with the bodies of its API guard.
pub(super) enum Refusal {
    Unauthorized,
    InvalidToken(&'static str),
    InsufficientScope(&'static [&'static str]),
    Message(StatusCode, Value),
    Error(StatusCode, String),
}

impl Refusal {
    pub(super) fn not_found(message: &str) -> Self {
        Self::Message(StatusCode::NOT_FOUND, json!(message))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthorized => Self::Message(StatusCode::UNAUTHORIZED, json!("401 Unauthorized")).into_response(),
            Self::InvalidToken(description) => {
                let body = json!({"error": "invalid_token", "error_description": description});
                (StatusCode::UNAUTHORIZED, Json(body)).into_response()
            }
            Self::InsufficientScope(scopes) => insufficient_scope(scopes),
            Self::Message(status, message) => (status, Json(json!({"message": message}))).into_response(),
            Self::Error(status, error) => (status, Json(json!({"error": error}))).into_response(),
        }
    }
}

/// The 403 of a token that lacks a scope.
pub(super) fn insufficient_scope(scopes: &[&str]) -> Response {
    let description = "The request requires higher privileges than provided by the access token.";
    let body = json!({"error": "insufficient_scope", "error_description": description, "scope": scopes.join(" ")});
    (StatusCode::FORBIDDEN, Json(body)).into_response()
}

/// The answer for a path that is no route.
pub(super) fn no_such_route() -> Response {
    Refusal::Error(StatusCode::NOT_FOUND, "404 Not Found".to_owned()).into_response()
}

pub(super) type Answer = Result<Response, Refusal>;
pub(super) type Twin = State<Arc<World>>;

/// Who asks. A token must work even where none is needed; `None` for scopes lets any working token in.
fn visitor(
    world: &World,
    headers: &HeaderMap,
    scopes: Option<&'static [&'static str]>,
) -> Result<Option<Caller>, Refusal> {
    let Some(token) = world.presented(Some(Surface::Api), headers) else { return Ok(None) };
    let caller = world.caller(&token).ok_or(Refusal::InvalidToken("Bad Access Token."))?;
    match caller.token.state {
        TokenState::Expired => {
            let text = "Token is expired. You can either do re-authorization or token refresh.";
            return Err(Refusal::InvalidToken(text));
        }
        TokenState::Revoked => {
            return Err(Refusal::InvalidToken("Token was revoked. You have to re-authorize from the user."));
        }
        TokenState::Active | TokenState::RateLimited { .. } | TokenState::SsoRequired => {}
    }
    match scopes {
        Some(scopes) if !caller.has_scope(scopes) => Err(Refusal::InsufficientScope(scopes)),
        _ => Ok(Some(caller)),
    }
}

pub(super) fn signed_in(
    world: &World,
    headers: &HeaderMap,
    scopes: Option<&'static [&'static str]>,
) -> Result<Caller, Refusal> {
    visitor(world, headers, scopes)?.ok_or(Refusal::Unauthorized)
}

/// A project by number or path. What the caller may not see does not exist.
fn find(world: &World, id: &str, account: Option<&Account>) -> Result<Arc<Project>, Refusal> {
    let found = id.parse().ok().and_then(|id| world.project_by_id(id)).or_else(|| world.project(id));
    let visible = found.filter(|project| project.visible_to(account));
    visible.ok_or_else(|| Refusal::not_found("404 Project Not Found"))
}

async fn version(State(world): Twin, headers: HeaderMap) -> Answer {
    signed_in(&world, &headers, Some(&["api", "read_api", "read_user"]))?;
    Ok(Json(json!({"version": "18.5.1-ee", "revision": "0123456789a"})).into_response())
}

async fn user(State(world): Twin, headers: HeaderMap) -> Answer {
    let Account { id, username, name, email } =
        signed_in(&world, &headers, Some(&["api", "read_api", "read_user"]))?.account;
    let address = email.clone().unwrap_or_else(|| format!("{id}-{username}@users.noreply.gitlab.test"));
    Ok(Json(json!({
        "id": id, "username": username, "name": name, "state": "active", "locked": false, "bot": false,
        "email": address, "commit_email": address, "public_email": email,
        "avatar_url": null, "web_url": format!("{}/{username}", world.base_url(&headers)),
        "created_at": CREATED, "confirmed_at": CREATED, "external": false, "two_factor_enabled": false,
    }))
    .into_response())
}

#[derive(Deserialize)]
struct ProjectsQuery {
    search: Option<String>,
    membership: Option<String>,
    min_access_level: Option<u8>,
}

async fn projects(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Query(query): Query<ProjectsQuery>,
    Query(paging): Query<Paging>,
) -> Answer {
    let caller = visitor(&world, &headers, Some(READ_API))?;
    let account = caller.as_ref().map(|caller| &caller.account);
    let wanted = query.search.unwrap_or_default().to_lowercase();
    let members_only =
        query.membership.is_some_and(|text| matches!(text.to_lowercase().as_str(), "true" | "yes" | "1"));
    let least = query.min_access_level.or(members_only.then_some(0));
    let mut found = world.projects();
    found.retain(|project| {
        project.visible_to(account)
            && project.path.to_lowercase().contains(&wanted)
            && least.is_none_or(|least| project.level(account).is_some_and(|level| level.number() >= least))
    });
    let base = world.base_url(&headers);
    let page = paging.cut(found, PER_PAGE);
    let items: Vec<_> = page.items.iter().map(|project| project_json(project, account, &base)).collect();
    Ok((page.gitlab_headers(&base, &uri), Json(items)).into_response())
}

async fn project(State(world): Twin, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let caller = visitor(&world, &headers, Some(READ_API))?;
    let account = caller.as_ref().map(|caller| &caller.account);
    let project = find(&world, &id, account)?;
    Ok(Json(project_json(&project, account, &world.base_url(&headers))).into_response())
}

fn project_json(project: &Project, account: Option<&Account>, base: &str) -> Value {
    let (group, name) = project.owner_and_name();
    let path = &project.path;
    let has_commits = project.bare.head(&project.default_branch).is_some();
    let mut body = json!({
        "id": project.id, "name": name, "path": name, "path_with_namespace": path, "description": null,
        "name_with_namespace": path.replace('/', " / "), "created_at": CREATED, "last_activity_at": CREATED,
        "default_branch": has_commits.then_some(&project.default_branch), "empty_repo": !has_commits,
        "visibility": project.visibility.name(), "archived": project.archived,
        "web_url": format!("{base}/{path}"), "http_url_to_repo": format!("{base}/{path}.git"),
        "namespace": {"name": group, "path": group, "full_path": group, "kind": "group"},
        "merge_requests_enabled": true,
    });
    if account.is_some() {
        let access = |through| {
            project
                .level_through(account, through)
                .map(|level| json!({"access_level": level.number(), "notification_level": 3}))
        };
        body["permissions"] =
            json!({"project_access": access(Through::Project), "group_access": access(Through::Group)});
    }
    body
}

async fn member(State(world): Twin, headers: HeaderMap, Path((id, user)): Path<(String, u64)>) -> Answer {
    let caller = signed_in(&world, &headers, Some(READ_API))?;
    let project = find(&world, &id, Some(&caller.account))?;
    let account = world.account(user).ok_or_else(|| Refusal::not_found("404 Not found"))?;
    let level = project.level(Some(&account)).ok_or_else(|| Refusal::not_found("404 Not found"))?;
    Ok(Json(json!({
        "id": account.id, "username": account.username, "name": account.name, "state": "active",
        "access_level": level.number(), "created_at": CREATED, "expires_at": null,
        "web_url": format!("{}/{}", world.base_url(&headers), account.username),
    }))
    .into_response())
}

/// The project, if the caller may read what is in its repository.
pub(super) fn readable(
    world: &World,
    headers: &HeaderMap,
    id: &str,
) -> Result<(Option<Caller>, Arc<Project>), Refusal> {
    let caller = visitor(world, headers, Some(READ_API))?;
    let account = caller.as_ref().map(|caller| &caller.account);
    let project = find(world, id, account)?;
    if !project.readable_by(account) {
        return Err(Refusal::Message(StatusCode::FORBIDDEN, json!("403 Forbidden")));
    }
    Ok((caller, project))
}

async fn branches(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer {
    let (caller, project) = readable(&world, &headers, &id)?;
    let account = caller.as_ref().map(|caller| &caller.account);
    let base = world.base_url(&headers);
    let page = paging.cut(project.bare.branches(), PER_PAGE);
    let items: Vec<_> = page.items.iter().map(|branch| branch_json(&project, branch, account, &base)).collect();
    Ok((page.gitlab_headers(&base, &uri), Json(items)).into_response())
}

fn branch_json(project: &Project, Branch { name, commit }: &Branch, account: Option<&Account>, base: &str) -> Value {
    let protected = project.protected.contains(name);
    let maintains = project.level(account).is_some_and(|level| level >= AccessLevel::Maintainer);
    json!({
        "name": name, "default": *name == project.default_branch, "merged": false, "protected": protected,
        "developers_can_push": !protected, "developers_can_merge": !protected,
        "can_push": project.pushable_by(account) && (maintains || !protected),
        "web_url": format!("{base}/{}/-/tree/{name}", project.path),
        "commit": {
            "id": commit.id, "short_id": commit.id.get(..8), "title": commit.title(), "message": commit.message,
            "author_name": commit.author_name, "author_email": commit.author_email,
            "web_url": format!("{base}/{}/-/commit/{}", project.path, commit.id),
        },
    })
}

#[derive(Deserialize)]
struct MergeRequestsQuery {
    source_branch: Option<String>,
    target_branch: Option<String>,
    state: Option<String>,
}

async fn merge_requests(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(id): Path<String>,
    Query(query): Query<MergeRequestsQuery>,
    Query(paging): Query<Paging>,
) -> Answer {
    let caller = visitor(&world, &headers, Some(READ_API))?;
    let project = find(&world, &id, caller.as_ref().map(|caller| &caller.account))?;
    let base = world.base_url(&headers);
    let mut found = locked(&project.pull_requests).clone();
    found.retain(|request| {
        query.source_branch.as_ref().is_none_or(|branch| *branch == request.source_branch)
            && query.target_branch.as_ref().is_none_or(|branch| *branch == request.target_branch)
            && query.state.as_deref().is_none_or(|state| matches!(state, "opened" | "all"))
    });
    found.reverse();
    let page = paging.cut(found, PER_PAGE);
    let items: Vec<_> = page.items.iter().map(|request| merge_request_json(&project, request, &base)).collect();
    Ok((page.gitlab_headers(&base, &uri), Json(items)).into_response())
}

#[derive(Deserialize)]
struct NewMergeRequest {
    source_branch: Option<String>,
    target_branch: Option<String>,
    title: Option<String>,
    description: Option<String>,
}

async fn open_merge_request(
    State(world): Twin,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Result<Json<NewMergeRequest>, JsonRejection>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(&["api"]))?;
    let project = find(&world, &id, Some(&caller.account))?;
    if !project.pushable_by(Some(&caller.account)) {
        return Err(Refusal::Message(StatusCode::FORBIDDEN, json!("403 Forbidden")));
    }
    let Json(new) = body.map_err(|problem| Refusal::Error(StatusCode::BAD_REQUEST, problem.body_text()))?;
    let (Some(source), Some(target), Some(title)) = (&new.source_branch, &new.target_branch, &new.title) else {
        return Err(Refusal::Error(StatusCode::BAD_REQUEST, missing_fields(&new)));
    };
    if source == target {
        let message = json!(["You can't use same project/branch for source and target"]);
        return Err(Refusal::Message(StatusCode::CONFLICT, message));
    }
    let opened = project.open_pull_request((source, target), |number| PullRequest {
        number,
        draft: title.starts_with("Draft: "),
        title: title.clone(),
        description: new.description.clone().unwrap_or_default(),
        source_branch: source.clone(),
        target_branch: target.clone(),
        author: caller.account.username.clone(),
        version: 0,
    });
    let opened = opened.map_err(|other| {
        let text = format!("Another open merge request already exists for this source branch: !{other}");
        Refusal::Message(StatusCode::CONFLICT, json!([text]))
    })?;
    let body = merge_request_json(&project, &opened, &world.base_url(&headers));
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

#[derive(Deserialize)]
struct ChangedMergeRequest {
    title: Option<String>,
    description: Option<String>,
}

async fn change_merge_request(
    State(world): Twin,
    headers: HeaderMap,
    Path((id, iid)): Path<(String, u64)>,
    Json(changed): Json<ChangedMergeRequest>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(&["api"]))?;
    let project = find(&world, &id, Some(&caller.account))?;
    if !project.pushable_by(Some(&caller.account)) {
        return Err(Refusal::Message(StatusCode::FORBIDDEN, json!("403 Forbidden")));
    }
    let changed = project.change_pull_request(iid, changed.title, changed.description);
    let changed = changed.ok_or_else(|| Refusal::not_found("404 Not found"))?;
    Ok(Json(merge_request_json(&project, &changed, &world.base_url(&headers))).into_response())
}

fn missing_fields(new: &NewMergeRequest) -> String {
    let fields = [("source_branch", &new.source_branch), ("target_branch", &new.target_branch), ("title", &new.title)];
    let missing = fields.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| format!("{name} is missing"));
    missing.collect::<Vec<_>>().join(", ")
}

fn merge_request_json(project: &Project, request: &PullRequest, base: &str) -> Value {
    let PullRequest { number, title, description, source_branch, target_branch, author, draft, .. } = request;
    json!({
        "id": project.id * 1_000 + number, "iid": number, "project_id": project.id, "title": title,
        "description": description, "state": "opened", "draft": draft, "created_at": CREATED, "updated_at": CREATED,
        "source_branch": source_branch, "target_branch": target_branch,
        "source_project_id": project.id, "target_project_id": project.id,
        "author": {"username": author, "web_url": format!("{base}/{author}")},
        "sha": project.bare.head(source_branch), "web_url": format!("{base}/{}/-/merge_requests/{number}", project.path),
        "references": {"full": format!("{}!{number}", project.path)}, "has_conflicts": false,
    })
}
