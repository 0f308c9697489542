//! What a git request brings along, and what it hears when it is refused.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

use crate::faults::{Surface, Switch};
use crate::smart_http::Service;
use crate::world::{Caller, World};

/// A refusal: git shows its plain text after `remote:`.
pub(crate) struct Refusal {
    status: StatusCode,
    content_type: &'static str,
    text: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", text: text.into() }
    }

    /// An error of git's own protocol: a success whose first packet says no.
    pub(crate) fn in_protocol(service: Service, text: &str) -> Self {
        let content_type = match service {
            Service::Fetch => "application/x-git-upload-pack-advertisement",
            Service::Push => "application/x-git-receive-pack-advertisement",
        };
        let packet = format!("{:04x}ERR {text}", text.len() + 8);
        Self { status: StatusCode::OK, content_type, text: packet }
    }

    pub(crate) fn unauthorized(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(crate) fn into_response(self, challenge: &'static str) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, self.content_type)], self.text).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// What a request brought along.
pub(crate) enum Presented {
    Nothing,
    /// A token that is unknown, expired or revoked, or comes in a way that the forge does not take.
    Useless,
    Token(Box<Caller>),
}

impl Presented {
    pub(crate) fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Token(caller) => Some(caller),
            Self::Nothing | Self::Useless => None,
        }
    }
}

pub(crate) fn pushes_are_forbidden(world: &World) -> bool {
    world.faults.is_on(Surface::Git, &Switch::PushForbidden)
}
