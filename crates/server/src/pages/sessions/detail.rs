//! The page of one session.

use std::collections::HashMap;

use axum::{extract::State, response::IntoResponse};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use valetkey_model::{Integration, IntegrationId, Phase, RepositoryRun, Session, SessionId};

use super::{
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
    branch: Option<String>,
    push_branch: Option<String>,
    commit: Option<String>,
    branch_url: Option<String>,
    pull_request_url: Option<String>,
}

/// The integration in use; without a name if it was disconnected since.
#[derive(Debug, Serialize)]
struct Chosen {
    alias: Option<String>,
    id: String,
}

type Aliases = HashMap<IntegrationId, String>;

impl Overview {
    fn new(session: &Session, excerpt: &Excerpt, aliases: &Aliases, now: Timestamp) -> Self {
        let (spec, times) = (&session.spec, &session.times);
        let title = title(&spec.task);
        let seconds = i64::try_from(spec.timeout_seconds).unwrap_or(i64::MAX);
        Self {
            id: session.id.to_string(),
            task: (spec.task.trim() != title).then(|| spec.task.clone()),
            title,
            phase: session.phase.into(),
            over: session.phase.is_final(),
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
            repositories: session.repositories.iter().map(|run| Repository::new(run, aliases)).collect(),
            steps: timeline(session, &excerpt.events, now),
        }
    }
}

impl Outcome {
    fn new(session: &Session) -> Self {
        let message = session.message.as_deref().unwrap_or_default();
        Self {
            headline: message.lines().next().unwrap_or("Completed").to_owned(),
            nothing_changed: session.repositories.iter().all(|run| run.branch_url.is_none()),
        }
    }
}

impl Repository {
    fn new(run: &RepositoryRun, aliases: &Aliases) -> Self {
        let chosen = |id: &IntegrationId| Chosen { alias: aliases.get(id).cloned(), id: id.to_string() };
        let text = |branch: &Option<valetkey_model::BranchName>| branch.as_ref().map(ToString::to_string);
        Self {
            path: run.url.path().to_owned(),
            url: run.url.browse_url(),
            provider: run.provider.map(valetkey_model::ProviderKind::name),
            integration: run.integration.as_ref().map(chosen),
            reason: run.integration_reason.as_deref().map(|reason| why(reason, run, aliases).to_owned()),
            branch: text(&run.branch),
            push_branch: text(&run.push_branch),
            commit: run.commit.as_ref().map(|commit| commit.as_str().chars().take(8).collect()),
            branch_url: run.branch_url.clone().filter(|url| is_web(url)),
            pull_request_url: run.pull_request_url.clone().filter(|url| is_web(url)),
        }
    }
}

/// Why that integration; behind its name, where it still has one, the name is not said again.
fn why<'a>(reason: &'a str, run: &RepositoryRun, aliases: &Aliases) -> &'a str {
    let alias = run.integration.as_ref().and_then(|id| aliases.get(id));
    alias.and_then(|alias| reason.strip_prefix(&format!("'{alias}' "))).unwrap_or(reason)
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
    let (session, excerpt, overview) = read(&app, &caller, &id).await?;
    let frame = Frame::new(&app, &caller, Section::Sessions, overview.title.clone()).after(did.as_deref());
    let log = LogView::new(&session, &excerpt);
    Ok(Page::new(frame, DetailView { overview, log }))
}

pub(super) async fn overview(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<SessionId>,
) -> Answer<impl IntoResponse> {
    let (_, _, overview) = read(&app, &caller, &id).await?;
    Ok(Page::new(Frame::new(&app, &caller, Section::Sessions, ""), overview))
}

async fn read(app: &App, caller: &Caller, id: &SessionId) -> Answer<(Session, Excerpt, Overview)> {
    let session = app.engine.session(&caller.actor, id).await?;
    let excerpt = Excerpt::read(app, id).await?;
    let connected = app.integrations.own(&caller.actor, None).await?.into_iter();
    let aliases = connected.map(|Integration { id, alias, .. }| (id, alias.to_string())).collect();
    let overview = Overview::new(&session, &excerpt, &aliases, app.now());
    Ok((session, excerpt, overview))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::StepOutcome;

    use super::{
        super::{
            log,
            steps::tests::events,
            tests::{now, session},
        },
        *,
    };
    use crate::pages::render::tests::html;

    fn overview_of(session: &Session, steps: usize, outcome: Option<StepOutcome>) -> Overview {
        let excerpt = Excerpt::of(events(session, steps, outcome));
        let id = "018f0000-0000-7000-8000-000000000001".parse().unwrap();
        Overview::new(session, &excerpt, &HashMap::from([(id, "john@gitlab.com".to_owned())]), now())
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
    fn a_reason_goes_on_from_the_name() {
        let overview = overview_of(&session(1, Phase::Running), 4, None);
        let reason = overview.repositories[0].reason.as_deref();
        assert_eq!(reason, Some("is the only User Global integration for https://gitlab.com."));
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
