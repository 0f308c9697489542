//! The REST API of a Cloud site, the same behind either door, and what Atlassian tells about sites.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cloud::JiraCloud;
use super::jql::Query;
use super::refusal::Refusal;
use super::rest::{self, Answer, Fields, Search};
use super::visit::Visit;
use crate::fixtures::Account;
use crate::service::Origin;
use crate::{auth, cursor};

const READ_ME: &[&str] = &["read:jira-user", "read:user:jira"];
const READ: &[&str] = &["read:jira-work", "read:issue:jira", "read:issue-details:jira"];
const READ_PROJECTS: &[&str] = &["read:jira-work", "read:project:jira"];
const WRITE: &[&str] = &["write:jira-work", "write:issue:jira"];
const COMMENT: &[&str] = &["write:jira-work", "write:comment:jira"];

type Twin = State<Arc<JiraCloud>>;

pub(super) fn routes() -> Router<Arc<JiraCloud>> {
    let mut router = Router::new().route("/oauth/token/accessible-resources", get(accessible_resources));
    for site in ["", "/sites/{site}"] {
        router = router.route(&format!("{site}/_edge/tenant_info"), get(tenant_info));
    }
    for door in ["", "/sites/{site}", "/ex/jira/{cloud}"] {
        router = router.merge(api(&format!("{door}/rest/api/{{version}}")));
    }
    router
}

fn api(base: &str) -> Router<Arc<JiraCloud>> {
    let at = |path: &str| format!("{base}/{path}");
    Router::new()
        .route(&at("serverInfo"), get(server_info))
        .route(&at("myself"), get(myself))
        .route(&at("field"), get(fields))
        .route(&at("project/search"), get(project_search))
        .route(&at("project/{key}"), get(project))
        .route(&at("search"), get(old_search).post(old_search))
        .route(&at("search/jql"), get(search_by_query).post(search_by_body))
        .route(&at("issue"), axum::routing::post(create))
        .route(&at("issue/{key}"), get(issue))
        .route(&at("issue/{key}/comment"), axum::routing::post(comment))
        .route(&at("issue/{key}/transitions"), get(transitions).post(make_transition))
}

async fn tenant_info(visit: Visit) -> Json<Value> {
    Json(json!({"cloudId": visit.site.face.cloud_id}))
}

async fn accessible_resources(State(jira): Twin, Extension(origin): Extension<Origin>, headers: HeaderMap) -> Answer {
    let access = auth::bearer(&headers).and_then(|token| jira.app_access(token));
    let (account, mut scopes) = access.ok_or(Refusal::Gateway(StatusCode::UNAUTHORIZED, "Unauthorized"))?;
    scopes.retain(|scope| scope != "offline_access");
    let shown: Vec<_> = jira
        .sites_of(&account)
        .iter()
        .map(|site| {
            let (url, face) = (site.url(&origin.0), &site.face);
            let avatar = format!("{url}/avatar.png");
            json!({"id": face.cloud_id, "url": url, "name": face.name, "scopes": scopes, "avatarUrl": avatar})
        })
        .collect();
    Ok(Json(json!(shown)))
}

async fn server_info(visit: Visit) -> Response {
    let info = json!({
        "baseUrl": visit.base(),
        "version": "1001.0.0-SNAPSHOT",
        "versionNumbers": [1001, 0, 0],
        "deploymentType": "Cloud",
        "serverTitle": "Jira",
    });
    visit.answer(Json(info))
}

/// A bad token is an error here even on a public site: nobody has no name.
async fn myself(visit: Visit) -> Answer {
    let account = visit.account(READ_ME)?;
    Ok(Json(json!({
        "self": format!("{}/rest/api/{}/user?accountId={}", visit.base(), visit.version, account_id(account)),
        "accountId": account_id(account),
        "accountType": "atlassian",
        "emailAddress": account.email,
        "displayName": account.name,
        "active": true,
    })))
}

fn account_id(account: &Account) -> String {
    format!("712020:{:08x}-0000-4000-8000-000000000000", account.id)
}

async fn fields(visit: Visit) -> Result<Response, Refusal> {
    visit.look(READ)?;
    Ok(visit.answer(Json(rest::known_fields())))
}

async fn project_search(visit: Visit, uri: Uri) -> Result<Response, Refusal> {
    visit.look(READ_PROJECTS)?;
    let asked = Search::from_query(&uri);
    let (start, size) = (asked.number("startAt", 0), asked.number("maxResults", 50).min(100));
    let mut projects = visit.site.board.projects();
    if let Some(text) = asked.get("query").map(str::to_lowercase) {
        projects.retain(|it| it.name.to_lowercase().contains(&text) || it.key.to_lowercase().contains(&text));
    }
    let total = projects.len();
    let values: Vec<_> = projects.iter().skip(start).take(size).map(rest::project).collect();
    let is_last = start + values.len() >= total;
    let page = json!({"startAt": start, "maxResults": size, "total": total, "isLast": is_last, "values": values});
    Ok(visit.answer(Json(page)))
}

async fn project(visit: Visit, Path(Named { key }): Path<Named>) -> Result<Response, Refusal> {
    visit.look(READ_PROJECTS)?;
    let found = visit.site.board.project(&key);
    let none = || Refusal::not_found(&format!("No project could be found with key '{key}'."));
    Ok(visit.answer(Json(rest::project(&found.ok_or_else(none)?))))
}

async fn old_search() -> Refusal {
    let message = "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full \
        migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046";
    Refusal::Message(StatusCode::GONE, message.to_owned())
}

async fn search_by_query(visit: Visit, uri: Uri) -> Result<Response, Refusal> {
    search(&visit, Search::from_query(&uri))
}

async fn search_by_body(visit: Visit, Json(body): Json<Value>) -> Result<Response, Refusal> {
    search(&visit, Search::from_json(&body))
}

fn search(visit: &Visit, asked: Search) -> Result<Response, Refusal> {
    visit.look(READ)?;
    let query = Query::parse(asked.get("jql").unwrap_or_default())?;
    if query.is_unbounded() {
        let message = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.";
        return Err(Refusal::bad_request(message));
    }
    let mut issues = visit.site.board.issues();
    issues.retain(|issue| query.matches(issue));
    let size = asked.number("maxResults", 50).clamp(1, 100);
    let token = asked.get("nextPageToken").filter(|token| !token.is_empty());
    let page =
        cursor::page(&issues, size, token).ok_or_else(|| Refusal::bad_request("The next page token is not valid."))?;
    let fields = asked.fields(Fields::none());
    let shown: Vec<_> = page.items.iter().map(|issue| visit.view().issue(issue, &fields)).collect();
    let mut body = json!({"issues": shown, "isLast": page.next.is_none()});
    if let Some(next) = page.next {
        body["nextPageToken"] = json!(next);
    }
    Ok(visit.answer(Json(body)))
}

#[derive(Deserialize)]
struct Named {
    key: String,
}

async fn create(visit: Visit, Json(body): Json<Value>) -> Result<Response, Refusal> {
    visit.account(WRITE)?;
    let view = visit.view();
    let issue = view.create(&visit.site.board, &body)?;
    Ok((StatusCode::CREATED, Json(view.created(&issue))).into_response())
}

async fn issue(visit: Visit, Path(Named { key }): Path<Named>, uri: Uri) -> Result<Response, Refusal> {
    visit.look(READ)?;
    let issue = visit.site.board.issue(&key).ok_or_else(rest::no_issue)?;
    let fields = Search::from_query(&uri).fields(Fields::all());
    Ok(visit.answer(Json(visit.view().issue(&issue, &fields))))
}

async fn comment(visit: Visit, Path(Named { key }): Path<Named>, Json(body): Json<Value>) -> Result<Response, Refusal> {
    let author = visit.account(COMMENT)?.clone();
    let added = visit.view().add_comment(&visit.site.board, &key, author, &body)?;
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

async fn transitions(visit: Visit, Path(Named { key }): Path<Named>) -> Result<Response, Refusal> {
    visit.look(READ)?;
    visit.site.board.issue(&key).ok_or_else(rest::no_issue)?;
    Ok(visit.answer(Json(rest::transitions())))
}

async fn make_transition(
    visit: Visit,
    Path(Named { key }): Path<Named>,
    Json(body): Json<Value>,
) -> Result<StatusCode, Refusal> {
    visit.account(WRITE)?;
    rest::make_transition(&visit.site.board, &key, &body)?;
    Ok(StatusCode::NO_CONTENT)
}
