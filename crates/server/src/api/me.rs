//! Who is asking.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::{Actor, Problem, ProblemCode, ProjectName, Projects, Role, UserId};

use crate::{App, auth::Caller, problem::Answer, route::Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/v1/me", show)
            .operation("People", "getMe", "Who is asking, and what they may do")
            .answers::<Me>(),
    ]
}

/// The caller.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Me {
    /// Their id.
    id: UserId,
    /// Their name.
    name: String,
    /// The address that their identity provider verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether they administer the instance, and with that have every role in every project.
    administrator: bool,
    /// The role in each project that they are in; empty for administrators.
    roles: BTreeMap<ProjectName, Role>,
}

async fn show(State(app): State<App>, caller: Caller) -> Answer<Json<Me>> {
    let actor = &caller.actor;
    let person = app.store.user(&actor.user).await?;
    let person = person.ok_or_else(|| Problem::new(ProblemCode::NotFound, "There is no such person any more."))?;
    let (administrator, roles) = (actor.is_administrator(), roles(actor));
    Ok(Json(Me { id: person.id, name: person.name, email: person.email, administrator, roles }))
}

/// Somebody's role in each project that they are in; those of administrators are not listed.
pub(crate) fn roles(actor: &Actor) -> BTreeMap<ProjectName, Role> {
    match actor.projects() {
        Projects::All => BTreeMap::new(),
        Projects::These(projects) => {
            projects.into_iter().filter_map(|project| Some((project.clone(), actor.role(project)?))).collect()
        }
    }
}
