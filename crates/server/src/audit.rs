//! What the routes put into the audit trail: every change, and every refusal.
//!
//! Connecting, signing in and starting a session are recorded where they are done, because there is more than one way to
//! them; of these a route records only what did not come about.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderMap, Method, StatusCode};
use valetkey_integrations::Trail;
use valetkey_model::{
    AuditAction, AuditActor, AuditEvent, AuditObject, AuditOutcome, Problem, ProblemCode, ProjectName, ProviderKind,
    SessionId,
};

use crate::{
    App,
    auth::{self, Caller},
    client::ClientAddress,
    problem::Failure,
    route::{Permission, Row},
};

/// What is recorded of a route.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    action: AuditAction,
    when: When,
    path: &'static str,
    /// Whether there is nothing to find out by asking for it.
    public: bool,
}

/// When a route is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Whatever comes of it.
    Always,
    /// When it does not come about.
    Problems,
    /// When somebody may not.
    Refusals,
}

impl Watch {
    pub(crate) fn of(row: &Row) -> Self {
        let route = || format!("{} {}", row.method, row.path);
        let name = row.operation.as_ref().map_or_else(route, |operation| operation.id.to_owned());
        let reads = matches!(row.method, Method::GET | Method::HEAD);
        let (action, when) = named(&name).unwrap_or_else(|| {
            let action = name.parse().expect("a route's name is short and visible");
            (action, if reads { When::Refusals } else { When::Always })
        });
        Self { action, when, path: row.path, public: row.permission == Permission::Public }
    }

    /// What it is recorded as.
    #[cfg(test)]
    pub(crate) fn action(&self) -> &AuditAction {
        &self.action
    }
}

/// The routes whose actions have words of their own.
fn named(route: &str) -> Option<(AuditAction, When)> {
    Some(match route {
        "POST /sign-in" | "POST /sign-in/{token}" | "GET /sign-in/oidc/callback" => {
            (AuditAction::SignIn, When::Problems)
        }
        "POST /sign-out" => (AuditAction::SignOut, When::Always),
        "connectIntegration"
        | "pollDevice"
        | "ambientConnectGitlab"
        | "ambientConnectJira"
        | "ambientSaveGithubPat"
        | "GET /oauth/callback"
        | "POST /integrations/connect/{provider}" => (AuditAction::IntegrationConnect, When::Problems),
        "rotateIntegration" | "POST /integrations/{id}/rotate" | "POST /integrations/{id}/token" => {
            (AuditAction::IntegrationRotate, When::Problems)
        }
        "disconnectIntegration"
        | "ambientDisconnectGitlab"
        | "ambientDeleteGitlab"
        | "ambientDisconnectGithub"
        | "ambientRemoveGithubPat"
        | "ambientDisconnectJira"
        | "ambientDeleteJira"
        | "ambientDisconnectGoogle"
        | "POST /integrations/{id}/disconnect" => (AuditAction::IntegrationDisconnect, When::Problems),
        "createSession" | "POST /sessions" => (AuditAction::SessionCreate, When::Problems),
        "stopSession" | "POST /sessions/{id}/stop" => (AuditAction::SessionStop, When::Always),
        "deleteSession" | "POST /sessions/{id}/delete" => (AuditAction::SessionDelete, When::Always),
        "createToken" | "POST /settings/tokens" => (AuditAction::TokenCreate, When::Always),
        "deleteToken" | "POST /settings/tokens/{id}/end" => (AuditAction::TokenRevoke, When::Always),
        "exportAudit" | "GET /audit/export" => (AuditAction::AuditExport, When::Always),
        _ => return None,
    })
}

/// Runs a handler and records what came of it.
pub(crate) async fn record(app: App, watch: Watch, request: Request, next: Next) -> Response {
    let asked = Asked::new(&watch, &request);
    if watch.when == When::Refusals {
        let response = next.run(request).await;
        if is_refusal(&watch, response.status()) {
            asked.note(&app, Answered::of(&response)).await;
        }
        return response;
    }
    // Whoever signs out is somebody until then.
    let headers = (watch.action == AuditAction::SignOut).then(|| request.headers().clone());
    let asked = asked.before(&app, headers).await;
    let response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            app.integrations
                .trail()
                .note(asked.event(&app, &Answered::default()).await.ended_with(ProblemCode::Internal))
                .await;
            std::panic::resume_unwind(panic);
        }
    };
    let done = is_done(response.status());
    if done && watch.when == When::Problems {
        return response;
    }
    if done && asked.is_known() {
        let event = asked.event(&app, &Answered::of(&response)).await;
        return match app.integrations.trail().record(event).await {
            Ok(()) => response,
            Err(problem) => not_recorded(&problem).into_response(),
        };
    }
    asked.note(&app, Answered::of(&response)).await;
    response
}

/// A page or file that anybody may see has nothing to hide behind "not found".
fn is_refusal(watch: &Watch, status: StatusCode) -> bool {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::NOT_FOUND => !watch.public && watch.path.contains('{'),
        _ => false,
    }
}

fn not_recorded(problem: &Problem) -> Failure {
    let detail = format!("It was done, but it could not be recorded: {}", problem.detail);
    Problem::new(ProblemCode::Internal, detail).remedy("The server's log says why.").into()
}

/// What is known of a request before it is answered.
pub(crate) struct Asked {
    action: AuditAction,
    actor: AuditActor,
    from: ClientAddress,
    template: &'static str,
    path: String,
    /// Of what is to be changed, and may be gone afterwards.
    project: Option<ProjectName>,
    changes: bool,
}

impl Asked {
    pub(crate) fn new(watch: &Watch, request: &Request) -> Self {
        let caller = request.extensions().get::<Caller>().map(|caller| caller.actor.user.clone());
        Self {
            action: watch.action.clone(),
            actor: caller.map_or(AuditActor::Anonymous, AuditActor::Person),
            from: ClientAddress::of(request.extensions()),
            template: watch.path,
            path: request.uri().path().to_owned(),
            project: None,
            changes: watch.when != When::Refusals,
        }
    }

    /// Looks at what will be another thing afterwards.
    async fn before(mut self, app: &App, headers: Option<HeaderMap>) -> Self {
        self.project = self.project_of_object(app).await;
        if let Some(headers) = headers
            && let Ok(caller) = auth::identify(app, &headers).await
        {
            self.actor = AuditActor::Person(caller.actor.user);
        }
        self
    }

    /// Notes that they were turned away before any handler.
    pub(crate) async fn turned_away(&self, app: &App, problem: &Problem) {
        let event = self.event(app, &Answered::default()).await;
        app.integrations.trail().note_seldom(event.ended_with(problem.code)).await;
    }

    fn is_known(&self) -> bool {
        self.actor != AuditActor::Anonymous
    }

    /// Notes how it ended; of what somebody unknown may do without end, and of looking, not each time.
    async fn note(&self, app: &App, answer: Answered) {
        let (event, trail): (_, &Trail) = (self.event(app, &answer).await, app.integrations.trail());
        if event.outcome == AuditOutcome::Allowed && !self.is_known() {
            return;
        }
        if self.changes && self.is_known() { trail.note(event).await } else { trail.note_seldom(event).await }
    }

    async fn event(&self, app: &App, answer: &Answered) -> AuditEvent {
        let done = answer.status.is_some_and(is_done);
        let object = answer.made.clone().or_else(|| object_in(self.template, &self.path, done));
        let session =
            object.as_ref().filter(|object| object.kind == "session").and_then(|object| object.id.parse().ok());
        let event = AuditEvent {
            object,
            session,
            from: self.from.0,
            project: match &self.project {
                Some(project) => Some(project.clone()),
                None => self.project_in_path(app).await,
            },
            ..app.integrations.trail().event(self.actor.clone(), self.action.clone())
        };
        answer.ends(event)
    }

    /// The project that the path names, if there is such a one: anything else may be anything.
    async fn project_in_path(&self, app: &App) -> Option<ProjectName> {
        let name = parameters(self.template, &self.path).find(|(name, ..)| *name == "project")?.2.parse().ok()?;
        app.store.project_exists(&name).await.unwrap_or(false).then_some(name)
    }

    /// The project of what the path names by its id.
    async fn project_of_object(&self, app: &App) -> Option<ProjectName> {
        let object = object_in(self.template, &self.path, false)?;
        match object.kind.as_str() {
            "session" => Some(app.store.session_of(&object.id.parse().ok()?).await.ok()??.1),
            // What is a person's own concerns nobody in the project.
            "integration" => match app.store.integration(&object.id.parse().ok()?).await.ok()??.scope {
                valetkey_model::OwnerScope::Project(project) => Some(project),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What an answer says of how it went.
#[derive(Debug, Default)]
struct Answered {
    status: Option<StatusCode>,
    code: Option<ProblemCode>,
    /// What was made, where the handler says so by an extension of its answer.
    made: Option<AuditObject>,
}

fn is_done(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

impl Answered {
    fn of(response: &Response) -> Self {
        let (status, extensions) = (response.status(), response.extensions());
        let of_status = match status {
            StatusCode::UNAUTHORIZED => Some(ProblemCode::Unauthenticated),
            StatusCode::FORBIDDEN => Some(ProblemCode::Forbidden),
            StatusCode::NOT_FOUND => Some(ProblemCode::NotFound),
            _ => None,
        };
        let code = extensions.get().copied().or(of_status);
        Self { status: Some(status), code, made: extensions.get().cloned() }
    }

    fn ends(&self, event: AuditEvent) -> AuditEvent {
        match (self.status, self.code) {
            (Some(status), _) if is_done(status) => event,
            (Some(_), Some(code)) => event.ended_with(code),
            (Some(_), None) => AuditEvent { outcome: AuditOutcome::Failed, ..event },
            (None, _) => event,
        }
    }
}

/// The parts of a path that vary: their names, the words before them, and what is there.
fn parameters<'a>(template: &'a str, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let words = std::iter::once("").chain(template.split('/'));
    let parts = template.split('/').zip(path.split('/')).zip(words);
    parts.filter_map(|((part, value), before)| Some((part.strip_prefix('{')?.strip_suffix('}')?, before, value)))
}

/// The last thing that a path names. What is no id of ours may be anything, a token in the wrong place or what somebody
/// named something of their own; a name counts when there turned out to be such a thing, an alias and a secret never.
fn object_in(template: &str, path: &str, done: bool) -> Option<AuditObject> {
    let thing = |(name, before, value): (&str, &str, &str)| {
        let (is_id, plain) = (value.parse::<SessionId>().is_ok(), !value.contains('%') && value.len() <= 100);
        match name {
            "token" | "project" => None,
            "provider" => value.parse::<ProviderKind>().ok().map(|kind| AuditObject::new("provider", kind.slug())),
            "id" => is_id.then(|| AuditObject::new(singular(before), value)),
            _ => (is_id || (done && plain)).then(|| AuditObject::new(name, value)),
        }
    };
    parameters(template, path).filter_map(thing).last()
}

/// `integrations` → `integration`, `repositories` → `repository`.
fn singular(word: &str) -> String {
    match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => word.trim_end_matches('s').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    const ID: &str = "018f0000-0000-7000-8000-000000000000";

    fn object(template: &str, path: &str, done: bool) -> Option<(String, String)> {
        object_in(template, path, done).map(|object| (object.kind, object.id))
    }

    #[test]
    fn a_path_names_things_by_id_and_never_a_secret() {
        let one = |kind: &str, id: &str| Some((kind.to_owned(), id.to_owned()));
        let path = format!("/api/v1/integrations/{ID}/test");
        assert_eq!(object("/api/v1/integrations/{id}/test", &path, false), one("integration", ID));
        assert_eq!(object("/integrations/{id}", "/integrations/glpat-secret", true), None, "an alias, or worse");
        assert_eq!(object("/sign-in/{token}", &format!("/sign-in/{ID}"), true), None);
        assert_eq!(object("/settings/apps/{provider}", "/settings/apps/github", false), one("provider", "github"));
        assert_eq!(object("/settings/apps/{provider}", "/settings/apps/glpat-x", true), None);
        assert_eq!(object("/p/{project}/secrets/{name}", "/p/a/secrets/glpat-x", false), None, "nobody knows it");
        assert_eq!(object("/p/{project}/secrets/{name}", "/p/a/secrets/TOKEN", true), one("name", "TOKEN"));
        let path = format!("/api/projects/p/agentic-sessions/{ID}/credentials/github");
        let template = "/api/projects/{project}/agentic-sessions/{session}/credentials/github";
        assert_eq!(object(template, &path, false), one("session", ID));
    }

    #[test]
    fn whatever_changes_something_is_watched() {
        let mut words = 0;
        for row in routes::table() {
            let watch = Watch::of(&row);
            let reads = row.method == Method::GET;
            assert!(reads || watch.when != When::Refusals, "{} {}", row.method, row.path);
            words += usize::from(!matches!(watch.action, AuditAction::Route(_)));
        }
        assert_eq!(words, 35, "each word of the table is that of a route");
    }
}
