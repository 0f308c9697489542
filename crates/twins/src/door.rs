//! The door that every request comes through: the journal, the faults, the limits; and the way to what answers.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use futures_util::TryStreamExt;

use crate::faults::{Surface, Voice};
use crate::fixtures::TokenState;
use crate::journal::Progress;
use crate::limits::Unmetered;
use crate::listener::Wire;
use crate::mishap::{self, Mishap};
use crate::rules::ForgeRules;
use crate::world::World;
use crate::{oauth, pages, smart_http};

pub(crate) fn router(world: &Arc<World>) -> Router {
    let mut api = world.rules().routes(world);
    if let Some(authority) = &world.oauth {
        api = api.merge(oauth::routes(authority));
    }
    api.fallback(elsewhere).layer(middleware::from_fn_with_state(Arc::clone(world), pass)).with_state(Arc::clone(world))
}

/// What is no API route: git, a page, or nothing.
async fn elsewhere(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if world.rules().is_api(parts.uri.path()) {
        return world.rules().no_such_route();
    }
    match smart_http::serve(&world, &parts, body).await {
        Some(response) => response,
        None => pages::show(&world, &parts.uri),
    }
}

async fn pass(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let rules = world.rules();
    let surface = Surface::of(rules, &parts.uri);
    let presented = world.identify(surface, &parts.headers);
    let progress = world.log.arrived(&parts, presented.caller().map(|caller| caller.account.username.clone()));
    let served = world.count_request();

    let mishap = world.mishaps.take(&parts.method, parts.uri.path());
    let wire = parts.extensions.get::<ConnectInfo<Wire>>().cloned();
    let fault = match mishap {
        Some(Mishap::Refuse { status, retry_after }) => Some(mishap::refused(status, retry_after)),
        _ => world.faults.answer(rules, surface, &parts.method, &parts.uri).await,
    };
    let refusal = fault.or_else(|| rules.refuses(&world, surface?, &parts.headers));
    let mut response = match (refusal, presented.caller().map(|caller| caller.token.state)) {
        (Some(refusal), _) => refusal,
        (None, Some(TokenState::RateLimited { retry_after })) => rules.limit_exceeded(retry_after),
        (None, _) => next.run(Request::from_parts(parts, counted(body, &progress))).await,
    };
    if surface == Some(Surface::Api) && response.extensions().get::<Unmetered>().is_none() {
        rules.stamp(response.headers_mut(), served);
    }
    match wire.filter(|_| mishap == Some(Mishap::LoseAnswer)) {
        Some(ConnectInfo(wire)) => wire.cut(),
        None => progress.answered(response.status().as_u16()),
    }
    response
}

/// Counts the bytes of a body as they are read.
pub(crate) fn counted(body: Body, progress: &Arc<Progress>) -> Body {
    let progress = Arc::clone(progress);
    Body::from_stream(body.into_data_stream().inspect_ok(move |chunk| progress.received(chunk.len())))
}

impl Voice for dyn ForgeRules {
    fn limited(&self, retry_after: Option<u64>) -> Response {
        self.limit_exceeded(retry_after)
    }

    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response {
        self.secondary_limit_exceeded(retry_after)
    }

    fn lacks_scope(&self) -> Response {
        self.insufficient_scope()
    }
}
