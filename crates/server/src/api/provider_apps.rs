//! The applications that the administrator registered with providers. Their secrets go in and never come out.

use axum::{Json, extract::State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_integrations::{AppFacts, AppSecrets, NewApp, RegisteredApp};
use valetkey_model::{InstanceUrl, ProblemCode, ProviderKind};
use valetkey_seal::Secret;
use valetkey_store::AppOrigin;

use crate::{
    App,
    api::optional_token_schema,
    extract::{Body, Params},
    oauth::callback_url,
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Provider apps";
    const ALL: &str = "/api/v1/provider-apps";
    vec![
        Row::get(ALL, list)
            .administrator()
            .operation(TAG, "listProviderApps", "The apps registered with providers, and what to register them with")
            .answers::<Apps>()
            .fails(&[ProblemCode::Forbidden]),
        Row::post(ALL, register)
            .administrator()
            .operation(TAG, "registerProviderApp", "Registers an app, in place of the one of the same instance")
            .body::<NewProviderApp>()
            .success(StatusCode::CREATED)
            .answers::<ProviderAppView>()
            .fails(&[ProblemCode::Forbidden, ProblemCode::Conflict]),
        Row::delete(ALL, remove)
            .administrator()
            .operation(TAG, "removeProviderApp", "Forgets an app; what it connected ends when its tokens do")
            .parameters::<Which>()
            .success(StatusCode::NO_CONTENT)
            .fails(&[ProblemCode::Forbidden, ProblemCode::NotFound, ProblemCode::Conflict]),
    ]
}

/// All registered apps.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProviderApps")]
struct Apps {
    /// The callback (redirect) address to give every provider.
    callback_url: String,
    /// The apps.
    items: Vec<ProviderAppView>,
}

/// A registered app.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProviderApp")]
struct ProviderAppView {
    /// The kind of service.
    provider: ProviderKind,
    /// Where it is registered.
    instance_url: InstanceUrl,
    /// Its public id.
    client_id: String,
    /// Whether the settings file fixes it.
    from_settings: bool,
    /// Its name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The short name of a GitHub App.
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<String>,
    /// The callback (redirect) address that it must have there.
    callback_url: String,
}

impl ProviderAppView {
    fn new(app: &App, registered: RegisteredApp) -> Self {
        let RegisteredApp { provider, instance_url, client_id, from_settings, facts } = registered;
        let AppFacts { name, slug, .. } = facts;
        Self { provider, instance_url, client_id, from_settings, name, slug, callback_url: callback_url(app) }
    }
}

async fn list(State(app): State<App>) -> Answer<Json<Apps>> {
    let all = app.integrations.registered_apps().await?;
    let items = all.into_iter().map(|registered| ProviderAppView::new(&app, registered)).collect();
    Ok(Json(Apps { callback_url: callback_url(&app), items }))
}

/// An app to register.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewProviderApp {
    /// The kind of service.
    provider: ProviderKind,
    /// Where; the provider's public service if not given.
    instance_url: Option<InstanceUrl>,
    /// Its public id, as the provider shows it.
    client_id: String,
    /// Its secret; a public client has none.
    #[schemars(schema_with = "optional_token_schema")]
    #[serde(default)]
    client_secret: Option<Secret<String>>,
}

async fn register(
    State(app): State<App>,
    Body(new): Body<NewProviderApp>,
) -> Answer<(StatusCode, Json<ProviderAppView>)> {
    let NewProviderApp { provider, instance_url, client_id, client_secret } = new;
    let secrets = AppSecrets { client_secret, ..AppSecrets::default() };
    let new = NewApp { provider, instance_url, client_id, secrets, facts: AppFacts::default() };
    let registered = app.integrations.register_app(new, AppOrigin::Ui).await?;
    Ok((StatusCode::CREATED, Json(ProviderAppView::new(&app, registered))))
}

/// Which app.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Which {
    /// The kind of service.
    provider: ProviderKind,
    /// Where; the provider's public service if not given.
    instance_url: Option<InstanceUrl>,
}

async fn remove(State(app): State<App>, Params(which): Params<Which>) -> Answer<StatusCode> {
    let instance = which.instance_url.or_else(|| which.provider.default_instance());
    let instance = instance.ok_or_else(|| Failure::invalid("instanceUrl: this provider has no public service"))?;
    app.integrations.remove_app(which.provider, &instance).await?;
    Ok(StatusCode::NO_CONTENT)
}
