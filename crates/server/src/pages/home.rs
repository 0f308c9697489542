//! What wants attention, what is under way, what happened last.

use axum::{extract::State, response::IntoResponse};
use jiff::Timestamp;
use serde::Serialize;
use valetkey_model::{Integration, Phase, Session};
use valetkey_store::SessionFilter;

use super::{
    frame::{Frame, Section},
    integrations::{Trouble, in_trouble},
    render::{Page, View},
    sessions::Item,
};
use crate::{App, auth::Caller, problem::Answer, route::Row};

/// How many sessions are looked at, and how many of those that are over are shown.
const LOOKED_AT: u32 = 50;
const SHOWN: usize = 5;

pub(crate) fn rows() -> Vec<Row> {
    vec![Row::get("/", show).page()]
}

#[derive(Debug, Serialize)]
struct HomeView {
    connected: bool,
    trouble: Vec<Trouble>,
    running: Vec<Item>,
    failed: Vec<Item>,
    recent: Vec<Item>,
    live: bool,
}

impl View for HomeView {
    const TEMPLATE: &'static str = "home.html";
}

impl HomeView {
    fn new(integrations: &[Integration], sessions: &[Session], now: Timestamp) -> Self {
        let some = |wanted: &dyn Fn(Phase) -> bool| -> Vec<Item> {
            let wanted = sessions.iter().filter(|session| wanted(session.phase));
            wanted.take(SHOWN).map(|session| Item::new(session, now)).collect()
        };
        let running = some(&|phase| !phase.is_final());
        Self {
            connected: !integrations.is_empty(),
            trouble: integrations.iter().filter_map(|integration| in_trouble(integration, now)).collect(),
            live: !running.is_empty(),
            running,
            failed: some(&|phase| phase == Phase::Failed),
            recent: some(&|phase| matches!(phase, Phase::Completed | Phase::Stopped)),
        }
    }
}

async fn show(State(app): State<App>, caller: Caller) -> Answer<impl IntoResponse> {
    let integrations = app.integrations.own(&caller.actor, None).await?;
    let mine = SessionFilter { owner: Some(&caller.actor.user), ..Default::default() };
    let sessions = app.engine.sessions(&caller.actor, &mine, LOOKED_AT, None).await?;
    let frame = Frame::new(&app, &caller, Section::Home, "Home");
    Ok(Page::new(frame, HomeView::new(&integrations, &sessions, app.now())))
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

    pub(crate) fn samples() -> Vec<(&'static str, String)> {
        let integrations = [integration(1, ProviderKind::GitLab), revoked(2), ended(3), silent(4), narrow(5)];
        let phases = [Phase::Running, Phase::Failed, Phase::Completed, Phase::Completed];
        let sessions: Vec<_> = phases.into_iter().zip(1..).map(|(phase, n)| session(n, phase)).collect();
        vec![
            ("home", html(HomeView::new(&integrations, &sessions, now()))),
            ("home_first_time", html(HomeView::new(&[], &[], now()))),
            ("home_connected", html(HomeView::new(&integrations[..1], &[], now()))),
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
    fn what_is_well_does_not_ask_for_attention() {
        let all = [integration(1, ProviderKind::GitLab), revoked(2), ended(3), silent(4), narrow(5), expiring(6)];
        let view = HomeView::new(&all, &[], now());
        assert_eq!(view.trouble.len(), 5);
        assert!(!view.live);
        let page = html(view);
        for status in ["Disconnected", "Not reachable", "Missing scope", "Expires soon"] {
            assert!(page.contains(status), "{status} in {page}");
        }
        assert!(page.contains("method=oauth&amp;reconnect=") && page.contains("/token\""), "{page}");
    }
}
