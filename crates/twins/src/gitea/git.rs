//! Who may fetch from a repository and push to it, and Gitea's words for no.

use std::sync::Arc;

use crate::admission::{Presented, Refusal, pushes_are_forbidden};
use crate::rules::open_to_all;
use crate::smart_http::{GitRequest, Service};
use crate::world::{Project, World};

use super::api::may;

pub(super) fn admit(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    let push = request.service == Service::Push;
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized("Unauthorized\n")),
        Presented::Nothing => return open_to_all(world, request).ok_or(Refusal::unauthorized("Unauthorized\n")),
    };
    let account = Some(&caller.account);
    let project = world.project(request.repository).filter(|project| caller.reaches(&project.path));
    let project = project.filter(|project| project.visible_to(account)).ok_or(Refusal::not_found("Not found\n"))?;
    let (scope, allowed) = if push {
        ("write:repository", project.pushable_by(account) && !pushes_are_forbidden(world))
    } else {
        ("read:repository", project.readable_by(account))
    };
    if push && project.archived {
        let text =
            "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests.";
        return Err(Refusal::forbidden(text));
    }
    if !may(caller, scope) || !allowed {
        let verb = if push { "writing" } else { "reading" };
        return Err(Refusal::forbidden(format!("User permission denied for {verb}.")));
    }
    Ok(project)
}
