//! `/api/auth/google/…`.

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_integrations::ConsentRequest;
use valetkey_model::{Actor, AuthMethod, Integration, OAuthAttemptId, OwnerScope, Problem, ProblemCode, ProviderKind};

use super::{Message, StatusOf, TAG, disconnect, is_valid};
use crate::{
    App,
    auth::Caller,
    oauth::{self, Departure, callback_url},
    problem::Answer,
    route::Row,
};

const KIND: ProviderKind = ProviderKind::Google;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::post("/api/auth/google/connect", connect)
            .operation(TAG, "ambientConnectGoogle", "Where a browser goes to connect a Google account")
            .answers::<Going>()
            .fails(&[ProblemCode::OauthNotConfigured]),
        Row::get("/api/auth/google/status", status)
            .operation(TAG, "ambientGoogleStatus", "The Google account")
            .answers::<StatusOf<GoogleAccount>>(),
        Row::post("/api/auth/google/disconnect", disconnect_google)
            .operation(TAG, "ambientDisconnectGoogle", "Disconnects the Google account")
            .answers::<Message>(),
    ]
}

/// Where to consent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientGoogleConnect")]
struct Going {
    url: String,
    /// The attempt.
    state: OAuthAttemptId,
}

async fn connect(State(app): State<App>, caller: Caller) -> Answer<Json<Going>> {
    let request = ConsentRequest {
        provider: KIND,
        method: AuthMethod::OAuth,
        instance_url: None,
        scope: OwnerScope::UserGlobal,
        by: caller.actor.clone(),
        alias: None,
        choices: None,
        reconnect: None,
        redirect_uri: callback_url(&app),
    };
    let begun = oauth::begin(&app, &caller, request).await;
    let Departure { url, attempt, .. } = begun.map_err(|mut problem| {
        if problem.code == ProblemCode::OauthNotConfigured {
            "Google OAuth not configured".clone_into(&mut problem.detail);
        }
        problem
    })?;
    Ok(Json(Going { url, state: attempt }))
}

/// The Google account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientGoogleAccount")]
pub(super) struct GoogleAccount {
    email: String,
    /// When the present access token ends; it is replaced before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// Whether it works no more and can't be replaced.
    expired: bool,
    updated_at: Timestamp,
    /// Whether Google accepted it when last asked.
    valid: bool,
}

impl GoogleAccount {
    pub(super) async fn status(app: &App, by: &Actor) -> Result<StatusOf<Self>, Problem> {
        StatusOf::of(app, by, KIND, Self::new).await
    }

    fn new(app: &App, integration: Integration) -> Self {
        let valid = is_valid(app, &integration);
        let Integration { account, expires_at, updated_at, .. } = integration;
        Self { email: account.email.unwrap_or(account.username), expires_at, expired: !valid, updated_at, valid }
    }
}

async fn status(State(app): State<App>, caller: Caller) -> Answer<Json<StatusOf<GoogleAccount>>> {
    Ok(Json(GoogleAccount::status(&app, &caller.actor).await?))
}

async fn disconnect_google(State(app): State<App>, caller: Caller) -> Answer<Json<Message>> {
    disconnect(&app, &caller.actor, KIND).await?;
    Ok(Json(Message { message: "Google Drive disconnected successfully" }))
}
