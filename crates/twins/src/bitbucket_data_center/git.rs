//! Who may fetch from a repository and push to it, and Data Center's words for no.

use std::sync::Arc;

use crate::admission::{Presented, Refusal, pushes_are_forbidden};
use crate::rules::open_to_all;
use crate::smart_http::{GitRequest, Service};
use crate::world::{Project, World};

use super::api::{READ, WRITE};

pub(super) fn admit(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    const UNSEEN: &str = "Repository not found\nThe requested repository does not exist, or you do not have permission \
        to access it.";
    const FAILED: &str = "Authentication failed. Please check your credentials and try again.";
    let push = request.service == Service::Push;
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized(FAILED)),
        Presented::Nothing => return open_to_all(world, request).ok_or(Refusal::unauthorized(FAILED)),
    };
    let account = Some(&caller.account);
    let readable = |project: &Arc<Project>| {
        caller.reaches(&project.path) && caller.has_scope(READ) && project.readable_by(account)
    };
    let project = world.project(request.repository).filter(readable);
    let project = project.ok_or_else(|| Refusal::in_protocol(request.service, UNSEEN))?;
    let may_push = caller.has_scope(WRITE) && project.pushable_by(account) && !pushes_are_forbidden(world);
    if push && !may_push {
        return Err(Refusal::forbidden("You do not have permission to push to this repository."));
    }
    Ok(project)
}
