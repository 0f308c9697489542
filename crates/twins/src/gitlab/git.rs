//! Who may fetch from a project and push to it, and GitLab's words for no.

use std::sync::Arc;

use crate::admission::{Presented, Refusal, pushes_are_forbidden};
use crate::rules::open_to_all;
use crate::smart_http::{GitRequest, Service};
use crate::world::{Project, World};

pub(super) fn admit(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    const DENIED: &str = "HTTP Basic: Access denied. If a password was provided for Git authentication, the password \
        was incorrect or you're required to use a token instead of a password. If a token was provided, it was either \
        incorrect, expired, or improperly scoped.";
    const UNSEEN: &str = "The project you were looking for could not be found or you don't have permission to view it.";
    let push = request.service == Service::Push;
    let project = world.project(request.repository);
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized(DENIED)),
        Presented::Nothing => return open_to_all(world, request).ok_or(Refusal::unauthorized(DENIED)),
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
