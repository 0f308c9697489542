//! Bitbucket Data Center.

mod api;
mod git;
mod problem;
mod pulls;
mod repositories;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::admission::{Presented, Refusal};
use crate::auth;
use crate::faults::Surface;
use crate::fixtures::{Form, Token};
use crate::limits::{set, set_retry_after};
use crate::pages::{Shown, View};
use crate::rules::ForgeRules;
use crate::seed::Seed;
use crate::smart_http::GitRequest;
use crate::world::{Caller, Project, World};

use self::problem::Problem;

pub(crate) struct BitbucketDataCenter;

impl ForgeRules for BitbucketDataCenter {
    fn routes(&self, world: &Arc<World>) -> Router<Arc<World>> {
        api::routes(world)
    }

    fn is_api(&self, path: &str) -> bool {
        path.starts_with("/rest/")
    }

    fn no_such_route(&self) -> Response {
        Problem::no_such_route().into_response()
    }

    /// A bearer token, or a Basic pair.
    fn api_token(&self, headers: &HeaderMap) -> Option<String> {
        auth::after_scheme(headers, "Bearer").map(str::to_owned).or_else(|| auth::basic_password(headers))
    }

    /// As the API.
    fn git_token(&self, headers: &HeaderMap) -> Option<String> {
        self.api_token(headers)
    }

    /// With a user name goes a user's own token only.
    fn accepts(&self, _surface: Surface, headers: &HeaderMap, caller: &Caller) -> bool {
        let Some((user, _)) = auth::basic(headers) else { return true };
        user == caller.account.username && !matches!(caller.token.form, Form::Limited(_))
    }

    fn admit(&self, world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
        git::admit(world, request, presented)
    }

    fn challenge(&self) -> &'static str {
        "Basic realm=\"Atlassian Bitbucket\""
    }

    fn protected_branch(&self) -> &'static str {
        "Branch refs/heads/%s can only be modified through pull requests.\\n\
         Check your branch permissions configuration with the project administrator."
    }

    fn is_repository(&self, path: &str) -> bool {
        path.starts_with("scm/") && path.split('/').count() == 3
    }

    fn page(&self, uri: &Uri) -> Shown {
        let parts: Vec<_> = uri.path().trim_matches('/').split('/').collect();
        let ["projects", key, "repos", slug, rest @ ..] = parts.as_slice() else {
            return Shown::new("", View::Front);
        };
        let branch = auth::query_value(uri, "at").map(|at| at.trim_start_matches("refs/heads/").to_owned());
        let view = match (rest, branch) {
            (["pull-requests", number, ..], _) => View::PullRequest((*number).to_owned()),
            (_, Some(branch)) => View::Branch(branch),
            (_, None) => View::Front,
        };
        Shown::new(&format!("scm/{key}/{slug}"), view)
    }

    fn new_token(&self, _token: &Token, seed: &mut Seed) -> String {
        let mut random = [0; 20];
        seed.fill(&mut random);
        let number = seed.digits(12);
        let body = [number.as_bytes(), b":", &random].concat();
        format!("BBDC-{}", STANDARD.encode(body))
    }

    fn insufficient_scope(&self) -> Response {
        Problem::not_permitted().into_response()
    }

    /// Limits are off unless an administrator turns them on, and show in refusals only.
    fn stamp(&self, _headers: &mut HeaderMap, _served: u64) {}

    fn limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        let mut response = Problem::rate_limited().into_response();
        let headers = response.headers_mut();
        set(headers, "x-ratelimit-limit", "60");
        set(headers, "x-ratelimit-remaining", "0");
        set(headers, "x-ratelimit-interval-seconds", "1");
        set(headers, "x-ratelimit-fillrate", "5");
        set_retry_after(headers, retry_after);
        response
    }
}
