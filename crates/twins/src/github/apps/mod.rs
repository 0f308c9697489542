//! GitHub Apps: made from a manifest, installed, and acting as an installation or for a user.

mod handle;
mod installations;
mod jwt;
mod key;
mod manifest;
mod pages;
mod registry;
mod tokens;
mod users;

use std::sync::Arc;

use axum::Router;

use crate::world::World;

pub use handle::{GitHubApps, Install};
pub(crate) use registry::Registry;
pub use registry::{GitHubApp, Permissions};
pub(super) use tokens::{SUSPENDED, wants_awake};
pub(super) use users::user_permissions;

/// The routes under the API's prefix.
pub(super) fn api_routes() -> Router<Arc<World>> {
    Router::new()
        .merge(manifest::api_routes())
        .merge(installations::routes())
        .merge(tokens::routes())
        .merge(users::routes())
}

/// The pages that a browser opens.
pub(super) fn page_routes() -> Router<Arc<World>> {
    Router::new().merge(manifest::page_routes()).merge(pages::routes())
}
