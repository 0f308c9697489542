//! What differs from forge to forge; each implements it in a module of its own.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;

use crate::access::Visibility;
use crate::admission::{Presented, Refusal};
use crate::auth;
use crate::faults::Surface;
use crate::fixtures::Token;
use crate::oauth::{Dialect, Granted};
use crate::pages::Shown;
use crate::seed::Seed;
use crate::smart_http::{GitRequest, Service};
use crate::world::{Caller, Project, World};

/// A forge's behaviour.
pub(crate) trait ForgeRules: Sync {
    /// The routes of the API.
    fn routes(&self, world: &Arc<World>) -> Router<Arc<World>>;

    /// Whether a path is the API's, also where it is no route.
    fn is_api(&self, path: &str) -> bool {
        path.starts_with("/api/")
    }

    /// How its authorization server speaks, where it has one.
    fn oauth(&self) -> Option<Dialect> {
        None
    }

    /// What an access token of that server may do.
    fn oauth_token(&self, _world: &World, granted: &Granted) -> Token {
        Token::generated().scopes(granted.scopes.iter().map(String::as_str))
    }

    /// The answer for a path of the API that is no route.
    fn no_such_route(&self) -> Response;

    /// The token in the headers that the API reads, known or not.
    fn api_token(&self, headers: &HeaderMap) -> Option<String>;

    /// The token in the headers that git over HTTP reads, known or not.
    fn git_token(&self, headers: &HeaderMap) -> Option<String> {
        auth::basic_password(headers)
    }

    /// Whether the headers present the token, which is known and works, in a way that the forge takes.
    fn accepts(&self, _surface: Surface, _headers: &HeaderMap, _caller: &Caller) -> bool {
        true
    }

    /// The answer to a credential, or to none, that stands before any route.
    fn refuses(&self, _world: &World, _surface: Surface, _headers: &HeaderMap) -> Option<Response> {
        None
    }

    /// The repository that git asks for, if the request may have it.
    fn admit(&self, world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal>;

    /// The challenge of git's 401.
    fn challenge(&self) -> &'static str;

    /// What a push to a protected branch is told; `%s` is the branch.
    fn protected_branch(&self) -> &'static str;

    /// Whether git is sent from a URL without `.git` to the one with it.
    fn redirects_to_dot_git(&self) -> bool {
        false
    }

    /// Whether a repository's path may look like this.
    fn is_repository(&self, path: &str) -> bool;

    /// The path of the URL to clone a repository from.
    fn clone_path(&self, repository: &str) -> String {
        format!("{repository}.git")
    }

    /// The web page at an address.
    fn page(&self, uri: &Uri) -> Shown;

    /// A new token's value.
    fn new_token(&self, token: &Token, seed: &mut Seed) -> String;

    /// The 403 of a token that lacks a scope.
    fn insufficient_scope(&self) -> Response;

    /// Adds the headers that tell of a limit to an API answer; those that are there already stay.
    fn stamp(&self, headers: &mut HeaderMap, served: u64);

    /// The answer when the limit is used up.
    fn limit_exceeded(&self, retry_after: Option<u64>) -> Response;

    /// The answer of the forge's other limit, whose headers do not count it.
    fn secondary_limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        self.limit_exceeded(retry_after)
    }
}

/// A public repository, for a fetch that brings no token.
pub(crate) fn open_to_all(world: &World, request: &GitRequest<'_>) -> Option<Arc<Project>> {
    let open = |project: &Arc<Project>| project.visibility == Visibility::Public;
    world.project(request.repository).filter(open).filter(|_| request.service == Service::Fetch)
}
