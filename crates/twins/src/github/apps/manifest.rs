//! Registering an app from a manifest: the form, the code, the conversion.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::key;
use super::registry::{AppRecord, GitHubApp, Permissions};
use crate::github::api::{Answer, CREATED, Problem, Twin, account_json};
use crate::github::oauth::GITHUB_APP;
use crate::oauth::{OAuthApp, redirect};
use crate::seed::Seed;
use crate::world::{World, locked};

pub(super) fn page_routes() -> Router<Arc<World>> {
    Router::new()
        .route("/settings/apps/new", post(submit_for_user))
        .route("/organizations/{org}/settings/apps/new", post(submit_for_organization))
}

pub(super) fn api_routes() -> Router<Arc<World>> {
    Router::new().route("/api/v3/app-manifests/{code}/conversions", post(convert))
}

#[derive(Deserialize)]
struct Submitted {
    manifest: String,
}

type Asked = Query<BTreeMap<String, String>>;

/// The twin's first user is signed in.
async fn submit_for_user(State(world): Twin, Query(asked): Asked, Form(form): Form<Submitted>) -> Response {
    let owner = world.account(1).map_or_else(|| "octocat".to_owned(), |account| account.username);
    submit(&world, &asked, &form, &owner)
}

async fn submit_for_organization(
    State(world): Twin,
    Path(org): Path<String>,
    Query(asked): Asked,
    Form(form): Form<Submitted>,
) -> Response {
    submit(&world, &asked, &form, &org)
}

fn submit(world: &World, asked: &BTreeMap<String, String>, form: &Submitted, owner: &str) -> Response {
    let made = serde_json::from_str(&form.manifest).map_err(|_| "The manifest is no JSON.".to_owned());
    let made = made.and_then(|manifest: Value| {
        let back = manifest["redirect_url"].as_str().ok_or("redirect_url is missing")?.to_owned();
        Ok((create(world, &manifest, owner)?, back))
    });
    let (record, back) = match made {
        Ok(made) => made,
        Err(problem) => return (StatusCode::UNPROCESSABLE_ENTITY, Html(format!("<p>{problem}</p>"))).into_response(),
    };
    let code = Seed::random().hex(40);
    locked(&world.apps).codes.insert(code.clone(), record.app.id);
    let mut parameters = vec![("code", code)];
    parameters.extend(asked.get("state").map(|state| ("state", state.clone())));
    redirect(&back, &parameters)
}

/// Makes an app of a manifest, and the OAuth client that goes with it.
pub(super) fn create(world: &World, manifest: &Value, owner: &str) -> Result<AppRecord, String> {
    let text = |name: &str| manifest[name].as_str().map(str::to_owned);
    let url = text("url").ok_or("url is missing")?;
    let callbacks: Vec<_> =
        manifest["callback_urls"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if callbacks.len() > 10 {
        return Err("callback_urls has more than 10 entries".to_owned());
    }
    let permissions: Permissions = serde_json::from_value(manifest["default_permissions"].clone()).unwrap_or_default();
    let mut apps = locked(&world.apps);
    let id = apps.next_id();
    let (key, pem) = key::of_app(id).map_err(|_| "no key could be made".to_owned())?;
    let name = text("name").unwrap_or_else(|| format!("App {id}"));
    let slug = name.to_lowercase().split(|letter: char| !letter.is_ascii_alphanumeric()).collect::<Vec<_>>().join("-");
    if apps.app_by_slug(&slug).is_some() {
        return Err("Name has already been taken".to_owned());
    }
    let mut client = OAuthApp::confidential(callbacks.first().copied().unwrap_or(&url)).fixed([]);
    client = callbacks.iter().skip(1).fold(client, |client, callback| client.redirect(callback));
    client.flavour = GITHUB_APP;
    let oauth = world.oauth.as_ref().ok_or("the twin has no authorization server")?;
    let client = oauth.register(client);
    let app = GitHubApp {
        id,
        slug,
        client_id: client.client_id().to_owned(),
        client_secret: client.client_secret().to_owned(),
        webhook_secret: Seed::random().hex(40),
        pem,
    };
    let events = manifest["default_events"].as_array().into_iter().flatten();
    let record = AppRecord {
        app,
        key,
        owner: owner.to_owned(),
        name,
        url,
        setup_url: text("setup_url"),
        permissions,
        events: events.filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    apps.apps.push(record.clone());
    Ok(record)
}

/// A code is converted once.
async fn convert(State(world): Twin, Path(code): Path<String>) -> Answer {
    let mut apps = locked(&world.apps);
    let id = apps.codes.remove(&code);
    let record = id.and_then(|id| apps.app(id)).ok_or_else(Problem::not_found)?;
    let GitHubApp { client_id, client_secret, webhook_secret, pem, .. } = &record.app;
    let mut body = app_json(record, &world.url);
    body["client_id"] = json!(client_id);
    body["client_secret"] = json!(client_secret);
    body["webhook_secret"] = json!(webhook_secret);
    body["pem"] = json!(pem);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

pub(super) fn app_json(record: &AppRecord, base: &str) -> Value {
    let GitHubApp { id, slug, client_id, .. } = &record.app;
    json!({
        "id": id, "slug": slug, "node_id": format!("A_{id}"), "client_id": client_id, "name": record.name,
        "description": "", "owner": account_json(&record.owner, 9_000, base), "external_url": record.url,
        "html_url": format!("{base}/github-apps/{slug}"), "created_at": CREATED, "updated_at": CREATED,
        "permissions": record.permissions, "events": record.events,
    })
}
