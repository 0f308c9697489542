//! GitLab, as a self-managed one is.

mod api;
mod contents;
mod git;
mod limits;
mod oauth;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

use crate::admission::{Presented, Refusal};
use crate::auth;
use crate::fixtures::Token;
use crate::oauth::Dialect;
use crate::pages::Shown;
use crate::rules::ForgeRules;
use crate::seed::Seed;
use crate::smart_http::GitRequest;
use crate::world::{Project, World};

pub(crate) struct GitLab;

impl ForgeRules for GitLab {
    fn routes(&self, _world: &Arc<World>) -> Router<Arc<World>> {
        api::routes()
    }

    fn oauth(&self) -> Option<Dialect> {
        Some(oauth::dialect())
    }

    fn no_such_route(&self) -> Response {
        api::no_such_route()
    }

    /// `PRIVATE-TOKEN`, or a bearer token.
    fn api_token(&self, headers: &HeaderMap) -> Option<String> {
        let private = headers.get("private-token").and_then(|token| token.to_str().ok());
        private.or_else(|| auth::after_scheme(headers, "Bearer")).map(str::to_owned)
    }

    fn admit(&self, world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
        git::admit(world, request, presented)
    }

    fn challenge(&self) -> &'static str {
        "Basic realm=\"GitLab\""
    }

    fn protected_branch(&self) -> &'static str {
        "GitLab: You are not allowed to push code to protected branches on this project."
    }

    fn redirects_to_dot_git(&self) -> bool {
        true
    }

    fn is_repository(&self, path: &str) -> bool {
        path.contains('/')
    }

    fn page(&self, uri: &Uri) -> Shown {
        Shown::by_separators(uri, "/-/tree/", "/-/merge_requests/")
    }

    fn new_token(&self, _token: &Token, seed: &mut Seed) -> String {
        format!("glpat-{}", seed.alphanumeric(20))
    }

    fn insufficient_scope(&self) -> Response {
        api::insufficient_scope(&["api", "read_api"])
    }

    fn stamp(&self, headers: &mut HeaderMap, served: u64) {
        limits::stamp(headers, served);
    }

    fn limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        limits::exceeded(retry_after)
    }

    fn secondary_limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        limits::application_limit_exceeded(retry_after)
    }
}
