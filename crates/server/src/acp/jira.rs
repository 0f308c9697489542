//! `/api/auth/jira/…`.

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, AuthMethod, InstanceUrl, Integration, Problem, ProblemCode, ProviderKind};
use valetkey_providers::Credential;
use valetkey_seal::Secret;

use super::{Message, StatusOf, TAG, Tested, as_invalid_input, connect, disconnect, is_valid};
use crate::{
    App,
    api::token_schema,
    auth::Caller,
    extract::Body,
    problem::{Answer, Failure},
    route::Row,
};

const KIND: ProviderKind = ProviderKind::Jira;

pub(crate) fn rows() -> Vec<Row> {
    const DISCONNECT: &str = "/api/auth/jira/disconnect";
    let refused = [
        ProblemCode::TokenMalformed,
        ProblemCode::TokenInvalid,
        ProblemCode::InsufficientScope,
        ProblemCode::RateLimited,
        ProblemCode::ProviderUnreachable,
    ];
    vec![
        Row::post("/api/auth/jira/connect", connect_jira)
            .operation(TAG, "ambientConnectJira", "Connects a Jira account")
            .body::<Token>()
            .answers::<Connected>()
            .fails(&refused),
        Row::post("/api/auth/jira/test", test)
            .operation(TAG, "ambientTestJira", "Asks Jira whether a token works, without storing it")
            .body::<Token>()
            .answers::<Tested>(),
        Row::get("/api/auth/jira/status", status)
            .operation(TAG, "ambientJiraStatus", "The Jira account")
            .answers::<StatusOf<JiraAccount>>(),
        Row::post(DISCONNECT, disconnect_jira)
            .operation(TAG, "ambientDisconnectJira", "Disconnects the Jira account")
            .answers::<Message>(),
        Row::delete(DISCONNECT, disconnect_jira)
            .operation(TAG, "ambientDeleteJira", "Disconnects the Jira account")
            .answers::<Message>(),
    ]
}

/// A Jira token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientJiraToken")]
struct Token {
    /// The site, or the address of a Data Center.
    url: String,
    /// Whose token it is; left out for a personal access token of a Data Center.
    email: Option<String>,
    /// The token.
    #[schemars(schema_with = "token_schema")]
    api_token: Secret<String>,
}

impl Token {
    fn parts(self) -> Answer<(InstanceUrl, Credential)> {
        // Copied from an address bar it ends with a slash.
        let instance = self.url.trim_end_matches('/').parse();
        let instance =
            instance.map_err(|error: valetkey_model::InstanceUrlError| Failure::invalid(format!("url: {error}")))?;
        let alone = Credential::pat(self.api_token);
        let credential = match self.email.filter(|email| !email.is_empty()) {
            Some(email) => Credential { method: AuthMethod::Basic, login: Some(email), ..alone },
            None => alone,
        };
        Ok((instance, credential))
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientJiraConnected")]
struct Connected {
    message: &'static str,
    url: String,
    email: String,
}

async fn connect_jira(State(app): State<App>, caller: Caller, Body(token): Body<Token>) -> Answer<Json<Connected>> {
    let (instance, credential) = token.parts()?;
    let connected = connect(&app, &caller.actor, KIND, Some(instance), credential).await;
    let JiraAccount { url, email, .. } = JiraAccount::new(&app, connected.map_err(as_invalid_input)?);
    Ok(Json(Connected { message: "Jira connected successfully", url, email }))
}

async fn test(State(app): State<App>, _: Caller, Body(token): Body<Token>) -> Answer<Json<Tested>> {
    let (instance, credential) = token.parts()?;
    Ok(Json(Tested::of(&app, KIND, Some(instance), &credential, "Jira connection successful").await))
}

/// The Jira account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AmbientJiraAccount")]
pub(super) struct JiraAccount {
    url: String,
    email: String,
    updated_at: Timestamp,
    /// Whether Jira accepted the token when last asked.
    valid: bool,
}

impl JiraAccount {
    pub(super) async fn status(app: &App, by: &Actor) -> Result<StatusOf<Self>, Problem> {
        StatusOf::of(app, by, KIND, Self::new).await
    }

    fn new(app: &App, integration: Integration) -> Self {
        Self {
            valid: is_valid(app, &integration),
            url: site_of(&integration),
            updated_at: integration.updated_at,
            email: integration.account.email.unwrap_or(integration.account.username),
        }
    }
}

/// The address that people know: of the site, where the API is elsewhere.
pub(super) fn site_of(integration: &Integration) -> String {
    let site = integration.details.sites.first();
    site.map_or_else(|| integration.instance_url.to_string(), |site| site.url.clone())
}

async fn status(State(app): State<App>, caller: Caller) -> Answer<Json<StatusOf<JiraAccount>>> {
    Ok(Json(JiraAccount::status(&app, &caller.actor).await?))
}

async fn disconnect_jira(State(app): State<App>, caller: Caller) -> Answer<Json<Message>> {
    disconnect(&app, &caller.actor, KIND).await?;
    Ok(Json(Message { message: "Jira disconnected successfully" }))
}
