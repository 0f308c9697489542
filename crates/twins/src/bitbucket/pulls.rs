//! Pull requests.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, CREATED, Listing, READ_PULL_REQUEST, Twin, WRITE_PULL_REQUEST, signed_in, visitor};
use super::problem::Problem;
use super::query::Filter;
use super::repositories::{find, repository_json};
use crate::world::{Caller, Project, PullRequest, World, locked};

pub(super) async fn list(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path((owner, slug)): Path<(String, String)>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ_PULL_REQUEST)?;
    let project = find(&world, caller.as_ref(), (&owner, &slug))?;
    let filter = match listing.q.as_deref() {
        Some(text) => Some(Filter::parse(text).ok_or_else(|| Problem::bad_request(format!("Invalid query: {text}")))?),
        None => None,
    };
    let mut found = locked(&project.pull_requests).clone();
    found.retain(|pull| {
        let field = |name: &str| match name {
            "source.branch.name" => Some(pull.source_branch.clone()),
            "destination.branch.name" => Some(pull.target_branch.clone()),
            "title" => Some(pull.title.clone()),
            "state" => Some("OPEN".to_owned()),
            _ => None,
        };
        listing.state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("OPEN"))
            && filter.as_ref().is_none_or(|filter| filter.holds(field))
    });
    found.reverse();
    let base = world.base_url(&headers);
    listing.answer(found, (50, &base, &uri), |pull| pull_json(&project, pull, &base))
}

pub(super) async fn one(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, slug, number)): Path<(String, String, u64)>,
) -> Answer {
    let caller = visitor(&world, &headers, READ_PULL_REQUEST)?;
    let project = find(&world, caller.as_ref(), (&owner, &slug))?;
    let pull = project.pull_request(number).ok_or_else(|| Problem::not_found("Pull request not found"))?;
    Ok(Json(pull_json(&project, &pull, &world.base_url(&headers))).into_response())
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct End {
    branch: Named,
}

#[derive(Deserialize)]
pub(super) struct NewPull {
    title: Option<String>,
    description: Option<String>,
    source: Option<End>,
    destination: Option<End>,
    #[serde(default)]
    draft: bool,
}

fn writer(world: &World, headers: &HeaderMap, path: (&str, &str)) -> Result<(Caller, Arc<Project>), Problem> {
    let caller = signed_in(world, headers, WRITE_PULL_REQUEST)?;
    let project = find(world, Some(&caller), path)?;
    // Whoever reads a repository may propose a change to it.
    if project.readable_by(Some(&caller.account)) { Ok((caller, project)) } else { Err(Problem::useless_token()) }
}

/// A second pull request for the same branches changes the one that is open.
pub(super) async fn open(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, slug)): Path<(String, String)>,
    body: Result<Json<NewPull>, JsonRejection>,
) -> Answer {
    let (caller, project) = writer(&world, &headers, (&owner, &slug))?;
    let Json(new) = body.map_err(|problem| Problem::bad_request(problem.body_text()))?;
    let title = new.title.ok_or_else(|| Problem::field("title", "required key not provided"))?;
    let source = new.source.ok_or_else(|| Problem::field("source", "required key not provided"))?.branch.name;
    let target = new.destination.map_or_else(|| project.default_branch.clone(), |end| end.branch.name);
    for (field, branch) in [("source", &source), ("destination", &target)] {
        if project.bare.head(branch).is_none() {
            return Err(Problem::field(field, &format!("branch not found: {branch}")));
        }
    }
    if project.bare.ahead(&target, &source) == 0 {
        return Err(Problem::bad_request("There are no changes to be pulled"));
    }
    let opened = project.open_pull_request((&source, &target), |number| PullRequest {
        number,
        title: title.clone(),
        description: new.description.clone().unwrap_or_default(),
        source_branch: source.clone(),
        target_branch: target.clone(),
        author: caller.account.username.clone(),
        draft: new.draft,
        version: 0,
    });
    let pull = opened.or_else(|number| {
        let changed = project.change_pull_request(number, Some(title.clone()), new.description.clone());
        changed.ok_or_else(|| Problem::not_found("Pull request not found"))
    })?;
    Ok((StatusCode::CREATED, Json(pull_json(&project, &pull, &world.base_url(&headers)))).into_response())
}

#[derive(Deserialize)]
pub(super) struct Change {
    title: Option<String>,
    description: Option<String>,
}

pub(super) async fn change(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, slug, number)): Path<(String, String, u64)>,
    body: Result<Json<Change>, JsonRejection>,
) -> Answer {
    let (_, project) = writer(&world, &headers, (&owner, &slug))?;
    let Json(Change { title, description }) = body.map_err(|problem| Problem::bad_request(problem.body_text()))?;
    let changed = project.change_pull_request(number, title, description);
    let changed = changed.ok_or_else(|| Problem::not_found("Pull request not found"))?;
    Ok(Json(pull_json(&project, &changed, &world.base_url(&headers))).into_response())
}

fn pull_json(project: &Project, pull: &PullRequest, base: &str) -> Value {
    let PullRequest { number, title, description, source_branch, target_branch, author, draft, .. } = pull;
    let side = |branch: &str| {
        let commit = project.bare.head(branch).map(|id| json!({"type": "commit", "hash": id.get(..12)}));
        json!({"branch": {"name": branch}, "commit": commit, "repository": repository_json(project, base)})
    };
    json!({
        "type": "pullrequest", "id": number, "title": title, "description": description, "state": "OPEN",
        "draft": draft, "summary": {"type": "rendered", "raw": description, "markup": "markdown"},
        "source": side(source_branch), "destination": side(target_branch), "close_source_branch": false,
        "author": {"type": "user", "display_name": author, "nickname": author}, "created_on": CREATED,
        "updated_on": CREATED, "comment_count": 0, "task_count": 0,
        "links": {
            "self": {"href": format!("{base}/2.0/repositories/{}/pullrequests/{number}", project.path)},
            "html": {"href": format!("{base}/{}/pull-requests/{number}", project.path)},
        },
    })
}
