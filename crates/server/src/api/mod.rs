//! Our own API under `/api/v1`: one file per noun.

pub(crate) mod integration_events;
pub(crate) mod integrations;
pub(crate) mod oauth;
pub(crate) mod paging;
pub(crate) mod projects;
pub(crate) mod provider_apps;
pub(crate) mod providers;
pub(crate) mod repositories;
mod secret;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod tokens;

pub(crate) use secret::token_schema;
