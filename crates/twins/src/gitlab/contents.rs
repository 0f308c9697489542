//! What is in a repository, as <https://docs.gitlab.com/api/repositories/> and
//! <https://docs.gitlab.com/api/repository_files/> describe it.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Answer, PER_PAGE, Refusal, Twin, readable};
use crate::git::{Item, Object};
use crate::paging::Paging;

#[derive(Deserialize)]
pub(super) struct At {
    #[serde(rename = "ref")]
    revision: Option<String>,
    path: Option<String>,
}

pub(super) async fn tree(
    State(world): Twin,
    headers: HeaderMap,
    uri: Uri,
    Path(id): Path<String>,
    Query(at): Query<At>,
    Query(paging): Query<Paging>,
) -> Answer {
    let (_, project) = readable(&world, &headers, &id)?;
    let revision = at.revision.as_deref().unwrap_or(&project.default_branch);
    let Some(Object::Tree(items)) = project.bare.object_at(revision, at.path.as_deref().unwrap_or_default()) else {
        return Err(Refusal::not_found("404 Tree Not Found"));
    };
    let page = paging.cut(items, PER_PAGE);
    let items: Vec<_> = page.items.iter().map(item_json).collect();
    Ok((page.gitlab_headers(&world.base_url(&headers), &uri), Json(items)).into_response())
}

fn item_json(Item { name, path, mode, kind, id, .. }: &Item) -> Value {
    json!({"id": id, "name": name, "type": kind, "path": path, "mode": mode})
}

pub(super) async fn file(
    State(world): Twin,
    headers: HeaderMap,
    Path((id, path)): Path<(String, String)>,
    Query(at): Query<At>,
) -> Answer {
    let (_, project) = readable(&world, &headers, &id)?;
    let revision = at.revision.ok_or_else(|| Refusal::Error(StatusCode::BAD_REQUEST, "ref is missing".to_owned()))?;
    if project.bare.object_at(&revision, "").is_none() {
        return Err(Refusal::not_found("404 Commit Not Found"));
    }
    let Some(Object::Blob { id, content }) = project.bare.object_at(&revision, &path) else {
        return Err(Refusal::not_found("404 File Not Found"));
    };
    Ok(Json(json!({
        "file_name": path.rsplit('/').next(), "file_path": path, "size": content.len(), "encoding": "base64",
        "content": STANDARD.encode(&content), "ref": revision, "blob_id": id,
    }))
    .into_response())
}
