//! The table of all routes.

use crate::{
    acp, api, docs, health, metrics, oauth, openapi, pages,
    route::{RouteSummary, Row},
};

/// Every route of the server.
pub(crate) fn table() -> Vec<Row> {
    let mut rows = operations();
    rows.extend(pages::rows());
    rows.extend(oauth::rows());
    rows
}

/// The routes that the API's document describes.
pub(crate) fn operations() -> Vec<Row> {
    [
        api::audit::rows(),
        api::providers::rows(),
        api::provider_apps::rows(),
        api::integrations::rows(),
        api::integration_events::rows(),
        api::oauth::rows(),
        api::projects::rows(),
        api::assistants::rows(),
        api::members::rows(),
        api::project_repositories::rows(),
        api::repositories::rows(),
        api::secrets::rows(),
        api::sessions::rows(),
        api::session_checks::rows(),
        api::tokens::rows(),
        api::me::rows(),
        api::people::rows(),
        api::webhooks::rows(),
        acp::gitlab::rows(),
        acp::github::rows(),
        acp::google::rows(),
        acp::jira::rows(),
        acp::repository::rows(),
        acp::session::rows(),
        acp::status::rows(),
        health::rows(),
        metrics::rows(),
        openapi::rows(),
        docs::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the server answers to, for documents and tests.
pub fn summaries() -> Vec<RouteSummary> {
    table().iter().map(Row::summary).collect()
}
