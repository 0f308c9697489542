//! GitHub's REST API as Enterprise Server has it, under `/api/v3`: the routes that Valetkey calls.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{apps, contents, limits};
use crate::access::{AccessLevel, Visibility};
use crate::etag;
use crate::faults::{Surface, Switch};
use crate::fixtures::{ExpirationFormat, Kind, TokenState};
use crate::git::Branch;
use crate::paging::Paging;
use crate::world::{Caller, Project, PullRequest, World, locked};

pub(super) const PER_PAGE: usize = 30;
pub(super) const CREATED: &str = "2026-01-01T00:00:00Z";
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

const REST: &str = "https://docs.github.com/rest";
const SSO: &str = "https://docs.github.com/articles/authenticating-to-a-github-organization-with-saml-single-sign-on/";
const USER_AGENT_REQUIRED: &str = "Request forbidden by administrative rules. Please make sure your request has a \
    User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). \
    Check https://developer.github.com for other possible causes.\n";

pub(super) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/api/v3/rate_limit", get(rate_limit))
        .route("/api/v3/user", get(user))
        .route("/api/v3/user/repos", get(own_repositories))
        .route("/api/v3/search/repositories", get(search))
        .route("/api/v3/repos/{owner}/{name}", get(repository))
        .route("/api/v3/repos/{owner}/{name}/branches", get(branches))
        .route("/api/v3/repos/{owner}/{name}/contents", get(contents::root))
        .route("/api/v3/repos/{owner}/{name}/contents/", get(contents::root))
        .route("/api/v3/repos/{owner}/{name}/contents/{*path}", get(contents::below))
        .route("/api/v3/repos/{owner}/{name}/pulls", get(pulls).post(open_pull))
        .route("/api/v3/repos/{owner}/{name}/pulls/{number}", patch(change_pull))
        .merge(apps::api_routes())
        .route_layer(middleware::from_fn(etag::tag))
        .route_layer(middleware::from_fn_with_state(Arc::clone(world), demands))
}

/// A GitHub error answer.
pub(super) struct Problem {
    status: StatusCode,
    message: String,
    documentation: &'static str,
    errors: Option<Value>,
    header: Option<(&'static str, String)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), documentation: REST, errors: None, header: None }
    }

    pub(super) fn documented(self, documentation: &'static str) -> Self {
        Self { documentation, ..self }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(super) fn invalid(error: &Value) -> Self {
        let errors = Some(json!([error]));
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed") }
    }

    fn sso_required(base: &str, owner: &str) -> Self {
        let message = "Resource protected by organization SAML enforcement. You must grant your Personal Access token \
            access to this organization.";
        let link = format!("required; url={base}/orgs/{owner}/sso?authorization_request=A2TWIN");
        let header = Some(("x-github-sso", link));
        Self { header, ..Self::new(StatusCode::FORBIDDEN, message).documented(SSO) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status.as_u16().to_string();
        let mut body = json!({"message": self.message, "documentation_url": self.documentation, "status": status});
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        let mut response = (self.status, Json(body)).into_response();
        if let Some((name, value)) = self.header {
            insert(response.headers_mut(), name, &value);
        }
        response
    }
}

/// The 403 of a fine-grained token that lacks a permission.
pub(super) fn token_lacks_access() -> Response {
    Problem::new(StatusCode::FORBIDDEN, "Resource not accessible by personal access token").into_response()
}

/// The answer for a path that is no route.
pub(super) fn no_such_route() -> Response {
    Problem::not_found().into_response()
}

pub(super) type Answer = Result<Response, Problem>;
pub(super) type Twin = State<Arc<World>>;

/// What GitHub wants of every call, and what it tells of the caller's token in every answer.
async fn demands(State(world): Twin, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.get(USER_AGENT).is_none_or(HeaderValue::is_empty) {
        return (StatusCode::FORBIDDEN, USER_AGENT_REQUIRED).into_response();
    }
    let version = headers.get("x-github-api-version").and_then(|version| version.to_str().ok());
    if let Some(unknown) = version.filter(|version| !VERSIONS.contains(version)) {
        let message = format!("\"{unknown}\" is not a supported version.");
        return Problem::new(StatusCode::BAD_REQUEST, message).into_response();
    }
    let token = world.presented(Some(Surface::Api), headers);
    let caller = token.and_then(|token| world.caller(&token)).filter(Caller::works);
    let accepted = if request.uri().path().starts_with("/api/v3/repos/") { "repo" } else { "" };
    let mut response = next.run(request).await;
    if let Some(caller) = caller {
        describe_token(response.headers_mut(), &caller, accepted);
    }
    response
}

fn describe_token(headers: &mut HeaderMap, caller: &Caller, accepted_scopes: &str) {
    if !caller.is_fine_grained() {
        insert(headers, "x-oauth-scopes", &caller.scopes().join(", "));
        insert(headers, "x-accepted-oauth-scopes", accepted_scopes);
    }
    if let Some(date) = &caller.token.expires {
        let zone = match caller.token.expiration_format {
            ExpirationFormat::Utc => "UTC",
            ExpirationFormat::Offset => "+0200",
        };
        insert(headers, "github-authentication-token-expiration", &format!("{date} 00:00:00 {zone}"));
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    headers.extend(HeaderValue::from_str(value).ok().map(|value| (HeaderName::from_static(name), value)));
}

/// Who asks. A token must work even where none is needed.
fn visitor(world: &World, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    let Some(token) = world.presented(Some(Surface::Api), headers) else { return Ok(None) };
    let caller = world.caller(&token).filter(Caller::works);
    let caller = caller.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "Bad credentials"))?;
    apps::wants_awake(world, &caller)?;
    Ok(Some(caller))
}

pub(super) fn signed_in(world: &World, headers: &HeaderMap) -> Result<Caller, Problem> {
    visitor(world, headers)?.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "Requires authentication"))
}

fn wants_sso(world: &World, caller: Option<&Caller>) -> bool {
    caller.is_some_and(|caller| caller.token.state == TokenState::SsoRequired)
        || world.faults.is_on(Surface::Api, &Switch::SsoRequired)
}

/// Whether the token, and its owner, may see the repository.
fn sees(caller: Option<&Caller>, project: &Project) -> bool {
    let reaches = |caller: &Caller| match caller.token.kind {
        Kind::App { .. } => caller.app_reaches(project.id),
        Kind::FineGrained(_) => project.visible_to(Some(&caller.account)),
        Kind::Scoped(_) => caller.has_scope(&["repo"]) && project.visible_to(Some(&caller.account)),
    };
    project.visibility == Visibility::Public || caller.is_some_and(reaches)
}

/// A repository as the caller finds it. What one may not see does not exist.
pub(super) fn find(
    world: &World,
    headers: &HeaderMap,
    (owner, name): &(String, String),
) -> Result<(Option<Caller>, Arc<Project>), Problem> {
    let caller = visitor(world, headers)?;
    let project = world.project(&format!("{owner}/{name}")).ok_or_else(Problem::not_found)?;
    if wants_sso(world, caller.as_ref()) {
        return Err(Problem::sso_required(&world.base_url(headers), owner));
    }
    if sees(caller.as_ref(), &project) { Ok((caller, project)) } else { Err(Problem::not_found()) }
}

async fn rate_limit(State(world): Twin, headers: HeaderMap) -> Answer {
    visitor(&world, &headers)?;
    Ok(Json(limits::overview(world.served())).into_response())
}

async fn user(State(world): Twin, headers: HeaderMap) -> Answer {
    let account = person(&world, &headers)?.account;
    let mut body = account_json(&account.username, account.id, &world.base_url(&headers));
    body["name"] = json!(account.name);
    body["email"] = json!(account.email);
    body["created_at"] = json!(CREATED);
    Ok(Json(body).into_response())
}

pub(super) fn account_json(login: &str, id: u64, base: &str) -> Value {
    json!({
        "login": login, "id": id, "node_id": format!("U_{id}"), "type": "User", "site_admin": false,
        "url": format!("{base}/api/v3/users/{login}"), "html_url": format!("{base}/{login}"),
    })
}

async fn own_repositories(State(world): Twin, headers: HeaderMap, uri: Uri, Query(paging): Query<Paging>) -> Answer {
    let caller = person(&world, &headers)?;
    let mut found = visible_repositories(&world, Some(&caller));
    found.retain(|project| project.level(Some(&caller.account)).is_some());
    listing(&world, &headers, Some(&caller), found, |found, base| {
        let page = paging.cut(found, PER_PAGE);
        let items: Vec<_> = page.items.iter().map(|item| repository_json(item, Some(&caller), base)).collect();
        (page.github_headers(base, &uri), json!(items))
    })
}

#[derive(Deserialize)]
struct SearchQuery {
    q: Option<String>,
}

async fn search(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Query(query): Query<SearchQuery>,
    Query(paging): Query<Paging>,
) -> Answer {
    let caller = visitor(&world, &headers)?;
    let Some(words) = query.q.filter(|words| !words.is_empty()) else {
        let error = json!({"resource": "Search", "field": "q", "code": "missing"});
        return Err(Problem::invalid(&error));
    };
    let words = words.to_lowercase();
    let mut found = visible_repositories(&world, caller.as_ref());
    // Qualifiers such as `in:name` narrow a search; they are no words to find.
    let words: Vec<_> = words.split_whitespace().filter(|word| !word.contains(':')).collect();
    found.retain(|project| words.iter().all(|word| project.path.to_lowercase().contains(word)));
    listing(&world, &headers, caller.as_ref(), found, |found, base| {
        let page = paging.cut(found, PER_PAGE);
        let items: Vec<_> = page.items.iter().map(|item| repository_json(item, caller.as_ref(), base)).collect();
        let body = json!({"total_count": page.total, "incomplete_results": false, "items": items});
        (page.github_headers(base, &uri), body)
    })
}

fn visible_repositories(world: &World, caller: Option<&Caller>) -> Vec<Arc<Project>> {
    let mut all = world.projects();
    all.retain(|project| sees(caller, project));
    all
}

/// A listing leaves out what single sign-on protects, and says so.
fn listing(
    world: &World,
    headers: &HeaderMap,
    caller: Option<&Caller>,
    mut found: Vec<Arc<Project>>,
    page: impl FnOnce(Vec<Arc<Project>>, &str) -> (HeaderMap, Value),
) -> Answer {
    let partial = wants_sso(world, caller);
    if partial {
        found.retain(|project| project.visibility == Visibility::Public);
    }
    let (headers, body) = page(found, &world.base_url(headers));
    let mut response = (headers, Json(body)).into_response();
    if partial {
        insert(response.headers_mut(), "x-github-sso", "partial-results; organizations=21955855,20582480");
    }
    Ok(response)
}

async fn repository(State(world): Twin, headers: HeaderMap, Path(path): Path<(String, String)>) -> Answer {
    let (caller, project) = find(&world, &headers, &path)?;
    let body = repository_json(&project, caller.as_ref(), &world.base_url(&headers));
    let mut response = Json(body).into_response();
    if caller.is_some_and(|caller| caller.is_fine_grained()) {
        insert(response.headers_mut(), "x-accepted-github-permissions", "metadata=read");
    }
    Ok(response)
}

pub(super) fn repository_json(project: &Project, caller: Option<&Caller>, base: &str) -> Value {
    let (owner, name) = project.owner_and_name();
    let path = &project.path;
    let mut body = json!({
        "id": project.id, "node_id": format!("R_{}", project.id), "name": name, "full_name": path,
        "owner": account_json(owner, 9_000, base), "private": project.visibility != Visibility::Public,
        "visibility": project.visibility.name(), "description": null, "fork": false, "archived": project.archived,
        "default_branch": project.default_branch, "url": format!("{base}/api/v3/repos/{path}"),
        "html_url": format!("{base}/{path}"), "clone_url": format!("{base}/{path}.git"), "created_at": CREATED,
    });
    if let Some(caller) = caller {
        let level = match caller.token.kind {
            Kind::App { installation: Some(_), .. } => caller.installation_level(project.id),
            _ => project.level(Some(&caller.account)),
        };
        let at_least = |wanted| level.is_some_and(|level| level >= wanted);
        body["permissions"] = json!({
            "admin": at_least(AccessLevel::Owner), "maintain": at_least(AccessLevel::Maintainer),
            "push": at_least(AccessLevel::Developer), "triage": at_least(AccessLevel::Developer),
            "pull": sees(Some(caller), project),
        });
    }
    body
}

async fn branches(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(path): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Answer {
    let (caller, project) = find(&world, &headers, &path)?;
    app_may_read(caller.as_ref(), &project, "contents")?;
    let base = world.base_url(&headers);
    let page = paging.cut(project.bare.branches(), PER_PAGE);
    let branch = |Branch { name, commit }: &Branch| {
        let url = format!("{base}/api/v3/repos/{}/commits/{}", project.path, commit.id);
        json!({"name": name, "commit": {"sha": commit.id, "url": url}, "protected": project.protected.contains(name)})
    };
    let items: Vec<_> = page.items.iter().map(branch).collect();
    Ok((page.github_headers(&base, &uri), Json(items)).into_response())
}

#[derive(Deserialize)]
struct PullsQuery {
    head: Option<String>,
    base: Option<String>,
    state: Option<String>,
}

async fn pulls(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(path): Path<(String, String)>,
    Query(query): Query<PullsQuery>,
    Query(paging): Query<Paging>,
) -> Answer {
    let (caller, project) = find(&world, &headers, &path)?;
    app_may_read(caller.as_ref(), &project, "pull_requests")?;
    let (owner, _) = project.owner_and_name();
    let base = world.base_url(&headers);
    let mut found = locked(&project.pull_requests).clone();
    found.retain(|pull| {
        query.head.as_ref().is_none_or(|head| *head == format!("{owner}:{}", pull.source_branch))
            && query.base.as_ref().is_none_or(|base| *base == pull.target_branch)
            && query.state.as_deref().is_none_or(|state| matches!(state, "open" | "all"))
    });
    found.reverse();
    let page = paging.cut(found, PER_PAGE);
    let items: Vec<_> = page.items.iter().map(|pull| pull_json(&project, pull, &base)).collect();
    Ok((page.github_headers(&base, &uri), Json(items)).into_response())
}

#[derive(Deserialize)]
struct NewPull {
    head: String,
    base: String,
    title: String,
    body: Option<String>,
    #[serde(default)]
    draft: bool,
}

async fn open_pull(
    State(world): Twin,
    headers: HeaderMap,
    Path(path): Path<(String, String)>,
    body: Result<Json<NewPull>, JsonRejection>,
) -> Answer {
    let caller = signed_in(&world, &headers)?;
    let (_, project) = find(&world, &headers, &path)?;
    may_open_pull(&caller, &project)?;
    let Json(new) = body.map_err(|problem| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problem.body_text()))?;
    let (owner, _) = project.owner_and_name();
    let source = new.head.strip_prefix(&format!("{owner}:")).unwrap_or(&new.head);
    for (field, branch) in [("head", source), ("base", new.base.as_str())] {
        if project.bare.head(branch).is_none() {
            let error = json!({"resource": "PullRequest", "field": field, "code": "invalid"});
            return Err(Problem::invalid(&error));
        }
    }
    if project.bare.ahead(&new.base, source) == 0 {
        let message = format!("No commits between {} and {source}", new.base);
        return Err(Problem::invalid(&json!({"resource": "PullRequest", "code": "custom", "message": message})));
    }
    let opened = project.open_pull_request((source, &new.base), |number| PullRequest {
        number,
        title: new.title.clone(),
        description: new.body.clone().unwrap_or_default(),
        source_branch: source.to_owned(),
        target_branch: new.base.clone(),
        author: caller.account.username.clone(),
        draft: new.draft,
        version: 0,
    });
    let opened = opened.map_err(|_| {
        let message = format!("A pull request already exists for {owner}:{source}.");
        Problem::invalid(&json!({"resource": "PullRequest", "code": "custom", "message": message}))
    })?;
    Ok((StatusCode::CREATED, Json(pull_json(&project, &opened, &world.base_url(&headers)))).into_response())
}

#[derive(Deserialize)]
struct ChangedPull {
    title: Option<String>,
    body: Option<String>,
}

async fn change_pull(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name, number)): Path<(String, String, u64)>,
    Json(changed): Json<ChangedPull>,
) -> Answer {
    let caller = signed_in(&world, &headers)?;
    let (_, project) = find(&world, &headers, &(owner, name))?;
    may_open_pull(&caller, &project)?;
    let changed = project.change_pull_request(number, changed.title, changed.body).ok_or_else(Problem::not_found)?;
    Ok(Json(pull_json(&project, &changed, &world.base_url(&headers))).into_response())
}

fn lacks_access(caller: &Caller) -> &'static str {
    match caller.token.kind {
        Kind::App { .. } => "Resource not accessible by integration",
        Kind::Scoped(_) | Kind::FineGrained(_) => "Resource not accessible by personal access token",
    }
}

/// A person; an installation is none.
fn person(world: &World, headers: &HeaderMap) -> Result<Caller, Problem> {
    let caller = signed_in(world, headers)?;
    match caller.token.kind {
        Kind::App { installation: Some(_), .. } => Err(Problem::new(StatusCode::FORBIDDEN, lacks_access(&caller))),
        _ => Ok(caller),
    }
}

/// An app reads of a private repository what its permissions name.
pub(super) fn app_may_read(caller: Option<&Caller>, project: &Project, permission: &str) -> Result<(), Problem> {
    let app = caller.filter(|caller| matches!(caller.token.kind, Kind::App { .. }));
    let lacking = app.filter(|caller| caller.permission(permission).is_none());
    match lacking.filter(|_| project.visibility != Visibility::Public) {
        Some(caller) => Err(Problem::new(StatusCode::FORBIDDEN, lacks_access(caller))),
        None => Ok(()),
    }
}

fn may_open_pull(caller: &Caller, project: &Project) -> Result<(), Problem> {
    if caller.is_fine_grained() && caller.permission("pull_requests") != Some("write") {
        let message = lacks_access(caller);
        let header = Some(("x-accepted-github-permissions", "pull_requests=write".to_owned()));
        return Err(Problem { header, ..Problem::new(StatusCode::FORBIDDEN, message) });
    }
    let scope = caller.is_fine_grained() || caller.has_scope(&["repo", "public_repo"]);
    if scope && caller.may_push_to(project) { Ok(()) } else { Err(Problem::not_found()) }
}

fn pull_json(project: &Project, pull: &PullRequest, base: &str) -> Value {
    let (owner, _) = project.owner_and_name();
    let PullRequest { number, title, description, source_branch, target_branch, author, draft, .. } = pull;
    let side =
        |branch: &str| json!({"ref": branch, "label": format!("{owner}:{branch}"), "sha": project.bare.head(branch)});
    json!({
        "id": project.id * 1_000 + number, "number": number, "state": "open", "title": title, "body": description,
        "draft": draft, "locked": false, "merged": false, "created_at": CREATED, "updated_at": CREATED,
        "url": format!("{base}/api/v3/repos/{}/pulls/{number}", project.path),
        "html_url": format!("{base}/{}/pull/{number}", project.path),
        "head": side(source_branch), "base": side(target_branch), "user": account_json(author, 0, base),
    })
}
