//! Repositories and their branches.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::api::{Answer, CREATED, Listing, READ_REPOSITORY, Twin, account_json, signed_in, visitor, workspace_json};
use super::problem::Problem;
use super::query::Filter;
use crate::access::{AccessLevel, Visibility};
use crate::git::Branch;
use crate::seed::uuid;
use crate::world::{Caller, Project, World};

fn sees(caller: Option<&Caller>, project: &Project) -> bool {
    let reached = caller.is_none_or(|caller| caller.reaches(&project.path));
    let open = project.visibility == Visibility::Public;
    open || (reached && project.visible_to(caller.map(|caller| &caller.account)))
}

/// A repository that the caller may see.
pub(super) fn find(
    world: &World,
    caller: Option<&Caller>,
    (workspace, slug): (&str, &str),
) -> Result<Arc<Project>, Problem> {
    let path = format!("{workspace}/{slug}");
    let found = world.project(&path).filter(|project| sees(caller, project));
    found.ok_or_else(|| {
        Problem::not_found(format!(
            "You may not have access to this repository or it no longer exists in this workspace. If you think \
             {path} exists and you have access, make sure you are authenticated."
        ))
    })
}

fn parse(filter: Option<&str>) -> Result<Option<Filter>, Problem> {
    let parse = |text| Filter::parse(text).ok_or_else(|| Problem::bad_request(format!("Invalid query: {text}")));
    filter.map(parse).transpose()
}

fn holds(filter: Option<&Filter>, project: &Project) -> bool {
    let (_, slug) = project.owner_and_name();
    let field = |name: &str| match name.strip_prefix("repository.").unwrap_or(name) {
        "name" | "slug" => Some(slug.to_owned()),
        "full_name" => Some(project.path.clone()),
        "uuid" => Some(format!("{{{}}}", uuid(3, project.id))),
        _ => None,
    };
    filter.is_none_or(|filter| filter.holds(field))
}

/// The repositories of one workspace. A role narrows them to those where the caller has it or a higher one.
pub(super) async fn list(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(workspace): Path<String>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ_REPOSITORY)?;
    let least = match listing.role.as_deref() {
        None => None,
        Some("member") => Some(AccessLevel::Guest),
        Some("contributor") => Some(AccessLevel::Developer),
        Some("admin" | "owner") => Some(AccessLevel::Owner),
        Some(other) => return Err(Problem::bad_request(format!("Invalid role: {other}"))),
    };
    let filter = parse(listing.q.as_deref())?;
    let level = |project: &Project| project.level(caller.as_ref().map(|caller| &caller.account));
    let mut found = world.projects();
    found.retain(|project| {
        project.owner_and_name().0 == workspace
            && sees(caller.as_ref(), project)
            && least.is_none_or(|least| level(project) >= Some(least))
            && holds(filter.as_ref(), project)
    });
    let base = world.base_url(&headers);
    listing.answer(found, (100, &base, &uri), |project| repository_json(project, &base))
}

pub(super) async fn permissions(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(workspace): Path<String>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = signed_in(&world, &headers, READ_REPOSITORY)?;
    let filter = parse(listing.q.as_deref())?;
    let mut found = world.projects();
    found.retain(|project| {
        let member = project.level(Some(&caller.account)).is_some();
        member && project.owner_and_name().0 == workspace && holds(filter.as_ref(), project)
    });
    let base = world.base_url(&headers);
    listing.answer(found, (100, &base, &uri), |project| {
        let permission = match project.level(Some(&caller.account)) {
            Some(AccessLevel::Owner) => "admin",
            Some(AccessLevel::Developer | AccessLevel::Maintainer) => "write",
            _ => "read",
        };
        let repository = repository_json(project, &base);
        let user = account_json(&caller.account, &base);
        json!({"type": "repository_permission", "permission": permission, "user": user, "repository": repository})
    })
}

pub(super) async fn one(State(world): Twin, headers: HeaderMap, Path((owner, slug)): Path<(String, String)>) -> Answer {
    let caller = visitor(&world, &headers, READ_REPOSITORY)?;
    let project = find(&world, caller.as_ref(), (&owner, &slug))?;
    Ok(Json(repository_json(&project, &world.base_url(&headers))).into_response())
}

pub(super) fn repository_json(project: &Project, base: &str) -> Value {
    let (workspace, slug) = project.owner_and_name();
    let path = &project.path;
    let api = format!("{base}/2.0/repositories/{path}");
    let main = project.bare.head(&project.default_branch);
    json!({
        "type": "repository", "uuid": format!("{{{}}}", uuid(3, project.id)), "full_name": path, "name": slug,
        "slug": slug, "is_private": project.visibility != Visibility::Public, "scm": "git", "description": "",
        "workspace": workspace_json(workspace, base), "created_on": CREATED, "updated_on": CREATED,
        "mainbranch": main.map(|_| json!({"type": "branch", "name": project.default_branch})),
        "links": {
            "self": {"href": api}, "html": {"href": format!("{base}/{path}")},
            "branches": {"href": format!("{api}/refs/branches")},
            "pullrequests": {"href": format!("{api}/pullrequests")},
            "clone": [{"name": "https", "href": format!("{base}/{path}.git")}],
        },
    })
}

pub(super) async fn branches(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path((owner, slug)): Path<(String, String)>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ_REPOSITORY)?;
    let project = find(&world, caller.as_ref(), (&owner, &slug))?;
    let filter = parse(listing.q.as_deref())?;
    let mut all = project.bare.branches();
    all.retain(|branch| {
        let field = |name: &str| (name == "name").then(|| branch.name.clone());
        filter.as_ref().is_none_or(|filter| filter.holds(field))
    });
    let base = world.base_url(&headers);
    listing.answer(all, (100, &base, &uri), |branch| branch_json(&project, branch, &base))
}

pub(super) async fn branch(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, slug, name)): Path<(String, String, String)>,
) -> Answer {
    let caller = visitor(&world, &headers, READ_REPOSITORY)?;
    let project = find(&world, caller.as_ref(), (&owner, &slug))?;
    let found = project.bare.branches().into_iter().find(|branch| branch.name == name);
    let found = found.ok_or_else(|| Problem::not_found(format!("No branch found with the name {name}.")))?;
    Ok(Json(branch_json(&project, &found, &world.base_url(&headers))).into_response())
}

fn branch_json(project: &Project, Branch { name, commit }: &Branch, base: &str) -> Value {
    let path = &project.path;
    json!({
        "type": "branch", "name": name,
        "target": {
            "type": "commit", "hash": commit.id, "message": commit.message, "date": CREATED,
            "author": {"type": "author", "raw": format!("{} <{}>", commit.author_name, commit.author_email)},
        },
        "links": {
            "self": {"href": format!("{base}/2.0/repositories/{path}/refs/branches/{name}")},
            "html": {"href": format!("{base}/{path}/branch/{name}")},
        },
    })
}
