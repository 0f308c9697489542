//! One route is one [`Row`]: how it is reached, who may, what goes in and out, and what answers.

use axum::{
    handler::Handler,
    routing::{MethodRouter, on},
};
use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use valetkey_model::{ProblemCode, Role};

use crate::App;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Anybody.
    Public,
    /// Whoever is signed in. What is not theirs to know of is not found.
    User,
    /// Whoever has this role, or a greater one, in the project that the path names.
    Project(Role),
    /// An administrator of the instance.
    Administrator,
    /// Whoever has this right to the integration that the path names.
    Integration(Right),
    /// Whoever has this right to the session that the path names.
    Session(Right),
    /// Whoever has this right to the assistant that the path names.
    Assistant(Right),
    /// Nobody but the person whose thing the path names.
    Owner,
    /// A session's processes, with the session's own token. The handler decides what they may have.
    Lease,
}

/// What somebody may do with a thing of theirs or of a project's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Know of it.
    See,
    /// Have it looked at again, or used.
    Use,
    /// Change it, or take it away.
    Manage,
}

/// What kind of client a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Programs: they get problem documents, also where they are not signed in.
    Program,
    /// People with a browser: they are shown the way to the sign-in page.
    Person,
}

/// A route of the server.
pub(crate) struct Row {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) permission: Permission,
    pub(crate) audience: Audience,
    /// Whether the answer goes on for as long as the client listens.
    pub(crate) streams: bool,
    /// What the API's document says of it; pages and assets are not in the document.
    pub(crate) operation: Option<Operation>,
    pub(crate) handler: MethodRouter<App>,
}

/// The type of a body or of query parameters, asked for when the document is made.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A route as the API's document describes it.
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) parameters: Option<SchemaOf>,
    pub(crate) body: Option<SchemaOf>,
    pub(crate) body_required: bool,
    pub(crate) success: StatusCode,
    pub(crate) answer: Answer,
    pub(crate) errors: Vec<ProblemCode>,
}

/// What a successful answer holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// Nothing.
    Empty,
    /// JSON of this type.
    Json(SchemaOf),
    /// Server-sent events, each of this type as its reader sees it.
    Events(SchemaOf),
    /// Something else, of this media type.
    Other(&'static str),
}

/// What [`summaries`](crate::summaries) tells of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSummary {
    /// Its method.
    pub method: Method,
    /// Its path; a part that varies is in braces.
    pub path: &'static str,
    /// Who may use it.
    pub permission: Permission,
    /// Whether it is a page for people: without a sign-in it redirects to the sign-in page instead of answering 401.
    pub page: bool,
    /// Its name in the API's document.
    pub operation: Option<&'static str>,
}

impl Row {
    fn new<H, T>(method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = method.clone().try_into().expect("one of the methods below");
        let handler = on(filter, handler);
        let (permission, audience) = (Permission::User, Audience::Program);
        Self { method, path, permission, audience, streams: false, operation: None, handler }
    }

    /// `GET path`, for whoever is signed in; so are the rows of the other methods, unless [`public`](Self::public).
    pub(crate) fn get<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::GET, path, handler)
    }

    /// `POST path`.
    pub(crate) fn post<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::POST, path, handler)
    }

    /// `PUT path`.
    pub(crate) fn put<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::PUT, path, handler)
    }

    /// `PATCH path`.
    pub(crate) fn patch<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::PATCH, path, handler)
    }

    /// `DELETE path`.
    pub(crate) fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::DELETE, path, handler)
    }

    /// Needs no sign-in.
    pub(crate) fn public(mut self) -> Self {
        self.permission = Permission::Public;
        self
    }

    /// Needs this role in the `{project}` of the path.
    pub(crate) fn project(mut self, role: Role) -> Self {
        debug_assert!(self.path.contains("{project}"), "{} names no project", self.path);
        self.permission = Permission::Project(role);
        self
    }

    /// Needs this right to the integration of the path.
    pub(crate) fn integration(mut self, right: Right) -> Self {
        self.permission = Permission::Integration(right);
        self
    }

    /// Needs this right to the session of the path.
    pub(crate) fn session(mut self, right: Right) -> Self {
        self.permission = Permission::Session(right);
        self
    }

    /// Needs this right to the assistant of the path.
    pub(crate) fn assistant(mut self, right: Right) -> Self {
        self.permission = Permission::Assistant(right);
        self
    }

    /// Is for the owner of what the path names, and nobody else.
    pub(crate) fn owner(mut self) -> Self {
        self.permission = Permission::Owner;
        self
    }

    /// Is for administrators of the instance.
    pub(crate) fn administrator(mut self) -> Self {
        self.permission = Permission::Administrator;
        self
    }

    /// Is for sessions, with their own token; nobody else's is any good.
    pub(crate) fn for_sessions(mut self) -> Self {
        self.permission = Permission::Lease;
        self
    }

    /// Is for people: who is not signed in is sent to the sign-in page.
    pub(crate) fn page(mut self) -> Self {
        self.audience = Audience::Person;
        self
    }

    /// Answers with server-sent events, each a `T` as its reader sees it, for as long as it takes.
    pub(crate) fn events<T: JsonSchema>(mut self) -> Self {
        self.streams = true;
        self.described(|operation| operation.answer = Answer::Events(schema_of::<T>))
    }

    /// Answers for as long as it takes: what it looks at may be large.
    pub(crate) fn unbounded(mut self) -> Self {
        self.streams = true;
        self
    }

    /// Puts the route into the API's document.
    pub(crate) fn operation(mut self, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        self.operation = Some(Operation {
            id,
            tag,
            summary,
            parameters: None,
            body: None,
            body_required: true,
            success: StatusCode::OK,
            answer: Answer::Empty,
            errors: Vec::new(),
        });
        self
    }

    /// Takes query parameters: the fields of `T`.
    pub(crate) fn parameters<T: JsonSchema>(self) -> Self {
        self.described(|operation| operation.parameters = Some(T::json_schema))
    }

    /// Takes a JSON body.
    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        self.described(|operation| operation.body = Some(schema_of::<T>))
    }

    /// Takes a JSON body, or none.
    pub(crate) fn optional_body<T: JsonSchema>(self) -> Self {
        self.body::<T>().described(|operation| operation.body_required = false)
    }

    /// Answers with JSON.
    pub(crate) fn answers<T: JsonSchema>(self) -> Self {
        self.described(|operation| operation.answer = Answer::Json(schema_of::<T>))
    }

    /// Answers with something that is not JSON.
    pub(crate) fn answers_with(self, media_type: &'static str) -> Self {
        self.described(|operation| operation.answer = Answer::Other(media_type))
    }

    /// Answers a success with this status rather than 200.
    pub(crate) fn success(self, status: StatusCode) -> Self {
        self.described(|operation| operation.success = status)
    }

    /// May refuse with these, besides what every route may.
    pub(crate) fn fails(self, errors: &[ProblemCode]) -> Self {
        self.described(|operation| operation.errors.extend_from_slice(errors))
    }

    fn described(mut self, set: impl FnOnce(&mut Operation)) -> Self {
        set(self.operation.as_mut().expect("operation() comes first"));
        self
    }

    pub(crate) fn summary(&self) -> RouteSummary {
        RouteSummary {
            method: self.method.clone(),
            path: self.path,
            permission: self.permission,
            page: self.audience == Audience::Person,
            operation: self.operation.as_ref().map(|operation| operation.id),
        }
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
