//! Secrets: what sessions are given by name. Names and times come out; values only go in.

use axum::{Json, extract::State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_integrations::NewSecret;
use valetkey_model::{ProblemCode, ProjectName, ProviderKind, Role, SecretId, SecretName, SecretOwner, UserId};
use valetkey_seal::Secret;
use valetkey_store::SecretRecord;

use crate::{
    App,
    api::{
        paging::{Page, Paging},
        token_schema,
    },
    auth::Caller,
    extract::{Body, Id, Ids, Params},
    problem::Answer,
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Secrets";
    const SET: [ProblemCode; 3] = [ProblemCode::Forbidden, ProblemCode::Conflict, ProblemCode::SealBroken];
    vec![
        Row::get("/api/v1/secrets", list)
            .operation(TAG, "listSecrets", "The caller's own secrets by name, without their values")
            .parameters::<Paging>()
            .answers::<Page<SecretView>>(),
        Row::post("/api/v1/secrets", set)
            .operation(TAG, "setSecret", "Keeps a secret of the caller's own, in place of the one of the same name")
            .body::<SecretToSet>()
            .answers::<SavedView>()
            .fails(&SET),
        Row::delete("/api/v1/secrets/{name}", delete)
            .owner()
            .operation(TAG, "deleteSecret", "Erases a secret of the caller's own")
            .success(StatusCode::NO_CONTENT)
            .fails(&[ProblemCode::Forbidden, ProblemCode::NotFound]),
        Row::get("/api/v1/projects/{project}/secrets", list_of_project)
            .project(Role::Member)
            .operation(TAG, "listProjectSecrets", "A project's secrets by name, without their values")
            .parameters::<Paging>()
            .answers::<Page<SecretView>>(),
        Row::post("/api/v1/projects/{project}/secrets", set_of_project)
            .project(Role::Admin)
            .operation(TAG, "setProjectSecret", "Keeps a secret of a project, in place of the one of the same name")
            .body::<SecretToSet>()
            .answers::<SavedView>()
            .fails(&SET),
        Row::delete("/api/v1/projects/{project}/secrets/{name}", delete_of_project)
            .project(Role::Admin)
            .operation(TAG, "deleteProjectSecret", "Erases a secret of a project")
            .success(StatusCode::NO_CONTENT)
            .fails(&[ProblemCode::NotFound]),
    ]
}

/// What to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretToSet {
    /// The environment variable in which agents find it. Names that decide how a session runs are refused.
    name: SecretName,
    /// Its value: 1 byte to 64 KiB of text, of several lines too, without NUL.
    #[schemars(schema_with = "token_schema")]
    value: Secret<String>,
    /// What it is for, in at most 200 visible characters; as before if not given.
    description: Option<String>,
}

/// A secret, without its value.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Secret")]
struct SecretView {
    /// Its id.
    id: SecretId,
    /// The environment variable in which agents find it.
    name: SecretName,
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// The provider whose token the agent gets this in place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    overrides: Option<ProviderKind>,
    /// Who made it.
    created_by: UserId,
    /// When it was made.
    created_at: Timestamp,
    /// When its value was last set.
    updated_at: Timestamp,
}

/// A secret that was just kept.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SavedSecret")]
struct SavedView {
    /// What later answers say of it.
    #[serde(flatten)]
    about: SecretView,
    /// What the person should know of it, such as that it is too short to be hidden in logs.
    warnings: Vec<String>,
}

impl From<SecretRecord> for SecretView {
    fn from(record: SecretRecord) -> Self {
        let SecretRecord { id, name, description, created_by, created_at, updated_at, .. } = record;
        Self { id, overrides: name.overrides(), name, description, created_by, created_at, updated_at }
    }
}

fn own(caller: &Caller) -> SecretOwner {
    SecretOwner::Person(caller.actor.user.clone())
}

async fn page_of(app: &App, caller: &Caller, owner: &SecretOwner, paging: &Paging) -> Answer<Json<Page<SecretView>>> {
    let (fetch, after) = (paging.to_fetch()?, paging.after::<SecretName>()?);
    let all = app.integrations.secrets(&caller.actor, owner, fetch, after.as_ref()).await?;
    Ok(Json(Page::cut(all, fetch, |secret| secret.name.clone()).map(SecretView::from)))
}

async fn save(app: &App, caller: &Caller, owner: &SecretOwner, new: SecretToSet) -> Answer<Json<SavedView>> {
    let SecretToSet { name, value, description } = new;
    let new = NewSecret { name, value, description };
    let saved = app.integrations.set_secret(&caller.actor, owner, new).await?;
    Ok(Json(SavedView { warnings: saved.warnings(), about: saved.secret.into() }))
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<SecretView>>> {
    page_of(&app, &caller, &own(&caller), &paging).await
}

async fn set(State(app): State<App>, caller: Caller, Body(new): Body<SecretToSet>) -> Answer<Json<SavedView>> {
    save(&app, &caller, &own(&caller), new).await
}

async fn delete(State(app): State<App>, caller: Caller, Id(name): Id<SecretName>) -> Answer<StatusCode> {
    app.integrations.delete_secret(&caller.actor, &own(&caller), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_of_project(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<SecretView>>> {
    page_of(&app, &caller, &SecretOwner::Project(project), &paging).await
}

async fn set_of_project(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Body(new): Body<SecretToSet>,
) -> Answer<Json<SavedView>> {
    save(&app, &caller, &SecretOwner::Project(project), new).await
}

async fn delete_of_project(
    State(app): State<App>,
    caller: Caller,
    Ids(project, name): Ids<ProjectName, SecretName>,
) -> Answer<StatusCode> {
    app.integrations.delete_secret(&caller.actor, &SecretOwner::Project(project), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
