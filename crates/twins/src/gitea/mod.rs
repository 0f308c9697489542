//! Gitea, and Forgejo, which came from it.

mod api;
mod git;
mod oauth;
mod problem;
mod pulls;
mod repositories;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::admission::{Presented, Refusal};
use crate::auth;
use crate::fixtures::Token;
use crate::limits::set_retry_after;
use crate::oauth::{Dialect, Granted};
use crate::pages::Shown;
use crate::rules::ForgeRules;
use crate::seed::Seed;
use crate::smart_http::GitRequest;
use crate::world::{Project, World};

use self::problem::Problem;

/// One of the two, by what tells them apart.
pub(crate) struct Gitea {
    version: &'static str,
    is_forgejo: bool,
    protected_branch: &'static str,
}

impl Gitea {
    pub(crate) const GITEA: Self = Self {
        version: "1.24.6",
        is_forgejo: false,
        protected_branch: "Gitea: Not allowed to push to protected branch %s",
    };
    pub(crate) const FORGEJO: Self = Self {
        version: "12.0.3+gitea-1.22.0",
        is_forgejo: true,
        protected_branch: "Forgejo: Not allowed to push to protected branch %s",
    };
}

impl ForgeRules for Gitea {
    fn routes(&self, _world: &Arc<World>) -> Router<Arc<World>> {
        let routes = api::routes(self.version);
        if self.is_forgejo { routes.merge(api::forgejo_routes(self.version)) } else { routes }
    }

    fn no_such_route(&self) -> Response {
        (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
    }

    fn oauth(&self) -> Option<Dialect> {
        Some(oauth::dialect())
    }

    fn oauth_token(&self, _world: &World, granted: &Granted) -> Token {
        oauth::token(granted)
    }

    /// A token under either name, or a Basic pair as git has it.
    fn api_token(&self, headers: &HeaderMap) -> Option<String> {
        let token = auth::after_scheme(headers, "token").or_else(|| auth::after_scheme(headers, "Bearer"));
        token.map(str::to_owned).or_else(|| basic_token(headers))
    }

    /// The password of a Basic pair with any user name, or the user name of one without a password; a token too.
    fn git_token(&self, headers: &HeaderMap) -> Option<String> {
        self.api_token(headers)
    }

    fn admit(&self, world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
        git::admit(world, request, presented)
    }

    fn challenge(&self) -> &'static str {
        "Basic realm=\"Gitea\""
    }

    fn protected_branch(&self) -> &'static str {
        self.protected_branch
    }

    fn is_repository(&self, path: &str) -> bool {
        path.split('/').count() == 2
    }

    fn page(&self, uri: &Uri) -> Shown {
        Shown::by_separators(uri, "/src/branch/", "/pulls/")
    }

    fn new_token(&self, _token: &Token, seed: &mut Seed) -> String {
        let mut bytes = [0; 20];
        seed.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn insufficient_scope(&self) -> Response {
        Problem::lacks_scope("read:repository").into_response()
    }

    /// There are none unless a proxy adds them.
    fn stamp(&self, _headers: &mut HeaderMap, _served: u64) {}

    /// A proxy's.
    fn limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        let mut response = (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n").into_response();
        set_retry_after(response.headers_mut(), retry_after);
        response
    }
}

fn basic_token(headers: &HeaderMap) -> Option<String> {
    let (user, password) = auth::basic(headers)?;
    Some(if password.is_empty() || password == "x-oauth-basic" { user } else { password })
}
