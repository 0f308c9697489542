//! What sessions are given by name: a person's own secrets, and a project's. The pages are the same for both.

mod delete;
mod list;
mod set;

use axum::{
    RequestPartsExt as _,
    extract::{FromRequestParts, RawPathParams},
    response::Redirect,
};
use http::request::Parts;
use valetkey_model::{ProblemCode, ProjectName, Role, SecretName, SecretOwner};

use super::{
    frame::{Frame, Section},
    projects,
};
use crate::{App, auth::Caller, problem::Failure, route::Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/secrets", list::show).page(),
        Row::get("/secrets/set", set::show).page(),
        Row::post("/secrets/set", set::set).page(),
        Row::get("/secrets/{name}/delete", delete::show).owner().page(),
        Row::post("/secrets/{name}/delete", delete::delete).owner().page(),
        Row::get("/projects/{project}/secrets", list::show).project(Role::Member).page(),
        Row::get("/projects/{project}/secrets/set", set::show).project(Role::Admin).page(),
        Row::post("/projects/{project}/secrets/set", set::set).project(Role::Admin).page(),
        Row::get("/projects/{project}/secrets/{name}/delete", delete::show).project(Role::Admin).page(),
        Row::post("/projects/{project}/secrets/{name}/delete", delete::delete).project(Role::Admin).page(),
    ]
}

/// Whose secrets a path is about: those of the project that it names, else the caller's own.
struct Whose {
    caller: Caller,
    owner: SecretOwner,
}

impl Whose {
    /// The project, where they are one's.
    fn project(&self) -> Option<&ProjectName> {
        match &self.owner {
            SecretOwner::Project(project) => Some(project),
            SecretOwner::Person(_) => None,
        }
    }

    /// The page of all of them.
    fn path(&self) -> String {
        self.project().map_or_else(|| "/secrets".to_owned(), |project| format!("/projects/{project}/secrets"))
    }

    /// Back there, with word of what was done.
    fn back(&self, did: &str) -> Redirect {
        Redirect::to(&format!("{}?did={did}", self.path()))
    }

    fn frame(&self, app: &App, title: &str) -> Frame {
        match &self.owner {
            SecretOwner::Project(project) => projects::frame(app, &self.caller, format!("{title} · {project}")),
            SecretOwner::Person(_) => Frame::new(app, &self.caller, Section::Secrets, title),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Whose {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let owner = match in_path(parts, "project").await {
            Some(project) => SecretOwner::Project(project.parse().map_err(|_| nothing_there())?),
            None => SecretOwner::Person(caller.actor.user.clone()),
        };
        Ok(Self { caller, owner })
    }
}

/// The secret that a path names.
struct Named(SecretName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let name = in_path(parts, "name").await.and_then(|name| name.parse().ok());
        name.map(Self).ok_or_else(nothing_there)
    }
}

async fn in_path(parts: &mut Parts, wanted: &str) -> Option<String> {
    let path = parts.extract::<RawPathParams>().await.ok()?;
    path.iter().find(|(part, _)| *part == wanted).map(|(_, value)| value.to_owned())
}

fn nothing_there() -> Failure {
    Failure::new(ProblemCode::NotFound, "There is nothing at this address.")
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [list::tests::samples(), set::tests::samples(), delete::tests::samples()].into_iter().flatten().collect()
}
