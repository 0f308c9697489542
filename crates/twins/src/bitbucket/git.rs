//! Who may fetch from a repository and push to it, and Bitbucket Cloud's words for no.

use std::sync::Arc;

use crate::admission::{Presented, Refusal, pushes_are_forbidden};
use crate::rules::open_to_all;
use crate::smart_http::{GitRequest, Service};
use crate::world::{Project, World};

use super::api::{READ_REPOSITORY, WRITE_REPOSITORY};

pub(super) const RETIRED: &str = "App passwords are deprecated and must be replaced with API tokens.";

pub(super) fn admit(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    const UNSEEN: &str = "You may not have access to this repository or it no longer exists in this workspace. If you \
        think this repository exists and you have access, make sure you are authenticated.";
    const NO_SCOPE: &str = "Your credentials lack one or more required privilege scopes.";
    let push = request.service == Service::Push;
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized(UNSEEN)),
        Presented::Nothing => return open_to_all(world, request).ok_or(Refusal::unauthorized(UNSEEN)),
    };
    if !caller.has_scope(if push { WRITE_REPOSITORY } else { READ_REPOSITORY }) {
        return Err(Refusal::forbidden(NO_SCOPE));
    }
    let account = Some(&caller.account);
    let project = world.project(request.repository).filter(|project| caller.reaches(&project.path));
    let project = project.filter(|project| project.visible_to(account)).ok_or(Refusal::forbidden(UNSEEN))?;
    if push && (!project.pushable_by(account) || pushes_are_forbidden(world)) {
        return Err(Refusal::forbidden("Forbidden"));
    }
    Ok(project)
}
