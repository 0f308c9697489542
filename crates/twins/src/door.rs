//! The door that every request comes through: the journal, the faults, the limits; and the way to what answers.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use futures_util::TryStreamExt;

use crate::faults::Surface;
use crate::fixtures::TokenState;
use crate::journal::Progress;
use crate::twin::Forge;
use crate::world::{Caller, World};
use crate::{github, gitlab, limits, pages, smart_http};

pub(crate) fn router(world: &Arc<World>) -> Router {
    let api = match world.forge {
        Forge::GitLab => gitlab::routes(),
        Forge::GitHub => github::routes(world),
    };
    api.fallback(elsewhere).layer(middleware::from_fn_with_state(Arc::clone(world), pass)).with_state(Arc::clone(world))
}

/// What is no API route: git, a page, or nothing.
async fn elsewhere(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path().starts_with("/api/") {
        return match world.forge {
            Forge::GitLab => gitlab::no_such_route(),
            Forge::GitHub => github::no_such_route(),
        };
    }
    match smart_http::serve(&world, &parts, body).await {
        Some(response) => response,
        None => pages::show(&world, &parts.uri),
    }
}

async fn pass(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let surface = Surface::of(&parts.uri);
    let token = world.presented(surface, &parts.headers);
    let caller = token.and_then(|token| world.caller(&token)).filter(Caller::works);
    let progress = world.log.arrived(&parts, caller.as_ref().map(|caller| caller.account.username.clone()));
    let served = world.count_request();

    let fault = world.faults.answer(world.forge, surface, &parts.method, &parts.uri).await;
    let mut response = match (fault, caller.map(|caller| caller.token.state)) {
        (Some(fault), _) => fault,
        (None, Some(TokenState::RateLimited { retry_after })) => limits::exceeded(world.forge, retry_after),
        (None, _) => next.run(Request::from_parts(parts, counted(body, &progress))).await,
    };
    if surface == Some(Surface::Api) {
        limits::stamp(world.forge, &mut response, served);
    }
    progress.answered(response.status().as_u16());
    response
}

fn counted(body: Body, progress: &Arc<Progress>) -> Body {
    let progress = Arc::clone(progress);
    Body::from_stream(body.into_data_stream().inspect_ok(move |chunk| progress.received(chunk.len())))
}
