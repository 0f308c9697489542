//! Our own API under `/api/v1`: one file per noun.

pub(crate) mod integrations;
pub(crate) mod paging;
pub(crate) mod projects;
pub(crate) mod providers;
mod secret;
pub(crate) mod sessions;
pub(crate) mod tokens;

pub(crate) use secret::token_schema;
