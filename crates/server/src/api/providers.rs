//! What can be connected.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use valetkey_integrations::RegisteredApp;
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind};
use valetkey_providers::{CatalogueEntry, ConnectMethod, Field, ScopeSet, provider};

use crate::{App, api::paging::Page, problem::Answer, route::Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/v1/providers", list)
            .operation("Providers", "listProviders", "What can be connected, and what each needs")
            .answers::<Page<ProviderView>>(),
    ]
}

/// What it takes to connect a provider.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Provider")]
struct ProviderView {
    #[serde(flatten)]
    entry: CatalogueEntry,
    /// The words of its methods.
    auth_methods: Vec<AuthMethod>,
    /// What the first method asks for.
    fields: Vec<Field>,
    /// What the first method's credential must be allowed.
    required_scopes: Vec<ScopeSet>,
    /// Whether people can consent in the browser at its public service.
    oauth: bool,
    /// Where else, and where, they can.
    apps: Vec<AppPlace>,
}

/// Where an app is registered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AppPlace {
    /// The instance.
    instance_url: InstanceUrl,
    /// The short name of a GitHub App.
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<String>,
}

impl ProviderView {
    fn new(kind: ProviderKind, registered: &[RegisteredApp]) -> Self {
        let entry = provider(kind).catalogue();
        let first = entry.methods.first().cloned();
        let (fields, required_scopes) =
            first.map(|ConnectMethod { fields, required_scopes, .. }| (fields, required_scopes)).unwrap_or_default();
        let here = registered.iter().filter(|app| app.provider == kind);
        let place =
            |app: &RegisteredApp| AppPlace { instance_url: app.instance_url.clone(), slug: app.facts.slug.clone() };
        let apps: Vec<_> = here.map(place).collect();
        Self {
            auth_methods: entry.methods.iter().map(|offered| offered.method).collect(),
            fields,
            required_scopes,
            oauth: apps.iter().any(|place| kind.is_public(&place.instance_url)),
            apps,
            entry,
        }
    }
}

async fn list(State(app): State<App>) -> Answer<Json<Page<ProviderView>>> {
    let registered = app.integrations.registered_apps().await?;
    Ok(Json(Page::whole(ProviderKind::ALL.map(|kind| ProviderView::new(kind, &registered)).into())))
}
