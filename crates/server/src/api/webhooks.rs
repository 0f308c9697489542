//! The notification webhooks of a project. Their URLs may hold a token of the receiver's, so all of it is for the project's
//! admins. A signing secret is in the answer that makes it, and in no other.

use axum::{Json, extract::State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use valetkey_model::{
    DeliveryState, ProblemCode, ProjectName, Role, WebhookDeliveryId, WebhookEvent, WebhookId, WebhookUrl, sentence,
};
use valetkey_seal::Secret;
use valetkey_store::{Delivery, Webhook};
use valetkey_webhooks::{Change, NewWebhook};

use crate::{
    App,
    api::paging::{Page, Paging},
    extract::{Body, Id, Ids, Params, Trio},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Webhooks";
    const ALL: &str = "/api/v1/projects/{project}/webhooks";
    const ONE: &str = "/api/v1/projects/{project}/webhooks/{id}";
    let unfit = [ProblemCode::NotFound, ProblemCode::Conflict, ProblemCode::AddressRefused];
    let missing_or_conflict = [ProblemCode::NotFound, ProblemCode::Conflict];
    let rows = vec![
        Row::get(ALL, list)
            .operation(TAG, "listWebhooks", "The webhooks of a project, the oldest first")
            .answers::<Page<WebhookView>>(),
        Row::post(ALL, create)
            .operation(TAG, "createWebhook", "Adds a webhook; its signing secret is in this answer and never again")
            .body::<WebhookDraft>()
            .success(StatusCode::CREATED)
            .answers::<WebhookWithSecret>()
            .fails(&unfit),
        Row::get(ONE, show).operation(TAG, "getWebhook", "One webhook").answers::<WebhookView>(),
        Row::patch(ONE, change)
            .operation(TAG, "changeWebhook", "Changes a webhook; what is left out stays")
            .body::<WebhookPatch>()
            .answers::<WebhookView>()
            .fails(&unfit),
        Row::delete(ONE, remove)
            .operation(TAG, "deleteWebhook", "Deletes a webhook with the log of its deliveries")
            .success(StatusCode::NO_CONTENT),
        Row::post("/api/v1/projects/{project}/webhooks/{id}/test", test)
            .operation(TAG, "testWebhook", "Sends a test notification, waits for the answer and says what came of it")
            .answers::<DeliveryView>()
            .fails(&missing_or_conflict),
        Row::post("/api/v1/projects/{project}/webhooks/{id}/rotate", rotate)
            .operation(TAG, "rotateWebhookSecret", "Makes another signing secret; for a day the old one signs too")
            .answers::<WebhookWithSecret>()
            .fails(&missing_or_conflict),
        Row::get("/api/v1/projects/{project}/webhooks/{id}/deliveries", deliveries)
            .operation(TAG, "listWebhookDeliveries", "The notifications of the last 30 days, newest first")
            .parameters::<Paging>()
            .answers::<Page<DeliveryView>>(),
        Row::post("/api/v1/projects/{project}/webhooks/{id}/deliveries/{delivery}/redeliver", redeliver)
            .operation(TAG, "redeliverWebhook", "Sends a notification again, with the same id; returns at once")
            .success(StatusCode::ACCEPTED)
            .answers::<DeliveryView>()
            .fails(&missing_or_conflict),
    ];
    rows.into_iter().map(|row| row.project(Role::Admin)).collect()
}

/// A webhook to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewWebhook")]
struct WebhookDraft {
    /// Where notifications are posted to: `https`, or `http` to this machine; without a user name or password.
    #[schemars(with = "WebhookUrl")]
    url: String,
    /// What it is for; at most 200 visible characters.
    #[serde(default)]
    description: String,
    /// What it is told of; of everything, if not given.
    events: Option<Vec<WebhookEvent>>,
}

/// What to change of a webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "WebhookChange")]
struct WebhookPatch {
    /// Where notifications are posted to.
    #[schemars(with = "Option<WebhookUrl>")]
    url: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// What it is told of.
    events: Option<Vec<WebhookEvent>>,
    /// Whether anything is sent to it.
    enabled: Option<bool>,
}

/// Somebody who is told of what happens in a project.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Webhook")]
struct WebhookView {
    id: WebhookId,
    project: ProjectName,
    /// Where notifications are posted to.
    url: WebhookUrl,
    /// What it is for.
    description: String,
    /// What it is told of.
    events: Vec<WebhookEvent>,
    /// Whether anything is sent to it.
    enabled: bool,
    /// Why it was disabled, if nobody did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    /// Until when the secret before the last rotation signs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A webhook with the signing secret that was just made for it.
#[derive(Serialize, JsonSchema)]
struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookView,
    /// The signing secret, `whsec_…`, for any library of Standard Webhooks. It is kept sealed and never shown again.
    secret: String,
}

/// A notification to a webhook, and what became of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "WebhookDelivery")]
struct DeliveryView {
    /// Its id, which the receiver knows as `webhook-id`.
    id: WebhookDeliveryId,
    /// Of what: an event, or `webhook.test`.
    event: String,
    state: DeliveryState,
    /// How often it was sent since it was last wanted.
    attempts: i64,
    created_at: Timestamp,
    /// When it is sent next, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i64>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    /// What it says.
    payload: Value,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            project: webhook.project,
            url: webhook.url,
            description: webhook.description,
            events: webhook.events,
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason,
            previous_secret_until: webhook.previous_until,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let pending = delivery.state == DeliveryState::Pending;
        Self {
            id: delivery.id,
            event: delivery.event,
            state: delivery.state,
            attempts: delivery.attempts,
            created_at: delivery.created_at,
            next_attempt_at: Some(delivery.next_attempt_at).filter(|_| pending),
            finished_at: delivery.finished_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            duration_ms: delivery.duration,
            payload: serde_json::from_str(&delivery.body).unwrap_or_default(),
        }
    }
}

impl WebhookWithSecret {
    #[expect(clippy::disallowed_methods, reason = "a new signing secret is shown once, to who asked for it")]
    fn new((webhook, secret): (Webhook, Secret<String>)) -> Self {
        Self { webhook: webhook.into(), secret: secret.expose().clone() }
    }
}

async fn list(State(app): State<App>, Id(project): Id<ProjectName>) -> Answer<Json<Page<WebhookView>>> {
    let all = app.integrations.webhooks().list(&project).await?;
    Ok(Json(Page::whole(all.into_iter().map(WebhookView::from).collect())))
}

async fn create(
    State(app): State<App>,
    Id(project): Id<ProjectName>,
    Body(draft): Body<WebhookDraft>,
) -> Answer<(StatusCode, Json<WebhookWithSecret>)> {
    let WebhookDraft { url, description, events } = draft;
    let events = events.unwrap_or_else(|| WebhookEvent::ALL.to_vec());
    let added =
        app.integrations.webhooks().add(&project, NewWebhook { url: checked(&url)?, description, events }).await?;
    Ok((StatusCode::CREATED, Json(WebhookWithSecret::new(added))))
}

async fn show(State(app): State<App>, Ids(project, id): Ids<ProjectName, WebhookId>) -> Answer<Json<WebhookView>> {
    Ok(Json(app.integrations.webhooks().get(&project, &id).await?.into()))
}

async fn change(
    State(app): State<App>,
    Ids(project, id): Ids<ProjectName, WebhookId>,
    Body(patch): Body<WebhookPatch>,
) -> Answer<Json<WebhookView>> {
    let WebhookPatch { url, description, events, enabled } = patch;
    let change = Change { url: url.as_deref().map(checked).transpose()?, description, events, enabled };
    Ok(Json(app.integrations.webhooks().change(&project, &id, change).await?.into()))
}

async fn remove(State(app): State<App>, Ids(project, id): Ids<ProjectName, WebhookId>) -> Answer<StatusCode> {
    app.integrations.webhooks().remove(&project, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(State(app): State<App>, Ids(project, id): Ids<ProjectName, WebhookId>) -> Answer<Json<DeliveryView>> {
    Ok(Json(app.integrations.webhooks().test(&project, &id).await?.into()))
}

async fn rotate(
    State(app): State<App>,
    Ids(project, id): Ids<ProjectName, WebhookId>,
) -> Answer<Json<WebhookWithSecret>> {
    Ok(Json(WebhookWithSecret::new(app.integrations.webhooks().rotate(&project, &id).await?)))
}

async fn deliveries(
    State(app): State<App>,
    Ids(project, id): Ids<ProjectName, WebhookId>,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<DeliveryView>>> {
    let (fetch, before) = (paging.to_fetch()?, paging.after::<WebhookDeliveryId>()?);
    let fetched = app.integrations.webhooks().deliveries(&project, &id, fetch, before.as_ref()).await?;
    Ok(Json(Page::cut(fetched, fetch, |delivery| delivery.id.clone()).map(DeliveryView::from)))
}

async fn redeliver(
    State(app): State<App>,
    Trio(project, id, delivery): Trio<ProjectName, WebhookId, WebhookDeliveryId>,
) -> Answer<(StatusCode, Json<DeliveryView>)> {
    let again = app.integrations.webhooks().redeliver(&project, &id, &delivery).await?;
    Ok((StatusCode::ACCEPTED, Json(again.into())))
}

/// The URL, or why it will not do: serde's words would be about its type.
fn checked(url: &str) -> Answer<WebhookUrl> {
    url.parse().map_err(|why| Failure::new(ProblemCode::InvalidInput, sentence(&why)))
}
