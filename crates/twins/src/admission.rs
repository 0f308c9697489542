//! Who may fetch from a repository and push to it, and the words in which each forge refuses.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

use crate::access::Visibility;
use crate::faults::{Surface, Switch};
use crate::fixtures::TokenState;
use crate::smart_http::{GitRequest, Service};
use crate::twin::Forge;
use crate::world::{Caller, Project, World};

/// A refusal: git shows its plain text after `remote:`.
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    fn unauthorized(text: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, text: text.into() }
    }

    fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into() }
    }

    fn not_found(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }

    pub(crate) fn into_response(self, forge: Forge) -> Response {
        let mut response = (self.status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], self.text).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let realm = match forge {
                Forge::GitLab => "Basic realm=\"GitLab\"",
                Forge::GitHub => "Basic realm=\"GitHub\"",
            };
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(realm));
        }
        response
    }
}

/// What a git request brought along.
pub(crate) enum Presented {
    Nothing,
    /// A token that is unknown, expired or revoked.
    Useless,
    Token(Caller),
}

impl Presented {
    pub(crate) fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Token(caller) => Some(caller),
            Self::Nothing | Self::Useless => None,
        }
    }
}

/// The repository that is asked for, if the request may have it.
pub(crate) fn admit(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    match world.forge {
        Forge::GitLab => admit_to_gitlab(world, request, presented),
        Forge::GitHub => admit_to_github(world, request, presented),
    }
}

fn admit_to_gitlab(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    const DENIED: &str = "HTTP Basic: Access denied. If a password was provided for Git authentication, the password \
        was incorrect or you're required to use a token instead of a password. If a token was provided, it was either \
        incorrect, expired, or improperly scoped.";
    const UNSEEN: &str = "The project you were looking for could not be found or you don't have permission to view it.";
    let push = request.service == Service::Push;
    let project = world.project(request.repository);
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized(DENIED)),
        Presented::Nothing => {
            let open = project.filter(|project| !push && project.visibility == Visibility::Public);
            return open.ok_or(Refusal::unauthorized(DENIED));
        }
    };
    if !push && !caller.has_scope(&["api", "read_repository", "write_repository"]) {
        return Err(Refusal::forbidden("You are not allowed to download code."));
    }
    let account = Some(&caller.account);
    let project = project.filter(|project| project.visible_to(account)).ok_or(Refusal::not_found(UNSEEN))?;
    if push && !caller.has_scope(&["api", "write_repository"]) {
        return Err(Refusal::forbidden("You are not allowed to upload code."));
    }
    if push && (!project.pushable_by(account) || pushes_are_forbidden(world)) {
        return Err(Refusal::forbidden("You are not allowed to push code to this project."));
    }
    if !push && !project.readable_by(account) {
        return Err(Refusal::forbidden("You are not allowed to download code from this project."));
    }
    Ok(project)
}

fn admit_to_github(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    const NOT_GRANTED: &str = "Write access to repository not granted.";
    const INVALID: &str = "Invalid username or token. Password authentication is not supported for Git operations.";
    let push = request.service == Service::Push;
    let project = world.project(request.repository);
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized(INVALID)),
        Presented::Nothing => {
            let open = project.filter(|project| !push && project.visibility == Visibility::Public);
            return open.ok_or(Refusal::unauthorized("Repository not found."));
        }
    };
    let reaches = |project: &Project| {
        let token = caller.permission("contents").is_some() || caller.has_scope(&["repo"]);
        project.visibility == Visibility::Public || (token && project.visible_to(Some(&caller.account)))
    };
    let project = project.filter(|project| reaches(project)).ok_or(Refusal::not_found("Repository not found."))?;
    if caller.token.state == TokenState::SsoRequired || world.faults.is_on(Surface::Git, &Switch::SsoRequired) {
        let (owner, _) = project.owner_and_name();
        let text = format!(
            "The '{owner}' organization has enabled or enforced SAML SSO. To access\nthis repository, visit \
             {}/orgs/{owner}/sso?authorization_request=A2TWIN and try your request again.",
            world.url
        );
        return Err(Refusal::forbidden(text));
    }
    if !push {
        return Ok(project);
    }
    if project.archived {
        return Err(Refusal::forbidden("This repository was archived so it is read-only."));
    }
    let scope = if project.visibility == Visibility::Public { &["repo", "public_repo"][..] } else { &["repo"] };
    let granted = caller.permission("contents") == Some("write") || caller.has_scope(scope);
    if !granted || pushes_are_forbidden(world) {
        return Err(Refusal::forbidden(NOT_GRANTED));
    }
    if !project.pushable_by(Some(&caller.account)) {
        let text = format!("Permission to {}.git denied to {}.", project.path, caller.account.username);
        return Err(Refusal::forbidden(text));
    }
    Ok(project)
}

fn pushes_are_forbidden(world: &World) -> bool {
    world.faults.is_on(Surface::Git, &Switch::PushForbidden)
}
