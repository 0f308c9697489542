//! What happened to connected accounts.

use axum::{Json, extract::State};
use valetkey_integrations::IntegrationEvent;
use valetkey_model::{Actor, IntegrationEventId, IntegrationId, IntegrationRef, ProblemCode};

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Id, Params},
    problem::Answer,
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Integrations";
    vec![
        Row::get("/api/v1/integration-events", list)
            .operation(TAG, "listIntegrationEvents", "What happened to the caller's integrations, newest first")
            .parameters::<Paging>()
            .answers::<Page<IntegrationEvent>>(),
        Row::get("/api/v1/integrations/{id}/events", of_one)
            .operation(TAG, "listEventsOfIntegration", "What happened to one integration, newest first")
            .parameters::<Paging>()
            .answers::<Page<IntegrationEvent>>()
            .fails(&[ProblemCode::NotFound, ProblemCode::IntegrationAmbiguous]),
    ]
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<IntegrationEvent>>> {
    page(&app, &caller.actor, None, &paging).await
}

/// By its id also after the integration is gone: then its events say what became of it.
async fn of_one(
    State(app): State<App>,
    caller: Caller,
    Id(which): Id<IntegrationRef>,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<IntegrationEvent>>> {
    let id = match which {
        IntegrationRef::Id(id) => id,
        alias @ IntegrationRef::Alias(_) => app.integrations.get(&caller.actor, &alias).await?.id,
    };
    page(&app, &caller.actor, Some(&id), &paging).await
}

async fn page(
    app: &App,
    by: &Actor,
    of: Option<&IntegrationId>,
    paging: &Paging,
) -> Answer<Json<Page<IntegrationEvent>>> {
    let (fetch, before) = (paging.to_fetch()?, paging.after::<IntegrationEventId>()?);
    let fetched = app.integrations.events(by, of, before.as_ref(), fetch).await?;
    Ok(Json(Page::cut(fetched, fetch, |event| event.id.clone())))
}
