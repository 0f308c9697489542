//! What GitLab's tokens tell of themselves, and how they end.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::api::{Answer, CREATED, Refusal, Twin, signed_in};
use super::oauth::CREATED_AT;
use crate::faults::Surface;
use crate::fixtures::TokenState;
use crate::limits::in_seconds;
use crate::seed::Seed;
use crate::world::{Caller, World};

/// A rotated token lives this long unless the request says otherwise.
const WEEK: u64 = 7 * 24 * 3_600;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/api/v4/personal_access_tokens/self", get(describe).delete(revoke))
        .route("/api/v4/personal_access_tokens/self/rotate", post(rotate))
        .route("/oauth/token/info", get(info))
}

/// The caller by a personal access token; OAuth tokens are none.
fn personal(world: &World, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let caller = signed_in(world, headers, None)?;
    if caller.is_from_oauth() { Err(Refusal::Unauthorized) } else { Ok(caller) }
}

async fn describe(State(world): Twin, headers: HeaderMap) -> Answer {
    let caller = personal(&world, &headers)?;
    Ok(Json(token_json(&caller)).into_response())
}

fn token_json(caller: &Caller) -> Value {
    json!({
        "id": caller.id, "name": "valetkey", "revoked": false, "created_at": CREATED, "description": null,
        "scopes": caller.scopes(), "user_id": caller.account.id, "last_used_at": CREATED, "active": true,
        "expires_at": caller.token.expires,
    })
}

async fn revoke(State(world): Twin, headers: HeaderMap) -> Answer {
    personal(&world, &headers)?;
    let value = world.presented(Some(Surface::Api), &headers).unwrap_or_default();
    world.set_token_state(&value, TokenState::Revoked);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A token that was rotated away and comes again ends every token that came of it.
async fn rotate(State(world): Twin, headers: HeaderMap, body: Option<Json<Value>>) -> Answer {
    let value = world.presented(Some(Surface::Api), &headers).unwrap_or_default();
    if let Some(revoked) = world.caller(&value).filter(|caller| caller.token.state == TokenState::Revoked) {
        world.revoke_tokens_of_family(revoked.family);
    }
    let caller = signed_in(&world, &headers, None)?;
    if caller.is_from_oauth() {
        return Err(Refusal::Error(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed".to_owned()));
    }
    if !caller.has_scope(&["api", "self_rotate"]) {
        return Err(Refusal::InsufficientScope(&["api", "self_rotate"]));
    }
    let asked = body.as_ref().and_then(|Json(body)| body["expires_at"].as_str());
    let in_a_week = || in_seconds(WEEK).to_zoned(TimeZone::UTC).date().to_string();
    let expires = asked.map_or_else(in_a_week, str::to_owned);
    let fresh = format!("glpat-{}", Seed::random().alphanumeric(20));
    let rotated = world.rotate_token(&value, &fresh, &expires).ok_or(Refusal::Unauthorized)?;
    let mut body = token_json(&rotated);
    body["token"] = json!(fresh);
    Ok(Json(body).into_response())
}

async fn info(State(world): Twin, headers: HeaderMap) -> Answer {
    let caller = signed_in(&world, &headers, None)?;
    let value = world.presented(Some(Surface::Api), &headers).unwrap_or_default();
    let granted = world.oauth.as_ref().and_then(|oauth| oauth.lookup(&value)).ok_or(Refusal::Unauthorized)?.0;
    Ok(Json(json!({
        "resource_owner_id": caller.account.id, "scope": granted.scopes, "expires_in": 7_200,
        "application": {"uid": granted.client_id}, "created_at": CREATED_AT,
    }))
    .into_response())
}
