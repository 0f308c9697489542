//! What is in a repository, as <https://docs.github.com/rest/repos/contents> describes it.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, Problem, Twin, app_may_read, find};
use crate::git::{Item, Object};
use crate::world::{Project, World};

/// Of a folder with more entries the rest is left out without a word.
const MOST_ENTRIES: usize = 1000;
/// Of a larger file there is no content.
const LARGEST: usize = 1 << 20;

#[derive(Deserialize)]
pub(super) struct At {
    #[serde(rename = "ref")]
    revision: Option<String>,
}

pub(super) async fn root(
    State(world): Twin,
    headers: HeaderMap,
    Path(repository): Path<(String, String)>,
    Query(at): Query<At>,
) -> Answer {
    contents(&world, &headers, &repository, "", &at)
}

pub(super) async fn below(
    State(world): Twin,
    headers: HeaderMap,
    Path((owner, name, path)): Path<(String, String, String)>,
    Query(at): Query<At>,
) -> Answer {
    contents(&world, &headers, &(owner, name), path.trim_end_matches('/'), &at)
}

fn contents(world: &World, headers: &HeaderMap, repository: &(String, String), path: &str, at: &At) -> Answer {
    let (caller, project) = find(world, headers, repository)?;
    app_may_read(caller.as_ref(), &project, "contents")?;
    let revision = at.revision.as_deref().unwrap_or(&project.default_branch);
    if project.bare.object_at(revision, "").is_none() {
        let message = format!("No commit found for the ref {revision}");
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    }
    let base = world.base_url(headers);
    let body = match project.bare.object_at(revision, path).ok_or_else(Problem::not_found)? {
        Object::Tree(items) => items.iter().take(MOST_ENTRIES).map(|item| entry(&project, item, &base)).collect(),
        Object::Blob { id, content } => file(&project, path, &id, &content, &base),
    };
    Ok(Json(body).into_response())
}

fn entry(project: &Project, item: &Item, base: &str) -> Value {
    let kind = match (item.kind.as_str(), item.mode.as_str()) {
        ("tree", _) => "dir",
        ("commit", _) => "submodule",
        (_, "120000") => "symlink",
        _ => "file",
    };
    json!({
        "name": item.name, "path": item.path, "sha": item.id, "size": item.size, "type": kind,
        "url": format!("{base}/api/v3/repos/{}/contents/{}", project.path, item.path),
    })
}

fn file(project: &Project, path: &str, id: &str, content: &[u8], base: &str) -> Value {
    let shown = content.len() <= LARGEST;
    let encoded = if shown { wrapped(&STANDARD.encode(content)) } else { String::new() };
    json!({
        "name": path.rsplit('/').next(), "path": path, "sha": id, "size": content.len(), "type": "file",
        "content": encoded, "encoding": if shown { "base64" } else { "none" },
        "url": format!("{base}/api/v3/repos/{}/contents/{path}", project.path),
    })
}

/// In lines of 60 characters, as GitHub sends it.
fn wrapped(encoded: &str) -> String {
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / 60 + 1);
    for (place, letter) in encoded.chars().enumerate() {
        lines.push(letter);
        if place % 60 == 59 {
            lines.push('\n');
        }
    }
    lines + "\n"
}
