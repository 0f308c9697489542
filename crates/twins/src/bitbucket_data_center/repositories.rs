//! Repositories and their branches.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, Listing, READ, Twin, visitor};
use super::problem::Problem;
use crate::access::{AccessLevel, Visibility};
use crate::git::Branch;
use crate::world::{Caller, Project, World};

/// The key of the project that a repository is in, and its slug.
pub(super) fn key_and_slug(project: &Project) -> (&str, &str) {
    let (owner, slug) = project.owner_and_name();
    (owner.trim_start_matches("scm/"), slug)
}

fn sees(caller: Option<&Caller>, project: &Project) -> bool {
    let reached = caller.is_none_or(|caller| caller.reaches(&project.path));
    reached && project.visible_to(caller.map(|caller| &caller.account))
}

/// A repository that the caller may see.
pub(super) fn find(world: &World, caller: Option<&Caller>, (key, slug): (&str, &str)) -> Result<Arc<Project>, Problem> {
    let project = world.project(&format!("scm/{key}/{slug}")).ok_or_else(|| Problem::no_repository(key, slug))?;
    if sees(caller, &project) { Ok(project) } else { Err(Problem::not_permitted()) }
}

#[derive(Deserialize)]
pub(super) struct SearchQuery {
    name: Option<String>,
    projectname: Option<String>,
    permission: Option<String>,
}

/// Looks for a word in the names of repositories where the caller has at least the permission.
pub(super) async fn search(
    State(world): Twin,
    headers: HeaderMap,
    Query(query): Query<SearchQuery>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let account = caller.as_ref().map(|caller| &caller.account);
    let least = match query.permission.as_deref() {
        None | Some("REPO_READ") => None,
        Some("REPO_WRITE") => Some(AccessLevel::Developer),
        Some("REPO_ADMIN") => Some(AccessLevel::Owner),
        Some(other) => return Err(Problem::invalid(format!("{other} is no permission of a repository."))),
    };
    let begins = |text: &str, beginning: Option<&String>| {
        beginning.is_none_or(|beginning| text.to_lowercase().starts_with(&beginning.to_lowercase()))
    };
    let mut found = world.projects();
    found.retain(|project| {
        let (key, slug) = key_and_slug(project);
        sees(caller.as_ref(), project)
            && least.is_none_or(|least| project.level(account) >= Some(least))
            && begins(slug, query.name.as_ref())
            && begins(key, query.projectname.as_ref())
    });
    let base = world.base_url(&headers);
    listing.answer(found, |project| repository_json(project, &base))
}

pub(super) async fn of_project(
    State(world): Twin,
    headers: HeaderMap,
    Path(key): Path<String>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let mut found = world.projects();
    found.retain(|project| key_and_slug(project).0.eq_ignore_ascii_case(&key) && sees(caller.as_ref(), project));
    let base = world.base_url(&headers);
    listing.answer(found, |project| repository_json(project, &base))
}

pub(super) async fn one(State(world): Twin, headers: HeaderMap, Path((key, slug)): Path<(String, String)>) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&key, &slug))?;
    Ok(Json(repository_json(&project, &world.base_url(&headers))).into_response())
}

pub(super) fn repository_json(project: &Project, base: &str) -> Value {
    let (key, slug) = key_and_slug(project);
    let public = project.visibility == Visibility::Public;
    json!({
        "id": project.id, "slug": slug, "name": slug, "hierarchyId": format!("{:020x}", project.id), "scmId": "git",
        "state": "AVAILABLE", "statusMessage": "Available", "forkable": true, "public": public,
        "archived": project.archived,
        "project": {
            "key": key.to_uppercase(), "id": 1, "name": key, "public": false, "type": "NORMAL",
            "links": {"self": [{"href": format!("{base}/projects/{key}")}]},
        },
        "links": {
            "clone": [{"href": format!("{base}/{}.git", project.path), "name": "http"}],
            "self": [{"href": format!("{base}/projects/{key}/repos/{slug}/browse")}],
        },
    })
}

#[derive(Deserialize)]
pub(super) struct BranchesQuery {
    #[serde(rename = "filterText")]
    filter: Option<String>,
}

pub(super) async fn branches(
    State(world): Twin,
    headers: HeaderMap,
    Path((key, slug)): Path<(String, String)>,
    Query(query): Query<BranchesQuery>,
    Query(listing): Query<Listing>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&key, &slug))?;
    let wanted = query.filter.unwrap_or_default().to_lowercase();
    let mut all = project.bare.branches();
    all.retain(|branch| branch.name.to_lowercase().contains(&wanted));
    listing.answer(all, |branch| branch_json(&project, branch))
}

pub(super) async fn default_branch(
    State(world): Twin,
    headers: HeaderMap,
    Path((key, slug)): Path<(String, String)>,
) -> Answer {
    let caller = visitor(&world, &headers, READ)?;
    let project = find(&world, caller.as_ref(), (&key, &slug))?;
    let found = project.bare.branches().into_iter().find(|branch| branch.name == project.default_branch);
    let branch = found.ok_or_else(Problem::no_default_branch)?;
    Ok(Json(branch_json(&project, &branch)).into_response())
}

fn branch_json(project: &Project, Branch { name, commit }: &Branch) -> Value {
    json!({
        "id": format!("refs/heads/{name}"), "displayId": name, "type": "BRANCH", "latestCommit": commit.id,
        "latestChangeset": commit.id, "isDefault": *name == project.default_branch,
    })
}
