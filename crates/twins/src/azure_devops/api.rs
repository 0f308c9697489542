//! Azure DevOps's REST API: who asks, the connection, what may be done, and where a client finds what.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, options};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{pulls, repositories};
use crate::auth;
use crate::faults::Surface;
use crate::fixtures::Account;
use crate::seed::uuid;
use crate::world::{Caller, World};

/// A token for everything has the scope `app_token`; one of Entra's acts as its user.
pub(super) const READ: &[&str] =
    &["vso.code", "vso.code_write", "vso.code_manage", "vso.code_full", "app_token", "user_impersonation"];
pub(super) const WRITE: &[&str] =
    &["vso.code_write", "vso.code_manage", "vso.code_full", "app_token", "user_impersonation"];

/// The security namespace of Git repositories, and two of its permissions.
const GIT_SECURITY: &str = "2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87";
const GENERIC_READ: u32 = 2;
const GENERIC_CONTRIBUTE: u32 = 4;

pub(super) type Answer = Result<Response, Problem>;
pub(super) type Twin = State<Arc<World>>;

pub(super) fn routes(world: &Arc<World>) -> Router<Arc<World>> {
    let repository = "/{org}/{project}/_apis/git/repositories/{repository}";
    Router::new()
        .route("/{org}/_apis", options(locations))
        .route("/{org}/_apis/ResourceAreas", get(|| async { Json(json!({"count": 0, "value": []})) }))
        .route("/{org}/_apis/connectionData", get(connection))
        .route("/{org}/_apis/projects", get(repositories::projects))
        .route("/{org}/_apis/permissions/{namespace}/{bits}", get(permissions))
        .route("/{org}/_apis/git/repositories", get(repositories::of_organization))
        .route("/{org}/{project}/_apis/git/repositories", get(repositories::of_project))
        .route(repository, get(repositories::one))
        .route(&format!("{repository}/refs"), get(repositories::refs))
        .route(&format!("{repository}/pullrequests"), get(pulls::list).post(pulls::open))
        .route(&format!("{repository}/pullrequests/{{number}}"), get(pulls::one).patch(pulls::change))
        .route(&format!("{repository}/pullRequests"), get(pulls::list).post(pulls::open))
        .route(&format!("{repository}/pullRequests/{{number}}"), get(pulls::one).patch(pulls::change))
        .route_layer(middleware::from_fn_with_state(Arc::clone(world), demands))
}

/// What every call must bring along, and what every answer tells of the caller.
async fn demands(State(world): Twin, request: Request, next: Next) -> Response {
    let (method, headers) = (request.method().clone(), request.headers());
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let versioned = auth::query_value(request.uri(), "api-version").is_some() || accepted.contains("api-version=");
    let presented = world.identify(Some(Surface::Api), headers);
    if !versioned && ![Method::GET, Method::OPTIONS].contains(&method) {
        return Problem::no_version(method.as_str()).into_response();
    }
    let mut response = next.run(request).await;
    if let Some(caller) = presented.caller() {
        let email = caller.account.email.as_deref().unwrap_or(&caller.account.username);
        let value = HeaderValue::from_str(&format!("{}:{email}", uuid(1, caller.account.id))).ok();
        response.headers_mut().extend(value.map(|value| (HeaderName::from_static("x-vss-userdata"), value)));
    }
    response
}

/// Who asks: the door has turned everybody else away.
pub(super) fn signed_in(world: &World, headers: &HeaderMap, scopes: Option<&[&str]>) -> Result<Caller, Problem> {
    let presented = world.identify(Some(Surface::Api), headers);
    let caller = presented.caller().ok_or_else(|| Problem::unauthorized(""))?;
    match scopes {
        Some(scopes) if !caller.has_scope(scopes) => Err(Problem::unauthorized(&caller.account.name)),
        _ => Ok(caller.clone()),
    }
}

/// The resources of the API, as clients ask for them before anything else.
async fn locations() -> Json<Value> {
    let git = "{project}/_apis/{area}/{resource}/{repositoryId}";
    let table = [
        ("e81700f7-3be2-46de-8624-2eb35882fcaa", "Location", "ResourceAreas", "_apis/{resource}/{areaId}".to_owned()),
        ("00d9565f-ed9c-4a06-9a50-00e7896ccab4", "Location", "ConnectionData", "_apis/{resource}".to_owned()),
        ("603fe2ac-9723-48b9-88ad-09305aa6c6e1", "core", "projects", "_apis/{resource}/{*projectId}".to_owned()),
        ("225f7195-f9c7-4d14-ab28-a83f7ff77e1f", "git", "repositories", git.to_owned()),
        ("2d874a60-a811-4f62-9c9f-963a6ea0a55b", "git", "refs", refs_template("refs")),
        ("9946fd70-0d40-406e-b686-b4744cbbcc37", "git", "pullRequests", refs_template("pullRequests/{pullRequestId}")),
    ];
    let value: Vec<_> = table
        .into_iter()
        .map(|(id, area, resource, template)| {
            json!({
                "id": id, "area": area, "resourceName": resource, "routeTemplate": template, "resourceVersion": 1,
                "minVersion": "1.0", "maxVersion": "7.2", "releasedVersion": "7.1",
            })
        })
        .collect();
    Json(json!({"count": value.len(), "value": value}))
}

fn refs_template(resource: &str) -> String {
    format!("{{project}}/_apis/git/repositories/{{repositoryId}}/{resource}")
}

async fn connection(State(world): Twin, headers: HeaderMap) -> Answer {
    let account = signed_in(&world, &headers, None)?.account;
    let user = json!({
        "id": uuid(1, account.id), "descriptor": format!("Microsoft.IdentityModel.Claims.ClaimsIdentity;{}", account.id),
        "subjectDescriptor": format!("aad.{}", uuid(1, account.id)), "providerDisplayName": account.name,
        "isActive": true, "properties": {"Account": {
            "$type": "System.String", "$value": account.email.as_deref().unwrap_or(&account.username),
        }},
    });
    let body = json!({
        "authenticatedUser": user, "authorizedUser": user, "instanceId": uuid(5, 1), "deploymentType": "hosted",
        "locationServiceData": {"serviceOwner": uuid(5, 2), "defaultAccessMappingMoniker": "PublicAccessMapping"},
    });
    Ok(Json(body).into_response())
}

pub(super) fn identity_json(account: &Account) -> Value {
    json!({
        "id": uuid(1, account.id), "displayName": account.name,
        "uniqueName": account.email.as_deref().unwrap_or(&account.username),
    })
}

#[derive(Deserialize)]
struct PermissionsQuery {
    tokens: Option<String>,
}

/// Whether the caller has all the permissions of a number's bits on `repoV2/{project}/{repository}`.
async fn permissions(
    State(world): Twin,
    headers: HeaderMap,
    Path((_, namespace, bits)): Path<(String, String, u32)>,
    Query(query): Query<PermissionsQuery>,
) -> Answer {
    let caller = signed_in(&world, &headers, None)?;
    if namespace != GIT_SECURITY {
        return Err(Problem::invalid(format!("The security namespace {namespace} does not exist.")));
    }
    let tokens = query.tokens.unwrap_or_default();
    let account = Some(&caller.account);
    let has = |token: &str| {
        let id = token.rsplit('/').next().unwrap_or_default();
        let project = world.projects().into_iter().find(|project| uuid(3, project.id) == id);
        project.is_some_and(|project| {
            (bits & GENERIC_READ == 0 || project.readable_by(account))
                && (bits & GENERIC_CONTRIBUTE == 0 || project.pushable_by(account))
        })
    };
    let value: Vec<_> = tokens.split(',').map(has).collect();
    Ok(Json(json!({"count": value.len(), "value": value})).into_response())
}
