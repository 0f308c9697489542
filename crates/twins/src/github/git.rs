//! Who may fetch from a repository and push to it, and GitHub's words for no.

use std::sync::Arc;

use super::apps;
use crate::access::Visibility;
use crate::admission::{Presented, Refusal, pushes_are_forbidden};
use crate::faults::{Surface, Switch};
use crate::fixtures::{Kind, TokenState};
use crate::rules::open_to_all;
use crate::smart_http::{GitRequest, Service};
use crate::world::{Project, World};

pub(super) fn admit(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    const NOT_GRANTED: &str = "Write access to repository not granted.";
    const INVALID: &str = "Invalid username or token. Password authentication is not supported for Git operations.";
    let push = request.service == Service::Push;
    let project = world.project(request.repository);
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized(INVALID)),
        Presented::Nothing => {
            return open_to_all(world, request).ok_or(Refusal::unauthorized("Repository not found."));
        }
    };
    if apps::wants_awake(world, caller).is_err() {
        return Err(Refusal::forbidden(apps::SUSPENDED));
    }
    let reaches = |project: &Project| {
        let token = caller.permission("contents").is_some() || caller.has_scope(&["repo"]);
        let owner = match caller.token.kind {
            Kind::App { .. } => caller.app_reaches(project.id),
            Kind::Scoped(_) | Kind::FineGrained(_) => project.visible_to(Some(&caller.account)),
        };
        project.visibility == Visibility::Public || (token && owner)
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
    if !caller.may_push_to(&project) {
        let text = format!("Permission to {}.git denied to {}.", project.path, caller.account.username);
        return Err(Refusal::forbidden(text));
    }
    Ok(project)
}
