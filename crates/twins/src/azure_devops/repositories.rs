//! Projects, repositories and refs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, READ, Twin, identity_json, signed_in};
use super::problem::Problem;
use crate::access::Visibility;
use crate::paging::window;
use crate::seed::{crc32, uuid};
use crate::world::{Caller, Project, World};

/// The organization, the project and the name of a repository.
pub(super) fn place(project: &Project) -> (&str, &str, &str) {
    let (rest, name) = project.path.rsplit_once("/_git/").unwrap_or((&project.path, ""));
    let (organization, team) = rest.split_once('/').unwrap_or((rest, ""));
    (organization, team, name)
}

fn team_id(organization: &str, team: &str) -> String {
    uuid(4, u64::from(crc32(&format!("{organization}/{team}"))))
}

fn visible(world: &World, caller: &Caller, organization: &str) -> Vec<Arc<Project>> {
    let mut found = world.projects();
    found.retain(|project| {
        place(project).0.eq_ignore_ascii_case(organization) && project.visible_to(Some(&caller.account))
    });
    found
}

/// A repository that the caller may see, by its name or id in a project by its name or id.
pub(super) fn find(
    world: &World,
    caller: &Caller,
    (organization, team, repository): &(String, String, String),
) -> Result<Arc<Project>, Problem> {
    let mut found = visible(world, caller, organization);
    found.retain(|project| {
        let name = place(project).1;
        name.eq_ignore_ascii_case(team) || team_id(organization, name) == *team
    });
    if found.is_empty() {
        return Err(Problem::no_project(team));
    }
    let named = |project: &Arc<Project>| {
        place(project).2.eq_ignore_ascii_case(repository) || uuid(3, project.id) == *repository
    };
    found.into_iter().find(named).ok_or_else(|| Problem::no_repository(repository))
}

/// The query parameters of a list.
#[derive(Deserialize)]
pub(super) struct Listing {
    #[serde(rename = "$top")]
    pub(super) top: Option<usize>,
    #[serde(rename = "$skip")]
    pub(super) skip: Option<usize>,
    #[serde(rename = "continuationToken")]
    continuation: Option<usize>,
}

impl Listing {
    /// The rest of the list is behind a token in a header.
    fn continued(&self, all: Vec<Value>) -> Response {
        let start = self.continuation.or(self.skip).unwrap_or(0);
        let limit = self.top.unwrap_or(if self.continuation.is_some() { 100 } else { 1_000 });
        let (value, next) = window(all, start, limit);
        let mut response = Json(json!({"count": value.len(), "value": value})).into_response();
        let token = next.map(|next| (HeaderName::from_static("x-ms-continuationtoken"), next.into()));
        response.headers_mut().extend(token);
        response
    }
}

pub(super) async fn projects(
    State(world): Twin,
    headers: HeaderMap,
    Path(organization): Path<String>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = signed_in(&world, &headers, None)?;
    let base = world.base_url(&headers);
    let mut all: Vec<Value> = visible(&world, &caller, &organization).iter().map(|it| team_json(it, &base)).collect();
    all.sort_by_key(|team| team["name"].to_string());
    all.dedup_by_key(|team| team["name"].clone());
    Ok(listing.continued(all))
}

fn team_json(project: &Project, base: &str) -> Value {
    let (organization, team, _) = place(project);
    let id = team_id(organization, team);
    let url = format!("{base}/{organization}/_apis/projects/{id}");
    let visibility = if project.visibility == Visibility::Public { "public" } else { "private" };
    json!({"id": id, "name": team, "url": url, "state": "wellFormed", "revision": 1, "visibility": visibility})
}

fn all_of(found: &[Arc<Project>], base: &str) -> Response {
    let value: Vec<_> = found.iter().map(|project| repository_json(project, base)).collect();
    Json(json!({"count": value.len(), "value": value})).into_response()
}

/// Azure DevOps gives this list whole.
pub(super) async fn of_organization(
    State(world): Twin,
    headers: HeaderMap,
    Path(organization): Path<String>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(READ))?;
    Ok(all_of(&visible(&world, &caller, &organization), &world.base_url(&headers)))
}

pub(super) async fn of_project(
    State(world): Twin,
    headers: HeaderMap,
    Path((organization, team)): Path<(String, String)>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(READ))?;
    let mut found = visible(&world, &caller, &organization);
    found.retain(|project| place(project).1.eq_ignore_ascii_case(&team));
    if found.is_empty() {
        return Err(Problem::no_project(&team));
    }
    Ok(all_of(&found, &world.base_url(&headers)))
}

pub(super) async fn one(State(world): Twin, headers: HeaderMap, Path(path): Path<(String, String, String)>) -> Answer {
    let caller = signed_in(&world, &headers, Some(READ))?;
    let project = find(&world, &caller, &path)?;
    Ok(Json(repository_json(&project, &world.base_url(&headers))).into_response())
}

pub(super) fn repository_json(project: &Project, base: &str) -> Value {
    let (organization, team, name) = place(project);
    let id = uuid(3, project.id);
    let path = &project.path;
    let mut body = json!({
        "id": id, "name": name, "url": format!("{base}/{organization}/{team}/_apis/git/repositories/{id}"),
        "project": team_json(project, base), "size": 728, "isDisabled": project.archived,
        "remoteUrl": format!("{base}/{path}"), "webUrl": format!("{base}/{path}"),
    });
    if project.bare.head(&project.default_branch).is_some() {
        body["defaultBranch"] = json!(format!("refs/heads/{}", project.default_branch));
    }
    body
}

#[derive(Deserialize)]
pub(super) struct RefsQuery {
    filter: Option<String>,
    #[serde(rename = "filterContains")]
    contains: Option<String>,
}

pub(super) async fn refs(
    State(world): Twin,
    headers: HeaderMap,
    Path(path): Path<(String, String, String)>,
    Query(query): Query<RefsQuery>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(READ))?;
    let project = find(&world, &caller, &path)?;
    let beginning = format!("refs/{}", query.filter.unwrap_or_default());
    let wanted = query.contains.unwrap_or_default();
    let repository = repository_json(&project, &world.base_url(&headers));
    let found = project.bare.refs().into_iter();
    let found = found.filter(|(name, _)| name.starts_with(&beginning) && name.contains(&wanted));
    let item = |(name, object): (String, String)| {
        let url = format!("{}/refs?filter={}", repository["url"].as_str().unwrap_or_default(), &name[5..]);
        json!({"name": name, "objectId": object, "creator": identity_json(&caller.account), "url": url})
    };
    Ok(listing.continued(found.map(item).collect()))
}
