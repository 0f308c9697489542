//! Our own API under `/api/v1`: one file per noun.

pub(crate) mod assistants;
pub(crate) mod audit;
pub(crate) mod integration_events;
pub(crate) mod integrations;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod oauth;
pub(crate) mod paging;
pub(crate) mod people;
pub(crate) mod project_repositories;
pub(crate) mod projects;
pub(crate) mod provider_apps;
pub(crate) mod providers;
pub(crate) mod repositories;
mod secret;
pub(crate) mod secrets;
pub(crate) mod session_checks;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod webhooks;

pub(crate) use secret::{optional_token_schema, token_schema};
