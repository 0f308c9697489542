//! Conditional requests: a weak tag of each answer's body, and 304 for whoever has it already.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// More than any list of a twin's.
const LIMIT: usize = 64 << 20;

/// A middleware for API routes.
pub(crate) async fn tag(request: Request, next: Next) -> Response {
    let conditions = (request.method() == Method::GET).then(|| request.headers().clone());
    let response = next.run(request).await;
    let Some(conditions) = conditions.filter(|_| response.status() == StatusCode::OK) else { return response };
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LIMIT).await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let tag = format!("W/\"{}\"", &URL_SAFE_NO_PAD.encode(digest(&SHA256, &body))[..32]);
    let known = has(&conditions, &tag);
    parts.headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    if known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

fn has(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|given| given.trim().trim_start_matches("W/") == &tag[2..])
}
