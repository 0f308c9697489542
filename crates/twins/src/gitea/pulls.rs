//! Pull requests.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, CREATED, Listing, Twin, account_json, signed_in, visitor};
use super::problem::Problem;
use super::repositories::find;
use crate::world::{Caller, Project, PullRequest, World, locked};

const READ: &str = "read:repository";

#[derive(Deserialize)]
pub(super) struct PullsQuery {
    state: Option<String>,
}

pub(super) async fn list(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path((owner, name)): Path<(String, String)>,
    Query(query): Query<PullsQuery>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&owner, &name))?;
    let mut found = locked(&project.pull_requests).clone();
    found.retain(|_| query.state.as_deref().is_none_or(|state| matches!(state, "open" | "all")));
    found.reverse();
    let base = world.base_url(&headers);
    let page = listing.cut(found);
    let items: Vec<_> = page.items.iter().map(|pull| pull_json(&project, pull, &base)).collect();
    Ok((page.gitea_headers(&base, &uri), Json(items)).into_response())
}

pub(super) async fn one(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name, number)): Path<(String, String, u64)>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&owner, &name))?;
    let pull = project.pull_request(number).ok_or_else(Problem::not_found)?;
    Ok(Json(pull_json(&project, &pull, &world.base_url(&headers))).into_response())
}

/// The pull request that is open for two branches.
pub(super) async fn between(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name, target, source)): Path<(String, String, String, String)>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&owner, &name))?;
    let all = locked(&project.pull_requests).clone();
    let found = all.into_iter().find(|pull| pull.target_branch == target && pull.source_branch == source);
    let pull = found.ok_or_else(Problem::not_found)?;
    Ok(Json(pull_json(&project, &pull, &world.base_url(&headers))).into_response())
}

#[derive(Deserialize)]
pub(super) struct NewPull {
    head: Option<String>,
    base: Option<String>,
    title: Option<String>,
    body: Option<String>,
}

fn writer(world: &World, headers: &HeaderMap, path: (&str, &str)) -> Result<(Caller, Arc<Project>), Problem> {
    let caller = signed_in(world, headers, "write:repository")?;
    let project = find(world, Some(&caller), path)?;
    if project.archived {
        let message = format!("{} is archived", project.path);
        return Err(Problem::new(StatusCode::LOCKED, message));
    }
    Ok((caller, project))
}

pub(super) async fn open(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name)): Path<(String, String)>,
    body: Result<Json<NewPull>, JsonRejection>,
) -> Answer {
    let (caller, project) = writer(&world, &headers, (&owner, &name))?;
    let invalid = |text: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text);
    let Json(new) = body.map_err(|problem| invalid(problem.body_text()))?;
    let (Some(head), Some(target), Some(title)) = (&new.head, &new.base, &new.title) else {
        return Err(invalid("[Head]: Required; [Base]: Required; [Title]: Required".to_owned()));
    };
    let source = head.strip_prefix(&format!("{owner}:")).unwrap_or(head);
    if project.bare.head(source).is_none() || project.bare.head(target).is_none() {
        return Err(Problem::not_found());
    }
    if source == target {
        return Err(invalid("there are no changes between the head and the base".to_owned()));
    }
    let opened = project.open_pull_request((source, target), |number| PullRequest {
        number,
        draft: title.starts_with("WIP:"),
        title: title.clone(),
        description: new.body.clone().unwrap_or_default(),
        source_branch: source.to_owned(),
        target_branch: target.clone(),
        author: caller.account.username.clone(),
        version: 0,
    });
    let opened = opened.map_err(|other| {
        let id = project.id;
        let message = format!(
            "pull request already exists for these targets [id: {other}, issue_id: {other}, head_repo_id: {id}, \
             base_repo_id: {id}, head_branch: {source}, base_branch: {target}]"
        );
        Problem::new(StatusCode::CONFLICT, message)
    })?;
    Ok((StatusCode::CREATED, Json(pull_json(&project, &opened, &world.base_url(&headers)))).into_response())
}

#[derive(Deserialize)]
pub(super) struct Change {
    title: Option<String>,
    body: Option<String>,
}

/// Answers 201, as Gitea does.
pub(super) async fn change(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name, number)): Path<(String, String, u64)>,
    body: Result<Json<Change>, JsonRejection>,
) -> Answer {
    let (caller, project) = writer(&world, &headers, (&owner, &name))?;
    let Json(change) = body.map_err(|problem| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problem.body_text()))?;
    let pull = project.pull_request(number).ok_or_else(Problem::not_found)?;
    if pull.author != caller.account.username && !project.pushable_by(Some(&caller.account)) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "user should be the poster or have write access"));
    }
    let title = change.title.filter(|title| !title.is_empty());
    let changed = project.change_pull_request(number, title, change.body).ok_or_else(Problem::not_found)?;
    Ok((StatusCode::CREATED, Json(pull_json(&project, &changed, &world.base_url(&headers)))).into_response())
}

fn pull_json(project: &Project, pull: &PullRequest, base: &str) -> Value {
    let PullRequest { number, title, description, source_branch, target_branch, author, draft, .. } = pull;
    let side =
        |branch: &str| json!({"label": branch, "ref": branch, "sha": project.bare.head(branch), "repo_id": project.id});
    json!({
        "id": project.id * 1_000 + number, "number": number, "state": "open", "title": title, "body": description,
        "draft": draft, "is_locked": false, "merged": false, "mergeable": true, "created_at": CREATED,
        "updated_at": CREATED, "user": account_json(author, 0, base), "head": side(source_branch),
        "base": side(target_branch), "url": format!("{base}/api/v1/repos/{}/pulls/{number}", project.path),
        "html_url": format!("{base}/{}/pulls/{number}", project.path),
    })
}
