//! Pull requests.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, READ, Twin, WRITE, signed_in};
use super::problem::Problem;
use super::repositories::{Listing, find, place, repository_json};
use crate::paging::window;
use crate::world::{Project, PullRequest, locked};

const CREATED: &str = "2026-01-01T00:00:00Z";
const PER_PAGE: usize = 101;

#[derive(Deserialize)]
pub(super) struct Criteria {
    #[serde(rename = "searchCriteria.sourceRefName")]
    source: Option<String>,
    #[serde(rename = "searchCriteria.targetRefName")]
    target: Option<String>,
    #[serde(rename = "searchCriteria.status")]
    status: Option<String>,
}

pub(super) async fn list(
    State(world): Twin,
    headers: HeaderMap,
    Path(path): Path<(String, String, String)>,
    Query(criteria): Query<Criteria>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(READ))?;
    let project = find(&world, &caller, &path)?;
    let is = |wanted: &Option<String>, branch: &str| {
        wanted.as_ref().is_none_or(|wanted| *wanted == format!("refs/heads/{branch}"))
    };
    let mut found = locked(&project.pull_requests).clone();
    found.retain(|pull| {
        is(&criteria.source, &pull.source_branch)
            && is(&criteria.target, &pull.target_branch)
            && criteria.status.as_deref().is_none_or(|status| matches!(status, "active" | "all" | "notSet"))
    });
    found.reverse();
    let (items, _) = window(found, listing.skip.unwrap_or(0), listing.top.unwrap_or(PER_PAGE));
    let base = world.base_url(&headers);
    let value: Vec<_> = items.iter().map(|pull| pull_json(&project, pull, &base)).collect();
    Ok(Json(json!({"count": value.len(), "value": value})).into_response())
}

pub(super) async fn one(
    State(world): Twin,
    headers: HeaderMap,
    Path((organization, team, name, number)): Path<(String, String, String, u64)>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(READ))?;
    let project = find(&world, &caller, &(organization, team, name))?;
    let pull = project.pull_request(number).ok_or_else(Problem::no_pull_request)?;
    Ok(Json(pull_json(&project, &pull, &world.base_url(&headers))).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPull {
    source_ref_name: String,
    target_ref_name: String,
    title: String,
    description: Option<String>,
    is_draft: Option<bool>,
}

pub(super) async fn open(
    State(world): Twin,
    headers: HeaderMap,
    Path(path): Path<(String, String, String)>,
    body: Result<Json<NewPull>, JsonRejection>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(WRITE))?;
    let project = find(&world, &caller, &path)?;
    if !project.pushable_by(Some(&caller.account)) {
        return Err(Problem::needs("PullRequestContribute"));
    }
    let Json(new) = body.map_err(|problem| Problem::invalid(problem.body_text()))?;
    let source = new.source_ref_name.trim_start_matches("refs/heads/");
    let target = new.target_ref_name.trim_start_matches("refs/heads/");
    if project.bare.head(source).is_none() || project.bare.head(target).is_none() {
        return Err(Problem::no_branch());
    }
    let opened = project.open_pull_request((source, target), |number| PullRequest {
        number,
        title: new.title.clone(),
        description: new.description.clone().unwrap_or_default(),
        source_branch: source.to_owned(),
        target_branch: target.to_owned(),
        author: caller.account.username.clone(),
        draft: new.is_draft.unwrap_or(false),
        version: 0,
    });
    let opened = opened.map_err(|_| Problem::duplicate())?;
    Ok((StatusCode::CREATED, Json(pull_json(&project, &opened, &world.base_url(&headers)))).into_response())
}

#[derive(Deserialize)]
pub(super) struct Change {
    title: Option<String>,
    description: Option<String>,
}

pub(super) async fn change(
    State(world): Twin,
    headers: HeaderMap,
    Path((organization, team, name, number)): Path<(String, String, String, u64)>,
    body: Result<Json<Change>, JsonRejection>,
) -> Answer {
    let caller = signed_in(&world, &headers, Some(WRITE))?;
    let project = find(&world, &caller, &(organization, team, name))?;
    if !project.pushable_by(Some(&caller.account)) {
        return Err(Problem::needs("PullRequestContribute"));
    }
    let Json(Change { title, description }) = body.map_err(|problem| Problem::invalid(problem.body_text()))?;
    let changed = project.change_pull_request(number, title, description).ok_or_else(Problem::no_pull_request)?;
    Ok(Json(pull_json(&project, &changed, &world.base_url(&headers))).into_response())
}

/// There is no address for people in it: a client makes it from the repository's.
fn pull_json(project: &Project, pull: &PullRequest, base: &str) -> Value {
    let PullRequest { number, title, description, source_branch, target_branch, author, draft, .. } = pull;
    let (organization, team, _) = place(project);
    let repository = repository_json(project, base);
    let id = repository["id"].as_str().unwrap_or_default().to_owned();
    json!({
        "pullRequestId": number, "codeReviewId": number, "status": "active", "title": title,
        "description": description, "isDraft": draft, "creationDate": CREATED, "mergeStatus": "queued",
        "sourceRefName": format!("refs/heads/{source_branch}"), "targetRefName": format!("refs/heads/{target_branch}"),
        "createdBy": {"displayName": author, "uniqueName": author}, "repository": repository,
        "url": format!("{base}/{organization}/{team}/_apis/git/repositories/{id}/pullRequests/{number}"),
    })
}
