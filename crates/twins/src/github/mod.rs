//! GitHub, as an Enterprise Server is.

mod api;
mod apps;
mod contents;
mod git;
mod limits;
mod oauth;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

use crate::admission::{Presented, Refusal};
use crate::auth;
use crate::fixtures::{Kind, Token};
use crate::oauth::{Dialect, Granted};
use crate::pages::Shown;
use crate::rules::ForgeRules;
use crate::seed::{Seed, github_checksum};
use crate::smart_http::GitRequest;
use crate::world::{Project, World};

pub(crate) use apps::Registry;
pub use apps::{GitHubApp, GitHubApps, Install, Permissions};

pub(crate) struct GitHub;

impl ForgeRules for GitHub {
    fn routes(&self, world: &Arc<World>) -> Router<Arc<World>> {
        api::routes(world).merge(apps::page_routes())
    }

    fn oauth(&self) -> Option<Dialect> {
        Some(oauth::dialect())
    }

    /// An OAuth app's token has scopes; an app's, what the app and the user may do both.
    fn oauth_token(&self, world: &World, granted: &Granted) -> Token {
        let scopes = granted.scopes.iter().map(String::as_str);
        apps::user_permissions(world, granted).unwrap_or_else(|| Token::generated().scopes(scopes))
    }

    fn no_such_route(&self) -> Response {
        api::no_such_route()
    }

    /// A bearer token under either of its names, or a Basic pair.
    fn api_token(&self, headers: &HeaderMap) -> Option<String> {
        let bearer = auth::after_scheme(headers, "Bearer").or_else(|| auth::after_scheme(headers, "token"));
        bearer.map(str::to_owned).or_else(|| auth::basic_password(headers))
    }

    fn admit(&self, world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
        git::admit(world, request, presented)
    }

    fn challenge(&self) -> &'static str {
        "Basic realm=\"GitHub\""
    }

    fn protected_branch(&self) -> &'static str {
        "error: GH006: Protected branch update failed for refs/heads/%s.\nerror: Changes must be made through a pull request."
    }

    fn is_repository(&self, path: &str) -> bool {
        path.split('/').count() == 2
    }

    fn page(&self, uri: &Uri) -> Shown {
        Shown::by_separators(uri, "/tree/", "/pull/")
    }

    fn new_token(&self, token: &Token, seed: &mut Seed) -> String {
        match token.kind {
            Kind::FineGrained(_) => format!("github_pat_{}_{}", seed.alphanumeric(22), seed.alphanumeric(59)),
            Kind::Scoped(_) | Kind::App { .. } => {
                let body = seed.alphanumeric(30);
                format!("ghp_{body}{}", github_checksum(&body))
            }
        }
    }

    fn insufficient_scope(&self) -> Response {
        api::token_lacks_access()
    }

    fn stamp(&self, headers: &mut HeaderMap, served: u64) {
        limits::stamp(headers, served);
    }

    fn limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        limits::exceeded(retry_after)
    }

    fn secondary_limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        limits::secondary_exceeded(retry_after)
    }
}
