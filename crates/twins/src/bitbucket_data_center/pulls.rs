//! Pull requests.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, CREATED, Listing, READ, Twin, signed_in, visitor};
use super::problem::Problem;
use super::repositories::{find, key_and_slug, repository_json};
use crate::world::{Caller, Project, PullRequest, World, locked};

#[derive(Deserialize)]
pub(super) struct PullsQuery {
    state: Option<String>,
    at: Option<String>,
    direction: Option<String>,
}

/// Those into a branch, or with `direction=OUTGOING` those from it.
pub(super) async fn list(
    State(world): Twin,
    headers: HeaderMap,
    Path((key, slug)): Path<(String, String)>,
    Query(query): Query<PullsQuery>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&key, &slug))?;
    let outgoing = query.direction.as_deref().is_some_and(|way| way.eq_ignore_ascii_case("OUTGOING"));
    let mut found = locked(&project.pull_requests).clone();
    found.retain(|pull| {
        let branch = if outgoing { &pull.source_branch } else { &pull.target_branch };
        query.at.as_ref().is_none_or(|at| *at == format!("refs/heads/{branch}"))
            && query.state.as_deref().is_none_or(|state| matches!(state, "OPEN" | "ALL"))
    });
    found.reverse();
    let base = world.base_url(&headers);
    listing.answer(found, |pull| pull_json(&project, pull, &base))
}

pub(super) async fn one(
    State(world): Twin,
    headers: HeaderMap,
    Path((key, slug, number)): Path<(String, String, u64)>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&key, &slug))?;
    let pull = project.pull_request(number).ok_or_else(|| Problem::no_pull_request(number))?;
    Ok(Json(pull_json(&project, &pull, &world.base_url(&headers))).into_response())
}

#[derive(Deserialize)]
struct Ref {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPull {
    title: String,
    description: Option<String>,
    from_ref: Ref,
    to_ref: Ref,
    #[serde(default)]
    draft: bool,
}

/// Whoever reads a repository may propose a change to it.
fn proposer(world: &World, headers: &HeaderMap, path: (&str, &str)) -> Result<(Caller, Arc<Project>), Problem> {
    let caller = signed_in(world, headers, READ)?;
    let project = find(world, Some(&caller), path)?;
    let may = project.readable_by(Some(&caller.account)) && !project.archived;
    if may { Ok((caller, project)) } else { Err(Problem::not_permitted()) }
}

pub(super) async fn open(
    State(world): Twin,
    headers: HeaderMap,
    Path((key, slug)): Path<(String, String)>,
    body: Result<Json<NewPull>, JsonRejection>,
) -> Answer {
    let (caller, project) = proposer(&world, &headers, (&key, &slug))?;
    let Json(new) = body.map_err(|problem| Problem::invalid(problem.body_text()))?;
    let branch = |end: &Ref| end.id.trim_start_matches("refs/heads/").to_owned();
    let (source, target) = (branch(&new.from_ref), branch(&new.to_ref));
    if let Some(missing) = [&source, &target].into_iter().find(|name| project.bare.head(name).is_none()) {
        return Err(Problem::no_branch(missing));
    }
    if project.bare.ahead(&target, &source) == 0 {
        return Err(Problem::empty_pull_request(&source, &target));
    }
    let opened = project.open_pull_request((&source, &target), |number| PullRequest {
        number,
        title: new.title.clone(),
        description: new.description.clone().unwrap_or_default(),
        source_branch: source.clone(),
        target_branch: target.clone(),
        author: caller.account.username.clone(),
        draft: new.draft,
        version: 0,
    });
    let base = world.base_url(&headers);
    let opened = opened.map_err(|other| {
        let existing = project.pull_request(other).map(|pull| pull_json(&project, &pull, &base));
        Problem::duplicate(json!(existing))
    })?;
    Ok((StatusCode::CREATED, Json(pull_json(&project, &opened, &base))).into_response())
}

#[derive(Deserialize)]
pub(super) struct Change {
    version: u64,
    title: Option<String>,
    description: Option<String>,
}

/// A change names the version that it is of. What it leaves out of the description is gone.
pub(super) async fn change(
    State(world): Twin,
    headers: HeaderMap,
    Path((key, slug, number)): Path<(String, String, u64)>,
    body: Result<Json<Change>, JsonRejection>,
) -> Answer {
    let (caller, project) = proposer(&world, &headers, (&key, &slug))?;
    let Json(Change { version, title, description }) = body.map_err(|problem| Problem::invalid(problem.body_text()))?;
    let pull = project.pull_request(number).ok_or_else(|| Problem::no_pull_request(number))?;
    if pull.author != caller.account.username && !project.pushable_by(Some(&caller.account)) {
        return Err(Problem::not_permitted());
    }
    if pull.version != version {
        return Err(Problem::out_of_date());
    }
    let changed = project.change_pull_request(number, title, Some(description.unwrap_or_default()));
    let changed = changed.ok_or_else(|| Problem::no_pull_request(number))?;
    Ok(Json(pull_json(&project, &changed, &world.base_url(&headers))).into_response())
}

fn pull_json(project: &Project, pull: &PullRequest, base: &str) -> Value {
    let PullRequest { number, title, description, source_branch, target_branch, author, draft, version } = pull;
    let (key, slug) = key_and_slug(project);
    let side = |branch: &str| {
        json!({
            "id": format!("refs/heads/{branch}"), "displayId": branch, "type": "BRANCH",
            "latestCommit": project.bare.head(branch), "repository": repository_json(project, base),
        })
    };
    json!({
        "id": number, "version": version, "title": title, "description": description, "state": "OPEN", "open": true,
        "closed": false, "locked": false, "draft": draft, "createdDate": CREATED, "updatedDate": CREATED,
        "fromRef": side(source_branch), "toRef": side(target_branch),
        "author": {"user": {"name": author, "slug": author}, "role": "AUTHOR", "approved": false},
        "reviewers": [], "participants": [],
        "links": {"self": [{"href": format!("{base}/projects/{key}/repos/{slug}/pull-requests/{number}")}]},
    })
}
