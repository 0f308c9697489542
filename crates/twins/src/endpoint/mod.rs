//! Somebody's own HTTP API and MCP server, which want a secret and know nothing else of who asks.

mod mcp;

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use crate::auth;
use crate::faults::Voice;
use crate::service::Provider;
use crate::world::locked;

/// The credential that an [`Endpoint`] lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// Nothing; everybody is let in.
    Nothing,
    /// A header of this name, in lower case, with this value.
    Header(String, String),
    /// This user name and password.
    Basic(String, String),
    /// This bearer token.
    Bearer(String),
}

impl Wants {
    fn accepts(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Nothing => true,
            Self::Header(name, value) => headers.get(name.as_str()).is_some_and(|given| given == value.as_str()),
            Self::Basic(user, password) => {
                auth::basic(headers).is_some_and(|(given, secret)| &given == user && &secret == password)
            }
            Self::Bearer(token) => auth::bearer(headers) == Some(token.as_str()),
        }
    }

    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Basic(..) => Some("Basic realm=\"endpoint\""),
            Self::Bearer(_) => Some("Bearer realm=\"endpoint\""),
            Self::Nothing | Self::Header(..) => None,
        }
    }
}

/// An HTTP API at every path, and an MCP server at `/mcp`.
#[derive(Debug)]
pub struct Endpoint {
    wants: Mutex<Wants>,
}

impl Endpoint {
    /// Lets this credential in from now on, and no other; everybody is let in at first.
    pub fn want(&self, wants: Wants) {
        *locked(&self.wants) = wants;
    }
}

impl Provider for Endpoint {
    fn at(_origin: &str) -> Self {
        Self { wants: Mutex::new(Wants::Nothing) }
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/mcp", post(mcp::answer).fallback(mcp::not_allowed))
            .fallback(anything)
            .layer(middleware::from_fn_with_state(Arc::clone(&self), admit))
    }

    fn whose(&self, headers: &HeaderMap) -> Option<String> {
        let wants = locked(&self.wants);
        (*wants != Wants::Nothing && wants.accepts(headers)).then(|| "the secret's holder".to_owned())
    }
}

impl Voice for Endpoint {
    fn limited(&self, retry_after: Option<u64>) -> Response {
        let retry_after = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
        (StatusCode::TOO_MANY_REQUESTS, retry_after, Json(json!({"error": "too many requests"}))).into_response()
    }

    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response {
        self.limited(retry_after)
    }

    fn lacks_scope(&self) -> Response {
        (StatusCode::FORBIDDEN, Json(json!({"error": "forbidden"}))).into_response()
    }
}

async fn admit(State(endpoint): State<Arc<Endpoint>>, request: Request, next: Next) -> Response {
    let wants = locked(&endpoint.wants).clone();
    if wants.accepts(request.headers()) {
        return next.run(request).await;
    }
    let challenge = wants.challenge().map(|challenge| [(WWW_AUTHENTICATE, challenge)]);
    (StatusCode::UNAUTHORIZED, challenge, Json(json!({"error": "unauthorized"}))).into_response()
}

async fn anything(request: Request) -> Json<serde_json::Value> {
    Json(json!({"ok": true, "method": request.method().as_str(), "path": request.uri().path()}))
}
