//! What a session would find, asked before it is started.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::{IntegrationView, ProblemCode, ProjectName, RepoUrl, Role};
use valetkey_sessions::{CheckedRepository, NewSession, ServedBy};

use crate::{
    App,
    api::paging::Page,
    auth::Caller,
    extract::{Body, Id},
    problem::{Answer, Failure, ProblemDocument},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::post("/api/v1/projects/{project}/sessions/check", check)
            .project(Role::Member)
            .operation(
                "Sessions",
                "checkSession",
                "Which integration each repository of a session would use, why, and whether it may push there; starts nothing",
            )
            .body::<NewSession>()
            .answers::<Page<CheckedView>>()
            .fails(&[ProblemCode::NotFound]),
    ]
}

/// What a session would find at one repository.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CheckedRepository")]
struct CheckedView {
    /// Which.
    url: RepoUrl,
    /// What the session would act with there; absent where it would use no integration, and where that can't be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    integration: Option<IntegrationView>,
    /// Why that one, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether it may push.
    can_push: bool,
    /// The default branch, where the provider said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_branch: Option<String>,
    /// Why a session can't start there. Where it uses no integration it may read, if nothing is said here.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

async fn check(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Body(new): Body<NewSession>,
) -> Answer<Json<Page<CheckedView>>> {
    let checked = app.engine.check(&caller.actor, &project, new.assistant.as_ref(), &new.repositories).await?;
    let now = app.now();
    let view = |checked: CheckedRepository| {
        let can_push = checked.can_push();
        let CheckedRepository { url, served_by, default_branch, problem } = checked;
        let (integration, reason) = match served_by {
            Some(ServedBy::Integration(integration, reason)) => (Some(integration.view(now)), Some(reason)),
            Some(ServedBy::Nothing(reason)) => (None, Some(reason)),
            None => (None, None),
        };
        let problem = problem.map(|problem| Failure::from(problem).into());
        CheckedView { url, integration, reason, can_push, default_branch, problem }
    };
    Ok(Json(Page::whole(checked.into_iter().map(view).collect())))
}
