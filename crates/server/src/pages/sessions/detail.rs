//! The page of one session.

use std::collections::HashMap;

use axum::{extract::State, response::IntoResponse};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use valetkey_model::{
    Actor, IntegrationId, Phase, Problem, RepositoryChanges, RepositoryRun, Role, Session, SessionId,
};
use valetkey_sessions::Engine;

use super::{
    changes::Changes,
    log::{Excerpt, LogView},
    steps::{StepView, timeline},
};
use crate::{
    App,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        form::ProblemView,
        frame::{Did, Frame, Section},
        render::{Page, View},
        words::{Badge, Moment, span, title},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct DetailView {
    #[serde(flatten)]
    overview: Overview,
    log: LogView,
}

impl View for DetailView {
    const TEMPLATE: &'static str = "session.html";
}

/// Everything but the log; the script fetches it anew when a step or phase changes.
#[derive(Debug, Serialize)]
struct Overview {
    id: String,
    title: String,
    /// The whole task, where the title is not all of it.
    task: Option<String>,
    phase: Badge,
    over: bool,
    project: String,
    /// Who started it; none if whoever looks did.
    by: Option<String>,
    may_stop: bool,
    may_delete: bool,
    may_start: bool,
    started: Moment,
    took: String,
    since: Option<String>,
    agent: String,
    assistant: Option<Origin>,
    time_limit: String,
    pull_request: bool,
    outcome: Option<Outcome>,
    failure: Option<ProblemView>,
    stopped: bool,
    workspace: Option<String>,
    repositories: Vec<Repository>,
    changes: Option<Changes>,
    steps: Vec<StepView>,
}

impl View for Overview {
    const TEMPLATE: &'static str = "overview_alone.html";
}

/// The assistant that it was started from, by the name that it had.
#[derive(Debug, Serialize)]
struct Origin {
    name: String,
    address: String,
}

/// The notice of a session that succeeded.
#[derive(Debug, Serialize)]
struct Outcome {
    headline: String,
    nothing_changed: bool,
}

#[derive(Debug, Serialize)]
struct Repository {
    path: String,
    url: String,
    provider: Option<&'static str>,
    integration: Option<Chosen>,
    reason: Option<String>,
    /// Whether it changed, and nothing may be pushed there.
    unpushed: bool,
    branch: Option<String>,
    push_branch: Option<String>,
    commit: Option<String>,
    branch_url: Option<String>,
    pull_request_url: Option<String>,
}

/// The integration in use.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
enum Chosen {
    /// One that whoever looks may know of.
    Known { id: String, alias: String },
    /// Somebody else's own.
    Private,
    /// It was disconnected since.
    Gone,
}

/// What a session's page shows besides the session itself.
struct Around {
    excerpt: Excerpt,
    changes: Vec<RepositoryChanges>,
    chosen: HashMap<IntegrationId, Chosen>,
    /// The name of who started it.
    owner: String,
}

impl Overview {
    fn new(session: &Session, around: &Around, to: &Actor, now: Timestamp) -> Self {
        let (spec, times) = (&session.spec, &session.times);
        let title = title(&spec.task);
        let seconds = i64::try_from(spec.timeout_seconds).unwrap_or(i64::MAX);
        Self {
            id: session.id.to_string(),
            task: (spec.task.trim() != title).then(|| spec.task.clone()),
            title,
            phase: session.phase.into(),
            over: session.phase.is_final(),
            project: session.project.to_string(),
            by: (session.owner != to.user).then(|| around.owner.clone()),
            may_stop: !session.phase.is_final() && Engine::manages(to, session),
            may_delete: session.phase.is_final() && Engine::manages(to, session),
            may_start: to.is(Role::Member, &session.project),
            started: Moment::past(now, times.created_at),
            took: span(times.ended_at.unwrap_or(now).duration_since(times.created_at)),
            since: (!session.phase.is_final()).then(|| times.created_at.to_string()),
            agent: shell_words::join(&spec.agent),
            assistant: spec.assistant.as_ref().map(|from| Origin {
                name: from.name.to_string(),
                address: format!("/projects/{}/assistants/{}", session.project, from.id),
            }),
            time_limit: span(SignedDuration::from_secs(seconds)),
            pull_request: spec.pull_request,
            outcome: (session.phase == Phase::Completed).then(|| Outcome::new(session)),
            failure: session.failure.as_ref().map(ProblemView::from),
            stopped: session.phase == Phase::Stopped,
            workspace: session.workspace.clone().filter(|_| session.phase.is_final()),
            repositories: session.repositories.iter().map(|run| Repository::new(run, &around.chosen)).collect(),
            changes: Changes::summary(session, &around.changes),
            steps: timeline(session, &around.excerpt.events, now),
        }
    }
}

impl Outcome {
    fn new(session: &Session) -> Self {
        let message = session.message.as_deref().unwrap_or_default();
        Self {
            headline: message.lines().next().unwrap_or("Completed").to_owned(),
            nothing_changed: session.repositories.iter().all(|run| run.branch_url.is_none() && !run.unpushed),
        }
    }
}

impl Repository {
    fn new(run: &RepositoryRun, chosen: &HashMap<IntegrationId, Chosen>) -> Self {
        let chosen = |id: &IntegrationId| chosen.get(id).cloned().unwrap_or(Chosen::Gone);
        let text = |branch: &Option<valetkey_model::BranchName>| branch.as_ref().map(ToString::to_string);
        Self {
            path: run.url.path().to_owned(),
            url: run.url.browse_url(),
            provider: run.provider.map(valetkey_model::ProviderKind::name),
            integration: run.integration.as_ref().map(chosen),
            reason: run.integration_reason.clone(),
            unpushed: run.unpushed,
            branch: text(&run.branch),
            push_branch: text(&run.push_branch),
            commit: run.commit.as_ref().map(|commit| commit.as_str().chars().take(8).collect()),
            branch_url: run.branch_url.clone().filter(|url| is_web(url)),
            pull_request_url: run.pull_request_url.clone().filter(|url| is_web(url)),
        }
    }
}

/// Whether a link that a provider gave leads to a page and does nothing else.
fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<SessionId>,
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let session = app.engine.session(&caller.actor, &id).await?;
    let around = Around::of(&app, &caller, &session).await?;
    let overview = Overview::new(&session, &around, &caller.actor, app.now());
    let frame = Frame::new(&app, &caller, Section::Sessions, overview.title.clone()).after(did.as_deref());
    let log = LogView::new(&session, &around.excerpt);
    Ok(Page::new(frame, DetailView { overview, log }))
}

pub(super) async fn overview(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<SessionId>,
) -> Answer<impl IntoResponse> {
    let session = app.engine.session(&caller.actor, &id).await?;
    let around = Around::of(&app, &caller, &session).await?;
    let overview = Overview::new(&session, &around, &caller.actor, app.now());
    Ok(Page::new(Frame::new(&app, &caller, Section::Sessions, ""), overview))
}

impl Around {
    async fn of(app: &App, caller: &Caller, session: &Session) -> Result<Self, Problem> {
        let mut chosen = HashMap::new();
        for id in session.repositories.iter().filter_map(|run| run.integration.as_ref()) {
            let found = app.store.integration(id).await?.filter(|it| !it.removing);
            let state = match found {
                Some(it) if caller.actor.sees(&it) => {
                    Chosen::Known { id: it.id.to_string(), alias: it.alias.to_string() }
                }
                Some(_) => Chosen::Private,
                None => Chosen::Gone,
            };
            chosen.insert(id.clone(), state);
        }
        let owner = app.store.user(&session.owner).await?;
        Ok(Self {
            excerpt: Excerpt::read(app, &session.id).await?,
            changes: app.engine.changes(&caller.actor, &session.id).await?,
            chosen,
            owner: owner.map_or_else(|| session.owner.to_string(), |user| user.name),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::StepOutcome;

    use super::{
        super::{
            changes, log,
            steps::tests::events,
            tests::{now, session},
        },
        *,
    };
    use crate::pages::render::tests::{html, weight};

    fn around(session: &Session, steps: usize, outcome: Option<StepOutcome>) -> Around {
        let id = "018f0000-0000-7000-8000-000000000001".parse().unwrap();
        let chosen = Chosen::Known { id: "018f".to_owned(), alias: "john@gitlab.com".to_owned() };
        let changes = if session.phase == Phase::Completed { changes::tests::sample() } else { Vec::new() };
        Around {
            excerpt: Excerpt::of(events(session, steps, outcome)),
            changes,
            chosen: HashMap::from([(id, chosen)]),
            owner: "Administrator".to_owned(),
        }
    }

    fn overview_of(session: &Session, steps: usize, outcome: Option<StepOutcome>) -> Overview {
        Overview::new(session, &around(session, steps, outcome), &Actor::admin(), now())
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let detail = |phase, steps, outcome| {
            let session = session(1, phase);
            html(DetailView { overview: overview_of(&session, steps, outcome), log: log::tests::sample(&session) })
        };
        vec![
            ("session_completed", detail(Phase::Completed, 6, Some(StepOutcome::Done))),
            ("session_running", detail(Phase::Running, 4, None)),
            ("session_failed", detail(Phase::Failed, 5, Some(StepOutcome::Failed))),
            ("session_stopped", detail(Phase::Stopped, 4, Some(StepOutcome::Failed))),
            ("overview", html(overview_of(&session(1, Phase::Pending), 0, None))),
        ]
    }

    #[test]
    fn the_log_can_not_add_to_the_page() {
        let session = session(1, Phase::Completed);
        let overview = overview_of(&session, 6, Some(StepOutcome::Done));
        let page = html(DetailView { overview, log: log::tests::sample(&session) });
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"), "{page}");
    }

    #[test]
    fn only_what_one_may_know_of_is_named() {
        let session = session(1, Phase::Running);
        let page = |state: Option<Chosen>| {
            let mut around = around(&session, 4, None);
            around.chosen = around.chosen.into_keys().filter_map(|id| Some((id, state.clone()?))).collect();
            html(Overview::new(&session, &around, &Actor::admin(), now()))
        };
        assert!(page(Some(Chosen::Private)).contains("integration of their own"));
        assert!(page(None).contains("disconnected since"));
        assert!(html(overview_of(&session, 4, None)).contains("href=\"/integrations#018f\""));
    }

    #[test]
    fn one_sees_who_started_it_and_is_offered_what_one_may_do() {
        let mut session = session(1, Phase::Running);
        session.owner = "jane".parse().unwrap();
        let page = |role: Option<Role>| {
            let roles = role.map(|role| (session.project.clone(), role)).into_iter().collect();
            let viewer = Actor::new("eve".parse().unwrap(), false, roles);
            html(Overview::new(&session, &around(&session, 4, None), &viewer, now()))
        };
        let seen: Vec<_> = [Role::Viewer, Role::Member, Role::Admin].map(|role| page(Some(role))).into();
        let offers = |word| seen.iter().map(|page| page.contains(word)).collect::<Vec<_>>();
        assert_eq!(offers("by <bdi>Administrator</bdi>"), [true; 3]);
        assert_eq!(offers("id=\"again\""), [false, true, true]);
        assert_eq!(offers("id=\"stop\""), [false, false, true]);
        assert_eq!(offers("/delete\""), [false; 3], "it still runs");
    }

    #[test]
    fn what_is_over_can_be_deleted_by_whoever_may() {
        let mut session = session(1, Phase::Completed);
        session.owner = "jane".parse().unwrap();
        let offered = |user: &str, role: Role| {
            let by = Actor::new(user.parse().unwrap(), false, [(session.project.clone(), role)].into());
            html(Overview::new(&session, &around(&session, 6, None), &by, now())).contains("/delete\"")
        };
        assert!(offered("jane", Role::Member) && offered("eve", Role::Admin));
        assert!(!offered("eve", Role::Member) && !offered("jane", Role::Viewer));
    }

    #[test]
    fn the_largest_page_is_small() {
        let session = session(1, Phase::Completed);
        let mut around = around(&session, 6, Some(StepOutcome::Done));
        around.changes = changes::tests::most();
        let overview = Overview::new(&session, &around, &Actor::admin(), now());
        let size = weight(&html(DetailView { overview, log: log::tests::longest(&session) }));
        assert!(size < 100_000, "{size} bytes");
    }

    #[test]
    fn only_links_to_pages_are_links() {
        let mut session = session(1, Phase::Completed);
        session.repositories[0].pull_request_url = Some("javascript:alert(1)".into());
        let overview = overview_of(&session, 6, Some(StepOutcome::Done));
        assert!(overview.repositories[0].pull_request_url.is_none());
        assert!(overview.repositories[0].branch_url.is_some());
    }

    #[test]
    fn a_failure_says_what_to_do_and_where_the_work_is() {
        let page = html(overview_of(&session(1, Phase::Failed), 5, Some(StepOutcome::Failed)));
        for words in ["Insufficient permissions", "Reconnect your GitLab account", "workspaces/018f"] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
}
