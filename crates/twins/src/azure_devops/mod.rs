//! Azure DevOps Services.

mod api;
mod git;
mod problem;
mod pulls;
mod repositories;

use std::sync::Arc;

use axum::Router;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::admission::{Presented, Refusal};
use crate::auth;
use crate::faults::Surface;
use crate::fixtures::{Form, Token};
use crate::limits::{in_seconds, set, set_retry_after};
use crate::pages::{Shown, View};
use crate::rules::ForgeRules;
use crate::seed::Seed;
use crate::smart_http::GitRequest;
use crate::world::{Caller, Project, World};

use self::problem::Problem;

const SIGN_IN: &str = "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\">\r\n<html lang=\"en-US\">\r\n\
    <head><title>Azure DevOps Services | Sign In</title></head>\r\n<body><h1>Sign in</h1></body>\r\n</html>\r\n";

pub(crate) struct AzureDevOps;

impl ForgeRules for AzureDevOps {
    fn routes(&self, world: &Arc<World>) -> Router<Arc<World>> {
        api::routes(world)
    }

    fn is_api(&self, path: &str) -> bool {
        path.contains("/_apis")
    }

    fn no_such_route(&self) -> Response {
        Problem::no_such_route().into_response()
    }

    /// A bearer token, or the password of a Basic pair whatever the user name.
    fn api_token(&self, headers: &HeaderMap) -> Option<String> {
        auth::after_scheme(headers, "Bearer").map(str::to_owned).or_else(|| auth::basic_password(headers))
    }

    fn git_token(&self, headers: &HeaderMap) -> Option<String> {
        self.api_token(headers)
    }

    /// A personal token comes as a password. A token of Entra's may come so to git, but is a bearer token for the API.
    fn accepts(&self, surface: Surface, headers: &HeaderMap, caller: &Caller) -> bool {
        let bearer = auth::basic(headers).is_none();
        let entra = caller.token.form == Form::OAuth;
        if surface == Surface::Git { entra || !bearer } else { entra == bearer }
    }

    /// Who is not signed in is shown a page to sign in, and it is no error.
    fn refuses(&self, world: &World, surface: Surface, headers: &HeaderMap) -> Option<Response> {
        if surface != Surface::Api || world.identify(Some(surface), headers).caller().is_some() {
            return None;
        }
        let status = world.faults.bad_credential_status().unwrap_or(StatusCode::NON_AUTHORITATIVE_INFORMATION);
        if status == StatusCode::UNAUTHORIZED {
            return Some(Problem::unauthorized("").into_response());
        }
        let mut response = (status, Html(SIGN_IN)).into_response();
        if status.is_redirection() {
            let location = HeaderValue::from_str(&format!("{}/_signin", world.url)).ok();
            response.headers_mut().extend(location.map(|location| (LOCATION, location)));
        }
        Some(response)
    }

    fn admit(&self, world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
        git::admit(world, request, presented)
    }

    fn challenge(&self) -> &'static str {
        "Basic realm=\"https://dev.azure.com/\""
    }

    fn protected_branch(&self) -> &'static str {
        "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch."
    }

    fn is_repository(&self, path: &str) -> bool {
        matches!(path.split('/').collect::<Vec<_>>().as_slice(), [_, _, "_git", _])
    }

    fn clone_path(&self, repository: &str) -> String {
        repository.to_owned()
    }

    fn page(&self, uri: &Uri) -> Shown {
        let path = uri.path().trim_matches('/');
        let branch = auth::query_value(uri, "version").and_then(|version| Some(version.strip_prefix("GB")?.to_owned()));
        match (path.split_once("/pullrequest/"), branch) {
            (Some((repository, number)), _) => Shown::new(repository, View::PullRequest(number.to_owned())),
            (None, Some(branch)) => Shown::new(path, View::Branch(branch)),
            (None, None) => Shown::new(path, View::Front),
        }
    }

    fn new_token(&self, token: &Token, seed: &mut Seed) -> String {
        if token.form == Form::OAuth {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let header = part(r#"{"typ":"JWT","alg":"RS256"}"#);
            let claims =
                part(&format!(r#"{{"aud":"499b84ac-1321-427f-aa17-267ca6975798","uti":"{}"}}"#, seed.digits(20)));
            return format!("{header}.{claims}.{}", seed.alphanumeric(342));
        }
        format!("{}AZDO{}", seed.alphanumeric(76), seed.alphanumeric(4))
    }

    fn insufficient_scope(&self) -> Response {
        Problem::unauthorized("john").into_response()
    }

    /// A client hears of a limit when it is near.
    fn stamp(&self, _headers: &mut HeaderMap, _served: u64) {}

    fn limit_exceeded(&self, retry_after: Option<u64>) -> Response {
        let mut response = Problem::rate_limited().into_response();
        let headers = response.headers_mut();
        let reset = in_seconds(retry_after.unwrap_or(300)).as_second().to_string();
        set(headers, "x-ratelimit-resource", "core");
        set(headers, "x-ratelimit-delay", "0");
        set(headers, "x-ratelimit-limit", "200");
        set(headers, "x-ratelimit-remaining", "0");
        set(headers, "x-ratelimit-reset", &reset);
        set_retry_after(headers, retry_after);
        response
    }
}
