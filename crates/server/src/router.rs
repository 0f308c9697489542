//! The table made into a service, with what holds for every route: who may, how long, how much, and the headers.

use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, RequestExt as _, Router,
    extract::{DefaultBodyLimit, MatchedPath, RawPathParams, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::MethodRouter,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::time::timeout;
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer, set_header::SetResponseHeaderLayer};
use valetkey_model::{Actor, AssistantRef, IntegrationRef, Problem, ProblemCode, ProjectName, SessionId};

use crate::{
    App,
    audit::{self, Asked, Watch},
    auth::{self, Caller},
    client::ClientAddress,
    metrics, pages,
    problem::{Failure, after_panic},
    route::{Audience, Permission, Right, Row},
    routes,
};

const MAX_BODY: usize = 1 << 20;
const MAX_TIME: Duration = Duration::from_secs(60);

const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The server as a service.
pub fn router(app: App) -> Router {
    let origin = app.config.public_url.origin().ascii_serialization();
    let forms = CsrfLayer::new().with_rejection_response(|_| (Extension(CrossSite), cross_site()).into_response());
    // An address that no browser sends as an origin needs no exception.
    let forms = forms.clone().add_trusted_origin(origin).unwrap_or(forms);

    let mut by_path: BTreeMap<&str, MethodRouter<App>> = BTreeMap::new();
    let mut watches = HashMap::new();
    for row in routes::table() {
        if row.method != Method::GET {
            watches.insert(format!("{} {}", row.method, row.path), Watch::of(&row));
        }
        let path = row.path;
        let guarded = guard(row, &app);
        let all = by_path.remove(path).unwrap_or_default().merge(guarded);
        by_path.insert(path, all);
    }
    let mut router = Router::new();
    for (path, methods) in by_path {
        router = router.route(path, methods);
    }
    let router = router
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(forms)
        .layer(middleware::from_fn_with_state((app.clone(), Arc::new(watches)), note_cross_site))
        .layer(middleware::from_fn(pages::for_people))
        .layer(middleware::from_fn_with_state(app.clone(), metrics::count));
    with_headers(router).with_state(app)
}

/// On the answer to a request that came from another site's page.
#[derive(Debug, Clone, Copy)]
struct CrossSite;

/// Such a request is refused before its row is reached, and recorded all the same. `watches` are by method and path.
async fn note_cross_site(
    State((app, watches)): State<(App, Arc<HashMap<String, Watch>>)>,
    request: Request,
    next: Next,
) -> Response {
    let watch = request
        .extensions()
        .get::<MatchedPath>()
        .and_then(|path| watches.get(&format!("{} {}", request.method(), path.as_str())));
    let Some(watch) = watch else { return next.run(request).await };
    let asked = Asked::new(watch, &request);
    let response = next.run(request).await;
    if response.extensions().get::<CrossSite>().is_some() {
        asked.turned_away(&app, &cross_site().problem).await;
    }
    response
}

/// What every answer tells a browser, unless its handler says otherwise.
fn with_headers<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(default_header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(default_header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .layer(default_header(header::REFERRER_POLICY, HeaderValue::from_static("same-origin")))
        .layer(default_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// The same service for callers inside this process, who are the administrator: whoever can start it can read the
/// database and the key beside it anyway.
///
/// The identity is an extension of the request. Only code can set one, so the service that [`router`] makes can't be
/// talked into this over the network; this one must not be given a listener.
pub fn as_admin(router: Router) -> Router {
    router.layer(Extension(Caller::admin()))
}

fn default_header(name: HeaderName, value: HeaderValue) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, value)
}

/// A row's handler behind what its row asks for.
fn guard(row: Row, app: &App) -> MethodRouter<App> {
    let watch = Watch::of(&row);
    let Row { permission, audience, streams, handler, .. } = row;
    let watched = watch.clone();
    // Inside the bound: what is finished although the client hung up is recorded too.
    let record =
        move |State(app): State<App>, request: Request, next: Next| audit::record(app, watched.clone(), request, next);
    let bounded = move |request: Request, next: Next| async move {
        if streams { next.run(request).await } else { within_time(request, next).await }
    };
    let admit = move |State(app): State<App>, mut request: Request, next: Next| {
        let watch = watch.clone();
        async move {
            let problem = match admitted(&app, permission, &mut request).await {
                Ok(()) => return next.run(request).await,
                Err(problem) => problem,
            };
            // A browser whose session is over is only shown the way.
            if audience == Audience::Program || problem.code != ProblemCode::Unauthenticated {
                let asked = Asked::new(&watch, &request);
                asked.turned_away(&app, &problem).await;
            }
            turn_away(audience, &request, problem)
        }
    };
    let handler = handler.layer(middleware::from_fn_with_state(app.clone(), record));
    handler.layer(middleware::from_fn(bounded)).layer(middleware::from_fn_with_state(app.clone(), admit))
}

/// Finds out who asks, and refuses whoever may not.
async fn admitted(app: &App, permission: Permission, request: &mut Request) -> Result<(), Problem> {
    if matches!(permission, Permission::Public | Permission::Lease) {
        return Ok(());
    }
    let mut caller = match request.extensions().get::<Caller>() {
        Some(caller) => caller.clone(),
        None => auth::identify(app, request.headers()).await?,
    };
    caller.actor.from = ClientAddress::of(request.extensions()).0;
    request.extensions_mut().insert(caller.clone());
    if caller.actor.limits().read_only && !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::new(ProblemCode::Forbidden, "This token may only read.")
            .remedy("Use a token that may write; `valetkey tokens create` makes one."));
    }
    match permission {
        Permission::Project(role) => {
            let none = || Problem::new(ProblemCode::NotFound, "There is no such project.");
            caller.actor.require(role, &in_path(request, "project").await.ok_or_else(none)?)?;
        }
        Permission::Administrator => caller.actor.require_administrator()?,
        Permission::Integration(right) => may_reach_integration(app, &caller.actor, right, request).await?,
        Permission::Session(right) => may_reach_session(app, &caller.actor, right, request).await?,
        Permission::Assistant(right) => may_reach_assistant(app, &caller.actor, right, request).await?,
        // What is one person's alone is looked up among theirs.
        Permission::User | Permission::Owner | Permission::Public | Permission::Lease => {}
    }
    Ok(())
}

/// A part of the path; none if it can't be what its name says. A handler says so in its own words.
async fn in_path<T: FromStr>(request: &mut Request, name: &str) -> Option<T> {
    let path = request.extract_parts::<RawPathParams>().await.ok()?;
    path.iter().find(|(part, _)| *part == name)?.1.parse().ok()
}

async fn may_reach_integration(app: &App, by: &Actor, right: Right, request: &mut Request) -> Result<(), Problem> {
    let Some(which) = in_path::<IntegrationRef>(request, "id").await else { return Ok(()) };
    match right {
        Right::See => app.integrations.get(by, &which).await,
        Right::Use => app.integrations.testable(by, &which).await,
        Right::Manage => app.integrations.managed(by, &which).await,
    }
    .map(drop)
}

async fn may_reach_session(app: &App, by: &Actor, right: Right, request: &mut Request) -> Result<(), Problem> {
    let Some(id) = in_path::<SessionId>(request, "id").await else { return Ok(()) };
    match right {
        Right::See => app.engine.session(by, &id).await,
        Right::Use | Right::Manage => app.engine.managed(by, &id).await,
    }
    .map(drop)
}

async fn may_reach_assistant(app: &App, by: &Actor, right: Right, request: &mut Request) -> Result<(), Problem> {
    let none = || Problem::new(ProblemCode::NotFound, "There is no such project.");
    let project: ProjectName = in_path(request, "project").await.ok_or_else(none)?;
    let Some(which) = in_path::<AssistantRef>(request, "id").await else { return Ok(()) };
    let assistants = app.engine.assistants();
    match right {
        Right::See => assistants.named(by, &project, &which).await,
        Right::Use | Right::Manage => assistants.managed(by, &project, &which).await,
    }
    .map(drop)
}

fn turn_away(audience: Audience, request: &Request, problem: Problem) -> Response {
    if audience == Audience::Person && problem.code == ProblemCode::Unauthenticated {
        return Redirect::to(&pages::way_in(request.method(), request.uri())).into_response();
    }
    Failure::from(problem).into_response()
}

/// Runs a handler for at most [`MAX_TIME`]. One that may change something runs in a task of its own: what was begun is
/// finished even if the client hangs up half-way.
async fn within_time(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let run = next.run(request);
    let answer = if reads {
        timeout(MAX_TIME, run).await
    } else {
        match timeout(MAX_TIME, tokio::spawn(run)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return shutting_down().into_response(),
            },
            Err(late) => Err(late),
        }
    };
    answer.unwrap_or_else(|_| too_slow().into_response())
}

fn too_slow() -> Failure {
    Failure::new(ProblemCode::Internal, "The request took longer than 60 s.")
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
}

fn shutting_down() -> Failure {
    Failure::new(ProblemCode::Internal, "The server is shutting down.").with_status(StatusCode::SERVICE_UNAVAILABLE)
}

fn cross_site() -> Failure {
    Failure::new(ProblemCode::Forbidden, "The request came from another site's page and was refused.")
}

async fn no_such_route() -> Failure {
    Failure::new(ProblemCode::NotFound, "There is nothing at this address.")
}

async fn wrong_method() -> Failure {
    let failure =
        Failure::new(ProblemCode::InvalidInput, "This address does not take this method; see the header Allow.");
    failure.with_status(StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use axum::{body::Body, routing::get};
    use tokio::sync::{Notify, oneshot};
    use tower::{Service as _, ServiceExt as _};

    use super::*;

    fn request(method: Method) -> Request {
        Request::builder().method(method).uri("/").body(Body::empty()).unwrap()
    }

    fn bounded(methods: MethodRouter) -> Router {
        let router = Router::new().route("/", methods).layer(middleware::from_fn(within_time));
        router.layer(CatchPanicLayer::custom(after_panic))
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing() {
        let explode = async || -> Response { panic!("glpat-secret") };
        for method in [Method::GET, Method::POST] {
            let response = bounded(get(explode).post(explode)).oneshot(request(method)).await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
            let body = axum::body::to_bytes(response.into_body(), MAX_BODY).await.unwrap();
            assert!(!String::from_utf8(body.to_vec()).unwrap().contains("glpat"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_has_a_minute() {
        let hang = async || pending::<Response>().await;
        for method in [Method::GET, Method::POST] {
            let response = bounded(get(hang).post(hang)).oneshot(request(method)).await.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[tokio::test]
    async fn a_change_is_finished_though_the_client_hangs_up() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (finished, was_finished) = oneshot::channel();
        let finished = Arc::new(std::sync::Mutex::new(Some(finished)));
        let change = {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move || {
                begun.notify_one();
                go_on.notified().await;
                finished.lock().unwrap().take().unwrap().send(()).unwrap();
            }
        };
        let mut service = bounded(axum::routing::post(change));
        let answer = service.call(request(Method::POST));
        tokio::select! {
            _ = answer => panic!("nothing let it go on"),
            () = begun.notified() => {}
        }
        go_on.notify_one();
        was_finished.await.unwrap();
    }
}
