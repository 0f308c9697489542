//! What wants attention, what is under way, what happened last.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use valetkey_model::{Actor, Integration, IntegrationId, OwnerScope, Phase, Problem, Role, Session, Status};
use valetkey_store::{IntegrationFilter, Owner, SessionFilter};

use super::{
    frame::{Frame, Section},
    integrations::{Trouble, in_trouble},
    live::{self, Mark, Seen, Shown},
    render::{Page, View},
    sessions::{ACTIVE, Item, ProjectChoice, Starters, under_way},
};
use crate::{App, auth::Caller, problem::Answer, route::Row};

/// How many sessions of each kind are shown, and how many integrations that need attention.
const SESSIONS: u32 = 5;
const INTEGRATIONS: usize = 8;
/// How long a session that failed is brought up.
const LATELY: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(crate) fn rows() -> Vec<Row> {
    vec![Row::get("/", show).page(), Row::get("/live", follow).unbounded().page()]
}

#[derive(Debug, Serialize)]
struct HomeView {
    /// Whether they are in a project at all.
    somewhere: bool,
    may_start: bool,
    connected: bool,
    trouble: Vec<Attention>,
    /// Whether more integrations need attention than are shown.
    more_trouble: bool,
    running: Vec<Item>,
    failed: Vec<Item>,
    recent: Vec<Item>,
    /// Whether the recent sessions are other people's.
    of_others: bool,
    /// How many sessions go on, in words.
    under_way: String,
    /// Where the page is followed.
    live: String,
}

impl View for HomeView {
    const TEMPLATE: &'static str = "home.html";
}

/// An integration that somebody should look at.
#[derive(Debug, Serialize)]
struct Attention {
    #[serde(flatten)]
    trouble: Trouble,
    /// The project that owns it.
    project: Option<String>,
}

/// What the page is made of.
#[derive(Debug, Default)]
struct Found {
    somewhere: bool,
    may_start: bool,
    connected: bool,
    trouble: Vec<Integration>,
    running: Vec<Session>,
    failed: Vec<Session>,
    recent: Vec<Session>,
    of_others: bool,
    starters: Starters,
}

impl HomeView {
    fn new(mut found: Found, now: Timestamp) -> Self {
        let live = live::address("/live", &found.mark(now));
        let items =
            |sessions: &[Session]| sessions.iter().map(|session| Item::new(session, &found.starters, now)).collect();
        let more_trouble = found.trouble.len() > INTEGRATIONS;
        found.trouble.truncate(INTEGRATIONS);
        Self {
            somewhere: found.somewhere,
            may_start: found.may_start,
            connected: found.connected,
            trouble: attention(&found.trouble, now),
            more_trouble,
            running: items(&found.running),
            failed: items(&found.failed),
            recent: items(&found.recent),
            of_others: found.of_others,
            under_way: under_way(&found.running),
            live,
        }
    }
}

fn attention(to: &[Integration], now: Timestamp) -> Vec<Attention> {
    let one = |it: &Integration| {
        let project = match &it.scope {
            OwnerScope::Project(project) => Some(project.to_string()),
            OwnerScope::User(_) | OwnerScope::UserGlobal => None,
        };
        Some(Attention { trouble: in_trouble(it, now)?, project })
    };
    to.iter().filter_map(one).collect()
}

impl Found {
    async fn of(app: &App, by: &Actor) -> Result<Self, Problem> {
        let owner = Some(&by.user);
        let sessions = async |owner, phases| {
            app.engine.sessions(by, &SessionFilter { owner, phases, ..Default::default() }, SESSIONS, None).await
        };
        let mut failed = sessions(owner, &[Phase::Failed]).await?;
        failed.retain(|session| session.times.created_at + LATELY > app.now());
        let (running, ended) = (sessions(owner, &ACTIVE).await?, [Phase::Completed, Phase::Stopped]);
        let own = sessions(owner, &ended).await?;
        let of_others = own.is_empty() && failed.is_empty() && running.is_empty();
        let recent = if of_others { sessions(None, &[]).await? } else { own };
        Ok(Self {
            somewhere: ProjectChoice::of(app, by, Role::Viewer).await?.any(),
            may_start: ProjectChoice::of(app, by, Role::Member).await?.any(),
            connected: !app.integrations.page(by, &IntegrationFilter::default(), None, 1).await?.is_empty(),
            trouble: trouble(app, by).await?,
            starters: Starters::of(app, by, &recent).await?,
            recent,
            running,
            failed,
            of_others,
        })
    }

    fn mark(&self, now: Timestamp) -> Mark {
        let Self { somewhere, may_start, connected, trouble, running, failed, recent, of_others, starters } = self;
        let begun = (somewhere, may_start, connected);
        Mark::of(&(begun, attention(trouble, now), running, failed, recent, of_others, starters))
    }
}

/// The integrations that need attention of somebody who could see to it: their own, and those of projects that they
/// administer. At most one more than is shown.
async fn trouble(app: &App, by: &Actor) -> Result<Vec<Integration>, Problem> {
    let mut found = Vec::new();
    for status in [Status::Disconnected, Status::InsufficientScope, Status::Expiring, Status::Unreachable] {
        for owner in [Owner::Themselves, Owner::Project] {
            let filter = IntegrationFilter { status: Some(status), owner: Some(owner), ..Default::default() };
            let mut after: Option<IntegrationId> = None;
            while found.len() <= INTEGRATIONS {
                const LOOKED_AT: u32 = 50;
                let page = app.integrations.page(by, &filter, after.as_ref(), LOOKED_AT).await?;
                let whole = page.len() == LOOKED_AT as usize;
                after = page.last().map(|last| last.id.clone());
                found.extend(page.into_iter().filter(|it| by.manages(it)));
                if !whole {
                    break;
                }
            }
        }
    }
    found.truncate(INTEGRATIONS + 1);
    Ok(found)
}

async fn show(State(app): State<App>, caller: Caller) -> Answer<impl IntoResponse> {
    let found = Found::of(&app, &caller.actor).await?;
    let frame = Frame::new(&app, &caller, Section::Home, "Home");
    Ok(Page::new(frame, HomeView::new(found, app.now())))
}

/// Tells when the page has changed.
async fn follow(State(app): State<App>, caller: Caller, seen: Seen) -> Answer<Response> {
    live::follow(app, caller, seen, Home).await
}

/// The page as somebody sees it.
struct Home;

impl Shown for Home {
    async fn mark(&self, app: &App, by: &Actor) -> Result<Mark, Problem> {
        Ok(Found::of(app, by).await?.mark(app.now()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use valetkey_model::{CheckOutcome, ProviderKind};

    use super::*;
    use crate::pages::{
        integrations::tests::{consented, integration, now, revoked},
        render::tests::html,
        sessions::tests::session,
    };

    fn well(trouble: Vec<Integration>) -> Found {
        Found { somewhere: true, may_start: true, connected: true, trouble, ..Found::default() }
    }

    fn all_kinds() -> Vec<Integration> {
        let mut of_project = revoked(2);
        of_project.scope = OwnerScope::Project("web".parse().unwrap());
        vec![of_project, ended(3), silent(4), narrow(5), expiring(6)]
    }

    pub(crate) fn samples() -> Vec<(&'static str, String)> {
        let some = |phase| vec![session(1, phase), session(2, phase)];
        let busy = Found {
            running: some(Phase::Running),
            failed: some(Phase::Failed),
            recent: some(Phase::Completed),
            ..well(all_kinds())
        };
        let viewer = Found { may_start: false, recent: some(Phase::Completed), of_others: true, ..well(Vec::new()) };
        let page = |found| html(HomeView::new(found, now()));
        vec![
            ("home", page(busy)),
            ("home_first_time", page(Found { connected: false, ..well(Vec::new()) })),
            ("home_connected", page(well(Vec::new()))),
            ("home_viewer", page(viewer)),
            ("home_nowhere", page(Found::default())),
        ]
    }

    fn ended(n: u8) -> Integration {
        Integration { refresh_expires_at: Some(now()), ..consented(n) }
    }

    fn silent(n: u8) -> Integration {
        Integration { unreachable: Some("Timed out.".into()), ..integration(n, ProviderKind::GitHub) }
    }

    fn narrow(n: u8) -> Integration {
        let reason = "The GitLab token lacks the scope 'api'.".to_owned();
        Integration { outcome: CheckOutcome::InsufficientScope { reason }, ..integration(n, ProviderKind::GitLab) }
    }

    fn expiring(n: u8) -> Integration {
        Integration {
            expires_at: Some(now() + jiff::SignedDuration::from_hours(30)),
            ..integration(n, ProviderKind::GitLab)
        }
    }

    #[test]
    fn what_needs_attention_says_why_whose_it_is_and_what_to_do() {
        let all = all_kinds().into_iter().chain([integration(1, ProviderKind::GitLab)]);
        let view = HomeView::new(well(all.collect()), now());
        assert_eq!(view.trouble.len(), 5, "what is well is none");
        assert!(!view.more_trouble && view.under_way == "No session under way");
        let page = html(view);
        for words in ["Disconnected", "Not reachable", "Missing scope", "Expires soon", "project web"] {
            assert!(page.contains(words), "{words} in {page}");
        }
        assert!(page.contains("method=oauth&amp;reconnect=") && page.contains("/token\""), "{page}");
    }

    #[test]
    fn much_trouble_is_cut_short_and_said_to_be() {
        let all = (1..=9).map(revoked).collect();
        let view = HomeView::new(well(all), now());
        assert_eq!((view.trouble.len(), view.more_trouble), (INTEGRATIONS, true));
    }

    #[test]
    fn each_beginning_says_what_comes_next() {
        for (found, words) in [
            (Found::default(), "You are in no project yet"),
            (Found { connected: false, ..well(Vec::new()) }, "Connect an account"),
            (well(Vec::new()), "No sessions yet"),
        ] {
            let page = html(HomeView::new(found, now()));
            assert!(page.contains(words), "{words} in {page}");
        }
    }
}
