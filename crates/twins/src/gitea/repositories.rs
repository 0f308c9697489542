//! Repositories and their branches.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, CREATED, Listing, Twin, account_json, signed_in, visitor};
use super::problem::Problem;
use crate::access::{AccessLevel, Visibility};
use crate::git::Branch;
use crate::world::{Caller, Project, World};

const READ: &str = "read:repository";

fn sees(caller: Option<&Caller>, project: &Project) -> bool {
    let reached = caller.is_none_or(|caller| caller.reaches(&project.path));
    reached && project.visible_to(caller.map(|caller| &caller.account))
}

/// A repository that the caller may see. What one may not see does not exist.
pub(super) fn find(
    world: &World,
    caller: Option<&Caller>,
    (owner, name): (&str, &str),
) -> Result<Arc<Project>, Problem> {
    let found = world.project(&format!("{owner}/{name}")).filter(|project| sees(caller, project));
    found.ok_or_else(Problem::not_found)
}

pub(super) async fn own(State(world): Twin, headers: HeaderMap, uri: Uri, Query(listing): Query<Listing>) -> Answer {
    signed_in(&world, &headers, "read:user")?;
    let caller = signed_in(&world, &headers, READ)?;
    let mut found = world.projects();
    found.retain(|project| sees(Some(&caller), project) && project.level(Some(&caller.account)).is_some());
    let base = world.base_url(&headers);
    let page = listing.cut(found);
    let items: Vec<_> = page.items.iter().map(|project| repository_json(project, Some(&caller), &base)).collect();
    Ok((page.gitea_headers(&base, &uri), Json(items)).into_response())
}

#[derive(Deserialize)]
pub(super) struct SearchQuery {
    q: Option<String>,
}

/// Looks for a word in the names of repositories.
pub(super) async fn search(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Query(query): Query<SearchQuery>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let word = query.q.unwrap_or_default().to_lowercase();
    let mut found = world.projects();
    found.retain(|project| {
        let (_, name) = project.owner_and_name();
        sees(caller.as_ref(), project) && name.to_lowercase().contains(&word)
    });
    let base = world.base_url(&headers);
    let page = listing.cut(found);
    let items: Vec<_> = page.items.iter().map(|project| repository_json(project, caller.as_ref(), &base)).collect();
    Ok((page.gitea_headers(&base, &uri), Json(json!({"ok": true, "data": items}))).into_response())
}

pub(super) async fn one(State(world): Twin, headers: HeaderMap, Path((owner, name)): Path<(String, String)>) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&owner, &name))?;
    Ok(Json(repository_json(&project, caller.as_ref(), &world.base_url(&headers))).into_response())
}

fn repository_json(project: &Project, caller: Option<&Caller>, base: &str) -> Value {
    let (owner, name) = project.owner_and_name();
    let path = &project.path;
    let account = caller.map(|caller| &caller.account);
    let level = project.level(account);
    let mut body = json!({
        "id": project.id, "owner": account_json(owner, 9_000, base), "name": name, "full_name": path,
        "description": "", "empty": project.bare.head(&project.default_branch).is_none(), "fork": false,
        "private": project.visibility != Visibility::Public, "internal": project.visibility == Visibility::Internal,
        "archived": project.archived, "mirror": false, "default_branch": project.default_branch,
        "has_pull_requests": true, "url": format!("{base}/api/v1/repos/{path}"), "created_at": CREATED,
        "html_url": format!("{base}/{path}"), "clone_url": format!("{base}/{path}.git"), "updated_at": CREATED,
    });
    if caller.is_some() {
        body["permissions"] = json!({
            "admin": level >= Some(AccessLevel::Owner), "push": project.pushable_by(account),
            "pull": project.readable_by(account),
        });
    }
    body
}

pub(super) async fn permission(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name, user)): Path<(String, String, String)>,
) -> Answer {
    let caller = signed_in(&world, &headers, READ)?;
    let project = find(&world, Some(&caller), (&owner, &name))?;
    if user != caller.account.username && project.level(Some(&caller.account)) < Some(AccessLevel::Owner) {
        let message = "Only admins can query all permissions, repo admins can query all repo permissions, \
            collaborators can query only their own";
        return Err(Problem::new(axum::http::StatusCode::FORBIDDEN, message));
    }
    let account = world.account_named(&user).ok_or_else(Problem::not_found)?;
    let permission = match project.level(Some(&account)) {
        Some(AccessLevel::Owner) => "admin",
        Some(AccessLevel::Developer | AccessLevel::Maintainer) => "write",
        Some(AccessLevel::Reporter | AccessLevel::Guest) => "read",
        None => "none",
    };
    let user = account_json(&account.username, account.id, &world.base_url(&headers));
    Ok(Json(json!({"permission": permission, "role_name": permission, "user": user})).into_response())
}

pub(super) async fn branches(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path((owner, name)): Path<(String, String)>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&owner, &name))?;
    let page = listing.cut(project.bare.branches());
    let items: Vec<_> = page.items.iter().map(|branch| branch_json(&project, branch, caller.as_ref())).collect();
    Ok((page.gitea_headers(&world.base_url(&headers), &uri), Json(items)).into_response())
}

pub(super) async fn branch(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&owner, &name))?;
    let found = project.bare.branches().into_iter().find(|other| other.name == branch);
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(Json(branch_json(&project, &found, caller.as_ref())).into_response())
}

fn branch_json(project: &Project, Branch { name, commit }: &Branch, caller: Option<&Caller>) -> Value {
    let protected = project.protected.contains(name);
    let account = caller.map(|caller| &caller.account);
    let maintains = project.level(account) >= Some(AccessLevel::Maintainer);
    json!({
        "name": name, "protected": protected,
        "user_can_push": project.pushable_by(account) && (maintains || !protected),
        "commit": {
            "id": commit.id, "message": commit.message, "timestamp": CREATED,
            "author": {"name": commit.author_name, "email": commit.author_email, "username": ""},
        },
    })
}
