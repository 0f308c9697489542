//! Sessions: the list, the form for a new one, and the page of one with its live log.

mod changes;
mod check;
mod delete;
mod detail;
mod diff;
mod draft;
mod list;
mod log;
mod new;
mod steps;
mod stop;

use std::collections::BTreeMap;

use serde::Serialize;
use valetkey_model::{Actor, Problem, ProjectName, Projects, Role, Session, UserId};

use super::words::counted;
use crate::{
    App,
    route::{Right, Row},
};

pub(super) use list::{ACTIVE, Item};

/// The projects to choose from.
#[derive(Debug, Default, Serialize)]
pub(super) struct ProjectChoice {
    names: Vec<ProjectName>,
    /// Whether they are too many for a list to choose from.
    too_many: bool,
}

impl ProjectChoice {
    const MOST: usize = 100;

    /// Those in which somebody has this role, or a greater one.
    pub(super) async fn of(app: &App, by: &Actor, role: Role) -> Result<Self, Problem> {
        let mut names = match by.projects() {
            Projects::All => app.store.projects().await?,
            Projects::These(projects) => projects.into_iter().cloned().collect(),
        };
        names.retain(|name| by.is(role, name));
        Ok(names.into())
    }

    /// The one to begin with.
    pub(super) fn first(&self) -> Option<&ProjectName> {
        self.names.first()
    }

    /// Whether there is one.
    pub(super) fn any(&self) -> bool {
        !self.names.is_empty()
    }
}

impl From<Vec<ProjectName>> for ProjectChoice {
    fn from(names: Vec<ProjectName>) -> Self {
        let too_many = names.len() > Self::MOST;
        Self { names, too_many }
    }
}

/// Who started sessions, as somebody sees it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Starters {
    me: Option<UserId>,
    names: BTreeMap<UserId, String>,
}

impl Starters {
    fn new(me: UserId, names: BTreeMap<UserId, String>) -> Self {
        Self { me: Some(me), names }
    }

    /// Of some sessions, in one query.
    pub(super) async fn of(app: &App, by: &Actor, sessions: &[Session]) -> Result<Self, Problem> {
        let others = sessions.iter().map(|session| &session.owner).filter(|owner| **owner != by.user).collect();
        Ok(Self::new(by.user.clone(), app.store.names(&others).await?))
    }

    /// What somebody else is called; none of whoever looks.
    fn other(&self, owner: &UserId) -> Option<String> {
        let named = || self.names.get(owner).cloned().unwrap_or_else(|| owner.to_string());
        (self.me.as_ref() != Some(owner)).then(named)
    }
}

/// How many of these go on, in words.
pub(super) fn under_way(sessions: &[Session]) -> String {
    match sessions.iter().filter(|session| !session.phase.is_final()).count() {
        0 => "No session under way".to_owned(),
        count => format!("{} under way", counted(i64::try_from(count).unwrap_or(i64::MAX), "session")),
    }
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::get("/sessions", list::show).page(),
        Row::get("/sessions/live", list::follow).unbounded().page(),
        Row::post("/sessions", new::create).page(),
        Row::get("/sessions/new", new::show).page(),
        Row::get("/sessions/{id}", detail::show).session(Right::See).page(),
        Row::get("/sessions/{id}/overview", detail::overview).session(Right::See).page(),
        Row::get("/sessions/{id}/changes", changes::show).session(Right::See).page(),
        Row::get("/sessions/{id}/patch", changes::patch).session(Right::See).page(),
        Row::get("/sessions/{id}/log", log::whole).session(Right::See).page(),
        Row::get("/sessions/{id}/stop", stop::show).session(Right::Manage).page(),
        Row::post("/sessions/{id}/stop", stop::stop).session(Right::Manage).page(),
        Row::get("/sessions/{id}/delete", delete::show).session(Right::Manage).page(),
        Row::post("/sessions/{id}/delete", delete::delete).session(Right::Manage).page(),
    ]
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [
        list::tests::samples(),
        new::tests::samples(),
        detail::tests::samples(),
        changes::tests::samples(),
        stop::tests::samples(),
        delete::tests::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::{SignedDuration, Timestamp};
    use valetkey_model::{
        Phase, Problem, ProblemCode, ProjectName, ProviderKind, RepositorySpec, Session, SessionSpec, UserId,
    };

    pub(in crate::pages) fn now() -> Timestamp {
        "2026-11-21T09:30:00Z".parse().unwrap()
    }

    pub(in crate::pages) fn spec() -> SessionSpec {
        let repository = |url: &str| RepositorySpec {
            url: url.parse().unwrap(),
            branch: Some("main".parse().unwrap()),
            push_branch: "feature/dark-mode".parse().unwrap(),
            integration: None,
            allow_force: false,
        };
        SessionSpec {
            task: "Add a dark mode to the settings page\n\nFollow the system's preference.".into(),
            repositories: vec![
                repository("https://gitlab.com/acme/web/app"),
                repository("https://github.com/acme/design-tokens"),
            ],
            agent: vec!["claude".into(), "-p".into(), "{task}".into()],
            assistant: None,
            timeout_seconds: 3600,
            pull_request: true,
            keep_workspace: false,
        }
    }

    /// A session that came to `phase` three minutes and twenty seconds after it was asked for.
    pub(in crate::pages) fn session(n: u8, phase: Phase) -> Session {
        let created = now() - SignedDuration::from_mins(9);
        let at = |seconds| created + SignedDuration::from_secs(seconds);
        let id = format!("018f0000-0000-7000-8000-0000000001{n:02}").parse().unwrap();
        let mut session = Session::new(id, ProjectName::default_project(), UserId::admin(), spec(), created);
        for (next, second) in
            [(Phase::Preparing, 0), (Phase::Running, 6), (Phase::Publishing, 195), (Phase::Completed, 200)]
        {
            let end = matches!(phase, Phase::Failed | Phase::Stopped) && next == Phase::Publishing;
            let next = if end { phase } else { next };
            if session.phase != phase {
                session.advance(next, at(second)).unwrap();
            }
        }
        for (run, provider) in session.repositories.iter_mut().zip([ProviderKind::GitLab, ProviderKind::GitHub]) {
            run.provider = Some(provider);
            run.integration = Some("018f0000-0000-7000-8000-000000000001".parse().unwrap());
            run.integration_reason =
                Some("'john@gitlab.com' is the only User Global integration for https://gitlab.com.".into());
        }
        if phase == Phase::Completed {
            session.message = Some("AgenticSession completed successfully!\nView changes in GitLab:\nhttps://gitlab.com/acme/web/app/-/tree/feature/dark-mode".into());
            let run = &mut session.repositories[0];
            run.commit = Some("3f786850e387550fdab836ed7e6dc881de23001b".parse().unwrap());
            run.branch_url = Some("https://gitlab.com/acme/web/app/-/tree/feature/dark-mode".into());
            run.pull_request_url = Some("https://gitlab.com/acme/web/app/-/merge_requests/7".into());
        }
        if phase == Phase::Failed {
            session.workspace = Some("/var/lib/valetkey/workspaces/018f".into());
            session.failure = Some(
                Problem::new(ProblemCode::PushRefused, "GitLab push failed: Insufficient permissions. Ensure your GitLab token has 'write_repository' scope.")
                    .remedy("Reconnect your GitLab account with the required permissions."),
            );
        }
        session
    }
}
