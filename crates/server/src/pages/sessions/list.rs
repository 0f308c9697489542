use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IntoDeserializer as _},
};
use valetkey_model::{Actor, Phase, Problem, ProjectName, Role, Session, SessionId, UserId};
use valetkey_store::SessionFilter;

use super::{ProjectChoice, Starters, under_way};
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        frame::{Did, Frame, Section},
        live::{self, Mark, Seen, Shown},
        render::{Page, View},
        words::{Badge, Moment, span, title},
    },
    problem::Answer,
};

/// How many sessions a page shows.
const PAGE: u32 = 25;

/// A session in a list.
#[derive(Debug, Serialize)]
pub(in crate::pages) struct Item {
    id: String,
    title: String,
    phase: Badge,
    project: String,
    repositories: Vec<Repository>,
    /// Who started it; none if whoever looks did.
    by: Option<String>,
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
    pub(in crate::pages) fn new(session: &Session, starters: &Starters, now: Timestamp) -> Self {
        let repository = |run: &valetkey_model::RepositoryRun| Repository {
            path: run.url.path().to_owned(),
            push_branch: run.push_branch.as_ref().map(ToString::to_string),
        };
        let began = session.times.created_at;
        Self {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            phase: session.phase.into(),
            project: session.project.to_string(),
            repositories: session.repositories.iter().map(repository).collect(),
            by: starters.other(&session.owner),
            started: Moment::past(now, began),
            took: span(session.times.ended_at.unwrap_or(now).duration_since(began)),
            since: (!session.phase.is_final()).then(|| began.to_string()),
        }
    }
}

/// Where a session may be in its life, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Completed,
    Failed,
    Stopped,
}

impl Status {
    const ALL: [Self; 4] = [Self::Active, Self::Completed, Self::Failed, Self::Stopped];

    fn phases(self) -> &'static [Phase] {
        match self {
            Self::Active => &ACTIVE,
            Self::Completed => &[Phase::Completed],
            Self::Failed => &[Phase::Failed],
            Self::Stopped => &[Phase::Stopped],
        }
    }
}

/// Those of a session that is not over.
pub(in crate::pages) const ACTIVE: [Phase; 4] = [Phase::Pending, Phase::Preparing, Phase::Running, Phase::Publishing];

/// Which sessions to show. A form sends all of its fields: an empty one asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    project: Option<ProjectName>,
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    phase: Option<Status>,
    #[serde(default, deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    q: String,
    #[serde(default, deserialize_with = "filled", skip_serializing)]
    before: Option<SessionId>,
}

/// Who started them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    /// Whoever looks.
    Me,
}

fn filled<'de, T: DeserializeOwned, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(field)?;
    if text.is_empty() { Ok(None) } else { T::deserialize(text.into_deserializer()).map(Some) }
}

impl Wanted {
    fn filter<'a>(&'a self, me: &'a UserId) -> SessionFilter<'a> {
        SessionFilter {
            project: self.project.as_ref(),
            owner: self.by.map(|By::Me| me),
            phases: self.phase.map_or(&[], Status::phases),
            text: Some(&*self.q),
        }
    }

    /// The address of the same list from its beginning, without its path.
    fn query(&self) -> String {
        serde_urlencoded::to_string(self).expect("a list of words")
    }
}

#[derive(Debug, Serialize)]
struct ListView {
    project: Option<String>,
    phase: Option<Status>,
    mine: bool,
    q: String,
    query: String,
    statuses: [Status; 4],
    projects: ProjectChoice,
    items: Vec<Item>,
    /// The session behind which the next page begins.
    older: Option<String>,
    newest: bool,
    /// How many sessions were looked through for the text, if there are others behind them.
    searched: Option<u32>,
    /// Whether whoever looks may start one.
    may_start: bool,
    /// How many of those on the page go on, in words.
    under_way: String,
    /// Where the list is followed.
    live: String,
}

impl View for ListView {
    const TEMPLATE: &'static str = "sessions.html";
}

impl ListView {
    fn new(wanted: &Wanted, found: &Found, projects: ProjectChoice, may_start: bool, now: Timestamp) -> Self {
        Self {
            project: wanted.project.as_ref().map(ToString::to_string),
            phase: wanted.phase,
            mine: wanted.by.is_some(),
            q: wanted.q.clone(),
            query: wanted.query(),
            statuses: Status::ALL,
            projects,
            items: found.sessions.iter().map(|session| Item::new(session, &found.starters, now)).collect(),
            older: found.older.as_ref().map(ToString::to_string),
            newest: wanted.before.is_none(),
            searched: found.searched,
            may_start,
            under_way: under_way(&found.sessions),
            live: live::address("/sessions/live", &found.mark()),
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let found = Found::of(&app, &caller.actor, &wanted).await?;
    let projects = ProjectChoice::of(&app, &caller.actor, Role::Viewer).await?;
    let may_start = ProjectChoice::of(&app, &caller.actor, Role::Member).await?.any();
    let frame = Frame::new(&app, &caller, Section::Sessions, "Sessions").after(did.as_deref());
    Ok(Page::new(frame, ListView::new(&wanted, &found, projects, may_start, app.now())))
}

/// Tells when the list has changed.
pub(super) async fn follow(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    seen: Seen,
) -> Answer<Response> {
    live::follow(app, caller, seen, wanted).await
}

impl Shown for Wanted {
    async fn mark(&self, app: &App, by: &Actor) -> Result<Mark, Problem> {
        Ok(Found::of(app, by, self).await?.mark())
    }
}

#[derive(Debug, Default, Serialize)]
struct Found {
    sessions: Vec<Session>,
    starters: Starters,
    older: Option<SessionId>,
    searched: Option<u32>,
}

impl Found {
    async fn of(app: &App, by: &Actor, wanted: &Wanted) -> Result<Self, Problem> {
        let (filter, before) = (wanted.filter(&by.user), wanted.before.as_ref());
        let mut sessions = app.engine.sessions(by, &filter, PAGE + 1, before).await?;
        if sessions.len() > PAGE as usize {
            sessions.truncate(PAGE as usize);
            let older = sessions.last().map(|last| last.id.clone());
            return Ok(Self { starters: Starters::of(app, by, &sessions).await?, sessions, older, searched: None });
        }
        // A text is looked for in the newest sessions only.
        let older = app.store.last_searched(by, &filter, before).await?;
        let starters = Starters::of(app, by, &sessions).await?;
        Ok(Self { sessions, starters, searched: older.as_ref().map(|_| SessionFilter::SEARCHED), older })
    }

    fn mark(&self) -> Mark {
        Mark::of(self)
    }
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
        let found = Found { older: Some(sessions[5].id.clone()), sessions, starters: starters("jane"), searched: None };
        let failed = Wanted { phase: Some(Status::Failed), q: "dark <mode>".into(), ..Wanted::default() };
        let searched =
            Found { older: found.older.clone(), searched: Some(SessionFilter::SEARCHED), ..Found::default() };
        vec![
            ("sessions", page(&Wanted::default(), &found)),
            ("sessions_empty", page(&Wanted::default(), &Found::default())),
            ("sessions_none_failed", page(&failed, &Found::default())),
            ("sessions_searched", page(&failed, &searched)),
        ]
    }

    /// As somebody sees it who is not the administrator.
    fn starters(me: &str) -> Starters {
        Starters::new(me.parse().unwrap(), [(UserId::admin(), "Administrator".to_owned())].into())
    }

    fn page(wanted: &Wanted, found: &Found) -> String {
        let projects = ProjectChoice::from(["default", "web"].map(|name| name.parse().unwrap()).to_vec());
        html(ListView::new(wanted, found, projects, true, now()))
    }

    #[test]
    fn a_session_that_is_over_shows_how_long_it_took() {
        let item = |phase| Item::new(&session(1, phase), &Starters::default(), now());
        let completed = item(Phase::Completed);
        assert_eq!((&*completed.took, completed.since), ("3 min 20 s", None));
        let item = item(Phase::Running);
        assert_eq!((&*item.took, item.since.as_deref()), ("9 min", Some("2026-11-21T09:21:00Z")));
    }

    fn wanted(query: &str) -> Result<Wanted, serde_urlencoded::de::Error> {
        serde_urlencoded::from_str(query)
    }

    #[test]
    fn a_form_asks_for_what_was_filled_in_and_its_address_for_the_same() {
        let all = wanted("project=&phase=&by=&q=&before=").unwrap();
        assert_eq!((all.clone(), &*all.query()), (Wanted::default(), ""));
        let some = wanted("project=web&phase=active&by=me&q=a+%26+b&before=").unwrap();
        assert_eq!(some.query(), "project=web&phase=active&by=me&q=a+%26+b");
        assert_eq!(wanted(&some.query()).unwrap(), some);
        let me = UserId::admin();
        let filter = some.filter(&me);
        assert_eq!((filter.owner, filter.phases, filter.text), (Some(&me), &ACTIVE[..], Some("a & b")));
        for odd in ["phase=odd", "by=somebody", "before=x", "project=.."] {
            assert!(wanted(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn an_active_session_is_one_that_is_not_over() {
        let every = [Phase::Completed, Phase::Failed, Phase::Stopped].into_iter().chain(ACTIVE);
        for phase in every {
            assert_eq!(ACTIVE.contains(&phase), !phase.is_final(), "{phase}");
        }
    }

    #[test]
    fn one_sees_who_started_what() {
        let found =
            |me| Found { sessions: vec![session(1, Phase::Running)], starters: starters(me), ..Found::default() };
        assert!(page(&Wanted::default(), &found("jane")).contains("by <bdi>Administrator</bdi>"));
        assert!(page(&Wanted::default(), &found("admin")).contains("by you"));
        let mine = Wanted { by: Some(By::Me), ..Wanted::default() };
        assert!(!page(&mine, &found("admin")).contains("by you"), "that was asked for");
    }

    #[test]
    fn a_list_is_another_when_a_session_goes_on_and_not_because_time_passes() {
        let view = |phase, now| {
            let found = Found { sessions: vec![session(1, phase)], ..Found::default() };
            ListView::new(&Wanted::default(), &found, ProjectChoice::default(), true, now)
        };
        let running = view(Phase::Running, now());
        assert_eq!(running.under_way, "1 session under way");
        assert_eq!(view(Phase::Running, now() + jiff::SignedDuration::from_hours(1)).live, running.live);
        let ended = view(Phase::Completed, now());
        assert!(ended.live != running.live && ended.live.starts_with("/sessions/live?seen="), "{}", ended.live);
        assert_eq!(ended.under_way, "No session under way");
    }

    #[test]
    fn an_empty_list_says_why() {
        assert!(page(&Wanted::default(), &Found::default()).contains("No sessions yet"));
        let mine = Wanted { by: Some(By::Me), ..Wanted::default() };
        let none = page(&mine, &Found::default());
        assert!(none.contains("No session matches") && !none.contains("No sessions yet"), "{none}");
    }

    #[test]
    fn a_task_is_escaped() {
        let mut hostile = session(1, Phase::Completed);
        hostile.spec.task = "<script>alert(1)</script> \u{202e}evil".into();
        let page = page(&Wanted::default(), &Found { sessions: vec![hostile], ..Found::default() });
        assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
    }
}
