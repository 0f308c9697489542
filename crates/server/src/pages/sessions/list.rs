use axum::{extract::State, response::IntoResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use valetkey_model::{Phase, Problem, Session, SessionId};
use valetkey_store::SessionFilter;

use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        frame::{Frame, Section},
        render::{Page, View},
        words::{Badge, Moment, span, title},
    },
    problem::Answer,
};

/// How many sessions a page shows.
const PAGE: usize = 25;
/// How many are looked at for one page when a filter leaves most of them out.
const LOOKED_AT: usize = 1_000;

/// A session in a list.
#[derive(Debug, Serialize)]
pub(in crate::pages) struct Item {
    id: String,
    title: String,
    phase: Badge,
    repositories: Vec<Repository>,
    started: Moment,
    /// How long it took, or has taken so far.
    took: String,
    /// Since when it goes on, for the clock in the page; none when it is over.
    since: Option<String>,
}

#[derive(Debug, Serialize)]
struct Repository {
    path: String,
    push_branch: Option<String>,
}

impl Item {
    pub(in crate::pages) fn new(session: &Session, now: Timestamp) -> Self {
        let repository = |run: &valetkey_model::RepositoryRun| Repository {
            path: run.url.path().to_owned(),
            push_branch: run.push_branch.as_ref().map(ToString::to_string),
        };
        let began = session.times.created_at;
        Self {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            phase: session.phase.into(),
            repositories: session.repositories.iter().map(repository).collect(),
            started: Moment::past(now, began),
            took: span(session.times.ended_at.unwrap_or(now).duration_since(began)),
            since: (!session.phase.is_final()).then(|| began.to_string()),
        }
    }
}

/// Which sessions to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Filter {
    #[default]
    All,
    Active,
    Completed,
    Failed,
    Stopped,
}

impl Filter {
    const EVERY: [Self; 5] = [Self::All, Self::Active, Self::Completed, Self::Failed, Self::Stopped];

    fn admits(self, phase: Phase) -> bool {
        match self {
            Self::All => true,
            Self::Active => !phase.is_final(),
            Self::Completed => phase == Phase::Completed,
            Self::Failed => phase == Phase::Failed,
            Self::Stopped => phase == Phase::Stopped,
        }
    }
}

#[derive(Debug, Serialize)]
struct ListView {
    filter: Filter,
    filters: [Filter; 5],
    items: Vec<Item>,
    /// The session behind which the next page begins.
    older: Option<String>,
    newest: bool,
    /// Whether something on the page goes on.
    live: bool,
}

impl View for ListView {
    const TEMPLATE: &'static str = "sessions.html";
}

impl ListView {
    fn new(filter: Filter, found: &Found, newest: bool, now: Timestamp) -> Self {
        Self {
            filter,
            filters: Filter::EVERY,
            items: found.sessions.iter().map(|session| Item::new(session, now)).collect(),
            older: found.older.as_ref().map(ToString::to_string),
            newest,
            live: found.sessions.iter().any(|session| !session.phase.is_final()),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    phase: Filter,
    before: Option<SessionId>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Wanted { phase, before }): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    let newest = before.is_none();
    let found = find(&app, &caller, phase, before).await?;
    let frame = Frame::new(&app, &caller, Section::Sessions, "Sessions");
    Ok(Page::new(frame, ListView::new(phase, &found, newest, app.now())))
}

struct Found {
    sessions: Vec<Session>,
    older: Option<SessionId>,
}

async fn find(app: &App, caller: &Caller, filter: Filter, before: Option<SessionId>) -> Result<Found, Problem> {
    let mut sessions = Vec::new();
    let mut last = before;
    for _ in 0..LOOKED_AT / PAGE {
        let batch = app.engine.sessions(&caller.actor, &SessionFilter::default(), PAGE as u32, last.as_ref()).await?;
        let whole = batch.len() == PAGE;
        for session in batch {
            if sessions.len() == PAGE {
                return Ok(Found { sessions, older: last });
            }
            last = Some(session.id.clone());
            if filter.admits(session.phase) {
                sessions.push(session);
            }
        }
        if !whole {
            return Ok(Found { sessions, older: None });
        }
    }
    Ok(Found { sessions, older: last })
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::tests::{now, session},
        *,
    };
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let phases =
            [Phase::Pending, Phase::Running, Phase::Completed, Phase::Failed, Phase::Stopped, Phase::Completed];
        let sessions: Vec<_> = phases.into_iter().zip(1..).map(|(phase, n)| session(n, phase)).collect();
        let older = Some(sessions[5].id.clone());
        let empty = Found { sessions: Vec::new(), older: None };
        vec![
            ("sessions", html(ListView::new(Filter::All, &Found { sessions, older }, true, now()))),
            ("sessions_empty", html(ListView::new(Filter::All, &empty, true, now()))),
            ("sessions_none_failed", html(ListView::new(Filter::Failed, &empty, true, now()))),
        ]
    }

    #[test]
    fn a_session_that_is_over_shows_how_long_it_took() {
        let item = Item::new(&session(1, Phase::Completed), now());
        assert_eq!((&*item.took, item.since), ("3 min 20 s", None));
        let item = Item::new(&session(1, Phase::Running), now());
        assert_eq!((&*item.took, item.since.as_deref()), ("9 min", Some("2026-11-21T09:21:00Z")));
    }

    #[test]
    fn each_filter_admits_what_its_name_says() {
        assert!(Filter::Active.admits(Phase::Pending) && !Filter::Active.admits(Phase::Completed));
        assert!(Filter::Failed.admits(Phase::Failed) && !Filter::Failed.admits(Phase::Stopped));
        assert!(Filter::All.admits(Phase::Stopped));
    }

    #[test]
    fn a_task_is_escaped() {
        let mut hostile = session(1, Phase::Completed);
        hostile.spec.task = "<script>alert(1)</script> \u{202e}evil".into();
        let page = html(ListView::new(Filter::All, &Found { sessions: vec![hostile], older: None }, true, now()));
        assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
    }
}
