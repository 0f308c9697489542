//! Bitbucket Cloud, with its API and its web site on one host.

mod api;
mod git;
mod oauth;
mod problem;
mod pulls;
mod query;
mod repositories;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};

use crate::admission::{Presented, Refusal};
use crate::auth;
use crate::faults::Surface;
use crate::fixtures::{Form, Token};
use crate::limits::{set, set_retry_after};
use crate::oauth::{Dialect, Granted};
use crate::pages::{Shown, View};
use crate::rules::ForgeRules;
use crate::seed::{Seed, crc32};
use crate::smart_http::GitRequest;
use crate::world::{Caller, Project, World};

use self::problem::Problem;

const LIMIT: u64 = 1_000;

pub(crate) struct Bitbucket;

impl ForgeRules for Bitbucket {
    fn routes(&self, _world: &Arc<World>) -> Router<Arc<World>> {
        api::routes()
    }

    fn is_api(&self, path: &str) -> bool {
        path.starts_with("/2.0/")
    }

    fn no_such_route(&self) -> Response {
        Problem::not_found("There is no API hosted at this URL.").into_response()
    }

    fn oauth(&self) -> Option<Dialect> {
        Some(oauth::dialect())
    }

    fn oauth_token(&self, _world: &World, granted: &Granted) -> Token {
        Token::generated().scopes(granted.scopes.iter().map(String::as_str)).oauth()
    }

    /// A bearer token, or a Basic pair.
    fn api_token(&self, headers: &HeaderMap) -> Option<String> {
        auth::after_scheme(headers, "Bearer").map(str::to_owned).or_else(|| auth::basic_password(headers))
    }

    /// An API token goes with its owner's e-mail address, and with git under the user name or a name for all; every
    /// other token is a bearer token, and with git goes under another name for all.
    fn accepts(&self, surface: Surface, headers: &HeaderMap, caller: &Caller) -> bool {
        let user = auth::basic(headers).map(|(user, _)| user);
        let account = &caller.account;
        match (&caller.token.form, surface, user) {
            (Form::Personal, Surface::Git, Some(user)) => {
                user == account.username || user == "x-bitbucket-api-token-auth"
            }
            (Form::Personal, _, Some(user)) => {
                account.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(&user))
            }
            (Form::Personal, _, None) | (Form::AppPassword, ..) => false,
            (Form::Limited(_) | Form::OAuth, Surface::Git, user) => user.is_some_and(|user| user == "x-token-auth"),
            (Form::Limited(_) | Form::OAuth, _, user) => user.is_none(),
        }
    }

    fn admit(&self, world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
        git::admit(world, request, presented)
    }

    /// An app password.
    fn refuses(&self, world: &World, surface: Surface, headers: &HeaderMap) -> Option<Response> {
        let token = world.presented(Some(surface), headers)?;
        let status = world.faults.bad_credential_status()?;
        world.caller(&token).filter(|caller| caller.token.form == Form::AppPassword)?;
        Some(match surface {
            Surface::Git => Refusal::new(status, git::RETIRED).into_response(self.challenge()),
            Surface::Api | Surface::Everywhere => Problem::new(status, git::RETIRED).into_response(),
        })
    }

    fn challenge(&self) -> &'static str {
        "Basic realm=\"Bitbucket.org HTTP\""
    }

    fn protected_branch(&self) -> &'static str {
        "Permission denied to update branch %s."
    }

    fn is_repository(&self, path: &str) -> bool {
        path.split('/').count() == 2
    }

    fn page(&self, uri: &Uri) -> Shown {
        let path = uri.path().trim_matches('/');
        match path.split_once("/src/") {
            Some((repository, branch)) => Shown::new(repository, View::Branch(branch.to_owned())),
            None => Shown::by_separators(uri, "/branch/", "/pull-requests/"),
        }
    }

    fn new_token(&self, token: &Token, seed: &mut Seed) -> String {
        let body = match token.form {
            Form::Personal => format!("ATATT3xFfGF0{}=", seed.alphanumeric(171)),
            Form::Limited(_) => format!("ATCTT3xFfGN0{}=", seed.alphanumeric(171)),
            Form::AppPassword => format!("ATBB{}", seed.alphanumeric(24)),
            Form::OAuth => return format!("{}==", seed.alphanumeric(84)),
        };
        let checksum = crc32(&body);
        format!("{body}{checksum:08X}")
    }

    fn insufficient_scope(&self) -> Response {
        Problem::lacks_scope(&["read:repository:bitbucket"], &[]).into_response()
    }

    fn stamp(&self, headers: &mut HeaderMap, served: u64) {
        set(headers, "x-ratelimit-limit", &LIMIT.to_string());
        set(headers, "x-ratelimit-resource", "api-repositories");
        set(headers, "x-ratelimit-nearlimit", if served * 5 > LIMIT * 4 { "true" } else { "false" });
    }

    fn limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        let mut response = Problem::rate_limited().into_response();
        let headers = response.headers_mut();
        self.stamp(headers, LIMIT);
        set_retry_after(headers, retry_after);
        response
    }
}
