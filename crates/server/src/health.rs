//! Whether the server lives, and whether it can work.

use axum::{Json, extract::State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_model::ProblemCode;

use crate::{
    App,
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/healthz", healthz)
            .public()
            .operation("Operation", "getHealth", "Whether the process lives")
            .answers::<Health>(),
        Row::get("/readyz", readyz)
            .public()
            .operation(
                "Operation",
                "getReadiness",
                "Whether the server can work: 503 while its database does not answer",
            )
            .answers::<Health>(),
    ]
}

#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
    /// The version of the server.
    version: String,
}

async fn healthz(State(app): State<App>) -> Json<Health> {
    Json(Health { status: "ok", version: app.config.version.clone() })
}

async fn readyz(State(app): State<App>) -> Answer<Json<Health>> {
    if let Err(error) = app.store.ready().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
        let failure = Failure::new(ProblemCode::Internal, "The database does not answer.");
        return Err(failure.with_status(StatusCode::SERVICE_UNAVAILABLE));
    }
    Ok(healthz(State(app)).await)
}
