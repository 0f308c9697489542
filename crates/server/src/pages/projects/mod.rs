//! Projects: the list, and a page for each side of one. Its secrets, webhooks and assistants have modules of their own; what
//! all of them begin with is [`head`].

mod add;
mod create;
mod delete;
pub(super) mod head;
mod list;
mod members;
mod repositories;
mod settings;

use axum::response::Redirect;
use valetkey_model::{ProjectName, Role};

use super::frame::{Frame, Section};
use crate::{App, auth::Caller, route::Row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::get("/projects", list::show).page(),
        Row::post("/projects", create::create).page(),
        Row::get("/projects/new", create::show).page(),
        Row::get("/projects/{project}", repositories::show).project(Role::Viewer).page(),
        Row::get("/projects/{project}/repositories/add", add::show).project(Role::Admin).page(),
        Row::post("/projects/{project}/repositories/add", add::add).project(Role::Admin).page(),
        Row::post("/projects/{project}/repositories/check", repositories::check).project(Role::Admin).page(),
        Row::get("/projects/{project}/repositories/remove", repositories::show_remove).project(Role::Admin).page(),
        Row::post("/projects/{project}/repositories/remove", repositories::remove).project(Role::Admin).page(),
        Row::get("/projects/{project}/members", members::show).project(Role::Member).page(),
        Row::post("/projects/{project}/members", members::set).project(Role::Admin).page(),
        Row::get("/projects/{project}/members/remove", members::show_remove).project(Role::Admin).page(),
        Row::post("/projects/{project}/members/remove", members::remove).project(Role::Admin).page(),
        Row::get("/projects/{project}/settings", settings::show).project(Role::Admin).page(),
        Row::post("/projects/{project}/settings", settings::change).project(Role::Admin).page(),
        Row::get("/projects/{project}/delete", delete::show).project(Role::Admin).page(),
        Row::post("/projects/{project}/delete", delete::delete).project(Role::Admin).page(),
    ]
}

/// How many rows a page of a list shows.
const PAGE: usize = 25;

/// The frame of a page of a project.
pub(super) fn frame(app: &App, caller: &Caller, title: impl Into<String>) -> Frame {
    Frame::new(app, caller, Section::Projects, title)
}

/// Back to a page of a project, which says what was done.
fn back(project: &ProjectName, page: &str, did: &str) -> Redirect {
    Redirect::to(&format!("/projects/{project}{page}?did={did}"))
}

/// A query of an address.
fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [
        list::tests::samples(),
        create::tests::samples(),
        repositories::tests::samples(),
        add::tests::samples(),
        members::tests::samples(),
        settings::tests::samples(),
        delete::tests::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;
    use valetkey_model::{Actor, Project, ProjectSettings};

    use super::*;

    pub(in crate::pages) fn now() -> Timestamp {
        "2026-11-21T09:30:00Z".parse().unwrap()
    }

    pub(in crate::pages) fn project(name: &str, description: &str) -> Project {
        Project {
            name: name.parse().unwrap(),
            description: description.parse().unwrap(),
            settings: ProjectSettings {
                default_agent: Some(vec!["codex".into(), "exec".into(), "{task}".into()]),
                push_pattern: Some("agents/{user}/{session}".parse().unwrap()),
            },
            created_at: now(),
        }
    }

    pub(in crate::pages) fn ann(role: Role) -> Actor {
        let roles = ["web-shop", "infra"].map(|name| (name.parse().unwrap(), role));
        Actor::new("0199aa00-0000-7000-8000-000000000001".parse().unwrap(), false, roles.into())
    }
}
