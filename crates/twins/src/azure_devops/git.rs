//! Who may fetch from a repository and push to it, and Azure DevOps's words for no.

use std::sync::Arc;

use crate::admission::{Presented, Refusal, pushes_are_forbidden};
use crate::rules::open_to_all;
use crate::smart_http::{GitRequest, Service};
use crate::world::{Project, World};

use super::api::{READ, WRITE};
use super::problem::{needs, no_repository};

pub(super) fn admit(world: &World, request: &GitRequest<'_>, presented: &Presented) -> Result<Arc<Project>, Refusal> {
    const DENIED: &str = "Access denied";
    let push = request.service == Service::Push;
    let caller = match presented {
        Presented::Token(caller) => caller,
        Presented::Useless => return Err(Refusal::unauthorized(DENIED)),
        Presented::Nothing => return open_to_all(world, request).ok_or(Refusal::unauthorized(DENIED)),
    };
    if !caller.has_scope(if push { WRITE } else { READ }) {
        return Err(Refusal::unauthorized(DENIED));
    }
    let account = Some(&caller.account);
    let name = request.repository.rsplit('/').next().unwrap_or_default();
    let project = world.project(request.repository).filter(|project| project.readable_by(account));
    let project = project.ok_or_else(|| Refusal::not_found(no_repository(name)))?;
    if push && (!project.pushable_by(account) || pushes_are_forbidden(world)) {
        return Err(Refusal::forbidden(needs("GenericContribute")));
    }
    Ok(project)
}
