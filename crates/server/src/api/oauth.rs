//! Connecting by consent: in a browser, or with a code on another device.

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_integrations::{ConsentRequest, DeviceCode, DeviceProgress, Outcome};
use valetkey_model::{
    Alias, AuthMethod, InstanceUrl, IntegrationId, IntegrationRef, IntegrationView, OAuthAttemptId, ProblemCode,
    ProjectName, ProviderKind,
};

use crate::{
    App,
    api::integrations::{Scope, owner_scope},
    auth::Caller,
    extract::{Body, Id},
    oauth::{self, callback_url},
    problem::{Answer, Failure, ProblemDocument},
    route::Row,
};

const CAN_NOT_ASK: [ProblemCode; 3] =
    [ProblemCode::OauthNotConfigured, ProblemCode::OauthAppRefused, ProblemCode::ProviderUnreachable];

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "OAuth";
    vec![
        Row::post("/api/v1/oauth/authorize", authorize)
            .operation(
                TAG,
                "beginOauth",
                "Where a browser goes to consent; bound to the one that asks or goes there first",
            )
            .body::<NewConsent>()
            .answers::<Begun>()
            .fails(&CAN_NOT_ASK),
        Row::get("/api/v1/oauth/attempts/{attempt}", attempt)
            .owner()
            .operation(TAG, "getOauthAttempt", "How an attempt of the caller's stands")
            .answers::<Attempt>()
            .fails(&[ProblemCode::OauthStateInvalid]),
        Row::post("/api/v1/oauth/device", device)
            .operation(TAG, "beginDevice", "A code to type in on another device")
            .body::<NewConsent>()
            .answers::<Device>()
            .fails(&CAN_NOT_ASK),
        Row::post("/api/v1/oauth/device/poll", poll)
            .operation(TAG, "pollDevice", "Whether the person has typed the code in and consented")
            .body::<Poll>()
            .answers::<Progress>()
            .fails(&CAN_NOT_ASK)
            .fails(&[ProblemCode::OauthStateInvalid, ProblemCode::ConsentDenied, ProblemCode::InsufficientScope]),
    ]
}

/// An account to connect by consent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewConsent {
    /// The kind of service.
    provider: ProviderKind,
    /// Where the provider lives; its public service if not given.
    instance_url: Option<InstanceUrl>,
    /// Who may use it, and where.
    #[serde(default)]
    scope: Scope,
    /// The project, for scopes that are bound to one.
    project: Option<ProjectName>,
    /// Its name; made of account and host if none is given.
    alias: Option<Alias>,
    /// Which kind of consent; to an app that is installed, where one is registered, if not given.
    method: Option<Consent>,
    /// The optional scopes to ask for; those that the catalogue preselects if not given.
    choices: Option<Vec<String>>,
    /// The integration to connect again; its account must stay the same.
    reconnect: Option<IntegrationId>,
}

/// Which kind of consent.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Consent {
    /// To the scopes that are asked for.
    #[serde(rename = "oauth")]
    OAuth,
    /// To an app that is installed on accounts.
    App,
}

impl NewConsent {
    async fn request(self, app: &App, caller: &Caller) -> Answer<ConsentRequest> {
        let method = match self.method {
            Some(Consent::OAuth) => AuthMethod::OAuth,
            Some(Consent::App) => AuthMethod::App,
            None => app.integrations.usual_consent(self.provider, self.instance_url.as_ref()).await?,
        };
        Ok(ConsentRequest {
            provider: self.provider,
            method,
            instance_url: self.instance_url,
            scope: owner_scope(self.scope, self.project)?,
            by: caller.actor.clone(),
            alias: self.alias,
            choices: self.choices,
            reconnect: self.reconnect,
            redirect_uri: callback_url(app),
        })
    }
}

/// A browser's way to a provider.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OauthBegun")]
struct Begun {
    /// Where the browser goes. For a caller with a bearer token it is an address of this server, which sends the browser
    /// that opens it first on to the provider.
    authorize_url: String,
    /// The attempt, to ask for its outcome.
    attempt: OAuthAttemptId,
    /// When it is too late.
    expires_at: Timestamp,
}

async fn authorize(State(app): State<App>, caller: Caller, Body(new): Body<NewConsent>) -> Answer<Json<Begun>> {
    let request = new.request(&app, &caller).await?;
    let departure = oauth::begin(&app, &caller, request).await?;
    let oauth::Departure { url, attempt, expires_at } = departure;
    Ok(Json(Begun { authorize_url: url, attempt, expires_at }))
}

/// How an attempt stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
#[schemars(rename = "OauthAttempt")]
enum Attempt {
    /// Nothing came back yet.
    Pending,
    /// The account is connected.
    Connected {
        /// As this.
        integration: Box<IntegrationView>,
    },
    /// It is not, and will not be.
    Failed {
        /// Why.
        problem: ProblemDocument,
    },
}

async fn attempt(State(app): State<App>, caller: Caller, Id(id): Id<OAuthAttemptId>) -> Answer<Json<Attempt>> {
    Ok(Json(match app.integrations.consent_outcome(&caller.actor, &id).await? {
        Outcome::Pending => Attempt::Pending,
        Outcome::Failed { problem } => Attempt::Failed { problem: Failure::from(problem).into() },
        Outcome::Connected { integration } => {
            let integration = app.integrations.get(&caller.actor, &IntegrationRef::Id(integration)).await?;
            Attempt::Connected { integration: Box::new(integration.view(app.now())) }
        }
    }))
}

/// What a person is shown, to consent on another device.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeviceCode")]
struct Device {
    /// The attempt, to ask for its outcome.
    attempt: OAuthAttemptId,
    /// What to type in.
    user_code: String,
    /// Where.
    verification_uri: String,
    /// The same with the code already in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_uri_complete: Option<String>,
    /// When the code ends.
    expires_at: Timestamp,
    /// How many seconds to wait before asking how it stands.
    interval: u64,
}

async fn device(State(app): State<App>, caller: Caller, Body(new): Body<NewConsent>) -> Answer<Json<Device>> {
    let started = app.integrations.begin_device(new.request(&app, &caller).await?).await?;
    let DeviceCode { attempt, user_code, verification_uri, verification_uri_complete, expires_at, interval } = started;
    Ok(Json(Device {
        attempt,
        user_code,
        verification_uri: verification_uri.into(),
        verification_uri_complete: verification_uri_complete.map(String::from),
        expires_at,
        interval: interval.as_secs(),
    }))
}

/// Which attempt to ask for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DevicePoll")]
struct Poll {
    /// The one that the code belongs to.
    #[schemars(with = "String")]
    attempt: OAuthAttemptId,
}

/// How consent on another device stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
#[schemars(rename = "DeviceProgress")]
enum Progress {
    /// Not given yet.
    Pending {
        /// How many seconds to wait before asking again.
        interval: u64,
    },
    /// Given; the account is connected.
    Connected {
        /// As this.
        integration: Box<IntegrationView>,
    },
}

async fn poll(State(app): State<App>, caller: Caller, Body(Poll { attempt }): Body<Poll>) -> Answer<Json<Progress>> {
    Ok(Json(match app.integrations.poll_device(&caller.actor, &attempt).await? {
        DeviceProgress::Pending { interval } => Progress::Pending { interval: interval.as_secs() },
        DeviceProgress::Connected(integration) => {
            Progress::Connected { integration: Box::new(integration.view(app.now())) }
        }
    }))
}
