//! Installation tokens: narrowed when they are made, listed by what they reach, given back.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{delete, get};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::jwt;
use super::registry::{AppRecord, Installation, Permissions};
use crate::faults::Surface;
use crate::fixtures::{Account, Kind, Token, TokenState};
use crate::github::api::{Answer, PER_PAGE, Problem, Twin, repository_json, signed_in};
use crate::github::oauth::checked;
use crate::limits::in_seconds;
use crate::paging::Paging;
use crate::seed::Seed;
use crate::world::{Caller, Project, World, locked};

/// What suspended installations are told, by the API and by git.
pub(in crate::github) const SUSPENDED: &str = "This installation has been suspended";

const MOST_REPOSITORIES: usize = 500;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/api/v3/installation/repositories", get(repositories))
        .route("/api/v3/installation/token", delete(give_back))
}

/// What a token may be narrowed to.
#[derive(Default, Deserialize)]
pub(super) struct Narrowed {
    repositories: Option<Vec<String>>,
    repository_ids: Option<Vec<u64>>,
    permissions: Option<Permissions>,
}

pub(super) async fn create(
    State(world): Twin,
    headers: HeaderMap,
    Path(id): Path<u64>,
    body: Option<Json<Narrowed>>,
) -> Answer {
    let record = jwt::app(&world, &headers)?;
    let found = locked(&world.apps).installation(id).cloned();
    let installation = found.filter(|found| found.app == record.app.id).ok_or_else(Problem::not_found)?;
    if installation.suspended {
        return Err(suspended());
    }
    let Json(asked) = body.unwrap_or_default();
    let selected = asked.repositories.is_some() || asked.repository_ids.is_some();
    let reached = narrow_repositories(&world, &installation, &asked)?;
    let permissions = narrow_permissions(&installation, asked.permissions)?;
    let value = new_value(&record, &headers);
    remember(&world, &record, &installation, &value, &permissions, &reached);
    let mut body = json!({
        "token": value, "expires_at": in_seconds(3_600).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "permissions": permissions, "repository_selection": if selected { "selected" } else { installation.selection() },
    });
    if selected {
        let base = world.base_url(&headers);
        body["repositories"] = reached.iter().map(|project| repository_json(project, None, &base)).collect();
    }
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn narrow_repositories(world: &World, of: &Installation, asked: &Narrowed) -> Result<Vec<Arc<Project>>, Problem> {
    let mut all = world.projects();
    all.retain(|project| of.covers(&project.path));
    let count = asked.repositories.as_ref().map_or(0, Vec::len) + asked.repository_ids.as_ref().map_or(0, Vec::len);
    if count > MOST_REPOSITORIES {
        return Err(unprocessable("Too many repositories: at most 500 may be named."));
    }
    if asked.repositories.is_none() && asked.repository_ids.is_none() {
        return Ok(all);
    }
    let names = asked.repositories.iter().flatten();
    let named = names.map(|name| all.iter().find(|project| project.owner_and_name().1.eq_ignore_ascii_case(name)));
    let ids = asked.repository_ids.iter().flatten();
    let numbered = ids.map(|id| all.iter().find(|project| project.id == *id));
    let found: Option<Vec<_>> = named.chain(numbered).map(Option::<&Arc<Project>>::cloned).collect();
    found.ok_or_else(|| {
        unprocessable(
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    })
}

fn narrow_permissions(of: &Installation, asked: Option<Permissions>) -> Result<Permissions, Problem> {
    let Some(asked) = asked else { return Ok(of.permissions.clone()) };
    let rank = |level: &str| ["read", "write", "admin"].iter().position(|known| *known == level);
    let granted = |(name, level): (&String, &String)| {
        let has = of.permissions.get(name).and_then(|level| rank(level));
        rank(level).is_some_and(|wanted| has.is_some_and(|has| wanted <= has))
    };
    if asked.iter().all(granted) {
        Ok(asked)
    } else {
        Err(unprocessable("The permissions requested are not granted to this installation."))
    }
}

fn suspended() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, SUSPENDED)
}

/// Refuses an installation's token while the installation is suspended.
pub(in crate::github) fn wants_awake(world: &World, caller: &Caller) -> Result<(), Problem> {
    let Kind::App { installation: Some(id), .. } = caller.token.kind else { return Ok(()) };
    let asleep = locked(&world.apps).installation(id).is_some_and(|installation| installation.suspended);
    if asleep { Err(suspended()) } else { Ok(()) }
}

fn unprocessable(message: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}

/// The stateless format of 2026 unless the request opts out of it.
fn new_value(record: &AppRecord, headers: &HeaderMap) -> String {
    if headers.get("x-github-stateless-s2s-token").is_some_and(|value| value == "disabled") {
        return checked("ghs_", 30);
    }
    let mut seed = Seed::random();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    let payload = json!({"jti": seed.hex(32), "aud": "api", "filler": seed.alphanumeric(210)});
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let mut signature = [0; 64];
    seed.fill(&mut signature);
    format!("ghs_{}_{header}.{payload}.{}", record.app.id, URL_SAFE_NO_PAD.encode(signature))
}

fn remember(
    world: &World,
    record: &AppRecord,
    installation: &Installation,
    value: &str,
    permissions: &Permissions,
    reached: &[Arc<Project>],
) {
    let bot = Account {
        id: 100_000 + record.app.id,
        username: format!("{}[bot]", record.app.slug),
        name: record.name.clone(),
        email: None,
    };
    let token = Token {
        kind: Kind::App {
            permissions: permissions.clone().into_iter().collect(),
            repositories: reached.iter().map(|project| project.id).collect(),
            installation: Some(installation.id),
        },
        ..Token::generated()
    };
    world.add_token(value, &bot, token);
    locked(&world.apps).tokens.push((installation.id, value.to_owned()));
}

/// The caller by an installation token.
fn installed(world: &World, headers: &HeaderMap) -> Result<(Caller, Installation), Problem> {
    let caller = signed_in(world, headers)?;
    let Kind::App { installation, .. } = &caller.token.kind else { return Err(not_an_installation()) };
    let found = installation.and_then(|id| locked(&world.apps).installation(id).cloned());
    found.map(|found| (caller, found)).ok_or_else(not_an_installation)
}

fn not_an_installation() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "You must authenticate with an installation access token")
}

async fn repositories(State(world): Twin, headers: HeaderMap, uri: Uri, Query(paging): Query<Paging>) -> Answer {
    let (caller, installation) = installed(&world, &headers)?;
    let mut reached = world.projects();
    reached.retain(|project| caller.app_reaches(project.id));
    let base = world.base_url(&headers);
    let page = paging.cut(reached, PER_PAGE);
    let items: Vec<Value> = page.items.iter().map(|item| repository_json(item, Some(&caller), &base)).collect();
    let selection = installation.selection();
    let body = json!({"total_count": page.total, "repository_selection": selection, "repositories": items});
    Ok((page.github_headers(&base, &uri), Json(body)).into_response())
}

async fn give_back(State(world): Twin, headers: HeaderMap) -> Answer {
    installed(&world, &headers)?;
    let value = world.presented(Some(Surface::Api), &headers).unwrap_or_default();
    world.set_token_state(&value, TokenState::Revoked);
    Ok(StatusCode::NO_CONTENT.into_response())
}
