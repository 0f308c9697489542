//! The pages for people, with their templates and assets beside them.
//!
//! A handler parses, calls what the API's handlers call, and answers with a [`Page`](render::Page): a typed context, a
//! *view*, for one template. Everything works without a script: what changes something is a plain form, answered by a
//! redirect. The one script makes it pleasant: confirmations open as dialogs, live parts follow along.

mod ansi;
mod assets;
mod assistants;
mod audit;
mod error;
mod form;
mod frame;
mod home;
mod integrations;
mod live;
mod projects;
mod render;
mod secrets;
mod sessions;
mod settings;
mod sign_in;
mod webhooks;
mod words;

pub(crate) use assets::STYLES;
pub(crate) use error::for_people;
pub(crate) use sign_in::way_in;

use crate::route::Row;

/// The routes of the pages and their assets.
pub(crate) fn rows() -> Vec<Row> {
    [
        assets::rows(),
        home::rows(),
        sign_in::rows(),
        integrations::rows(),
        projects::rows(),
        assistants::rows(),
        settings::rows(),
        secrets::rows(),
        sessions::rows(),
        webhooks::rows(),
        audit::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
