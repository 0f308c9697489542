//! Projects, as far as their sessions are concerned: who is in them, what sessions begin with, and their end.

use valetkey_model::{
    Actor, Description, Phase, Problem, ProblemCode, Project, ProjectName, ProjectSettings, PushPattern, Role, Session,
};
use valetkey_store::{LastAdmin, Member, MemberName, ProjectContents, SessionFilter};

use crate::{
    Engine,
    engine::{Parts, remove_folder},
    project_losses::{Loss, losses},
    spec::check_agent,
    stop::Why,
};

/// What to change in a project; what is none stays as it is, and an inner none takes a setting away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// What it is for.
    pub description: Option<Description>,
    /// The agent of sessions that name none.
    pub default_agent: Option<Option<Vec<String>>>,
    /// How push branches are named.
    pub push_pattern: Option<Option<PushPattern>>,
}

/// How many sessions are read at a time when all of a project's are gone through.
const BATCH: u32 = 100;
const UNFINISHED: [Phase; 4] = [Phase::Pending, Phase::Preparing, Phase::Running, Phase::Publishing];
/// The address of the form for a new project.
const KEPT_NAME: &str = "new";

impl Engine {
    /// Makes a project, with whoever makes it as its first admin.
    ///
    /// # Errors
    /// `conflict` for a name that is taken; `invalid_input`.
    pub async fn create_project(
        &self,
        by: &Actor,
        name: ProjectName,
        description: Description,
        settings: ProjectSettings,
    ) -> Result<Project, Problem> {
        if name.as_str() == KEPT_NAME {
            let detail =
                format!("The name '{KEPT_NAME}' is kept for an address of Valetkey's own. Choose another name.");
            return Err(Problem::new(ProblemCode::InvalidInput, detail));
        }
        check_settings(&settings)?;
        let now = self.parts.clock.now();
        let project = Project { name, description, settings, created_at: now };
        let first = Member { name: MemberName::Person(by.user.clone()), role: Role::Admin, added_at: now };
        self.parts.store.create_project(&project, &first).await?;
        tracing::info!(project = %project.name, user = %by.user, "made a project");
        Ok(project)
    }

    /// Changes what a project is for, and what its sessions begin with from now on.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid_input`.
    pub async fn change_project(
        &self,
        by: &Actor,
        name: &ProjectName,
        change: ProjectChange,
    ) -> Result<Project, Problem> {
        by.require(Role::Admin, name)?;
        if let Some(Some(agent)) = &change.default_agent {
            check_agent(agent)?;
        }
        let known = self.parts.store.project_exists(name).await?;
        known.then_some(()).ok_or_else(|| Actor::no_project(name))?;
        let changed = self.parts.store.change_project(name, |project| {
            let ProjectChange { description, default_agent, push_pattern } = change;
            project.description = description.unwrap_or_else(|| project.description.clone());
            project.settings.default_agent = default_agent.unwrap_or_else(|| project.settings.default_agent.clone());
            project.settings.push_pattern = push_pattern.unwrap_or_else(|| project.settings.push_pattern.clone());
        });
        Ok(changed.await?)
    }

    /// Gives somebody a role in a project, in place of the one that they have under the same name. Sessions of whoever
    /// is less than a member by it are stopped.
    ///
    /// # Errors
    /// `not_found`, `forbidden`; `invalid_input` for a person who is not known; `conflict` for the last admin, unless an
    /// administrator of the instance says so.
    pub async fn set_member(
        &self,
        by: &Actor,
        project: &ProjectName,
        name: MemberName,
        role: Role,
    ) -> Result<(), Problem> {
        by.require(Role::Admin, project)?;
        if let MemberName::Person(id) = &name
            && self.parts.store.user(id).await?.is_none()
        {
            return Err(Problem::new(ProblemCode::InvalidInput, "There is no person with this id.")
                .remedy("Name somebody who was never here by their e-mail address."));
        }
        let member = Member { name, role, added_at: self.parts.clock.now() };
        if !self.parts.store.project_exists(project).await? {
            return Err(Actor::no_project(project));
        }
        self.parts.store.put_member(project, &member, last_admin(by)).await?;
        self.stop_strangers(by, project).await.map(drop)
    }

    /// Takes somebody out of a project. What they may do there ends with their next request, and their sessions there
    /// are stopped, without a credential from this moment on. Answers with those.
    ///
    /// # Errors
    /// As [`set_member`](Self::set_member), and `not_found` for whoever is not in it under this name.
    pub async fn remove_member(
        &self,
        by: &Actor,
        project: &ProjectName,
        name: &MemberName,
    ) -> Result<Vec<Session>, Problem> {
        by.require(Role::Admin, project)?;
        if !self.parts.store.project_exists(project).await? {
            return Err(Actor::no_project(project));
        }
        if !self.parts.store.remove_member(project, name, last_admin(by)).await? {
            return Err(Problem::new(ProblemCode::NotFound, "Nobody is in the project under this name."));
        }
        self.stop_strangers(by, project).await
    }

    /// The sessions of a project that are not over.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unfinished_in(&self, by: &Actor, project: &ProjectName) -> Result<Vec<Session>, Problem> {
        let filter = SessionFilter { project: Some(project), phases: &UNFINISHED, ..Default::default() };
        self.sessions(by, &filter, u32::MAX, None).await
    }

    /// Deletes a project with its repositories, members and settings. One that holds more is deleted only with
    /// `everything`: see [`project_losses`](Self::project_losses).
    ///
    /// # Errors
    /// `not_found`, `forbidden`; `conflict` while sessions run, and, saying what there is, for a project that holds more
    /// than may go.
    pub async fn delete_project(&self, by: &Actor, name: &ProjectName, everything: bool) -> Result<(), Problem> {
        by.require(Role::Admin, name)?;
        let parts = &self.parts;
        if !parts.store.project_exists(name).await? {
            return Err(Actor::no_project(name));
        }
        deletable(name, &parts.store.project_contents(name).await?, everything)?;
        parts.integrations.disconnect_project(by, name).await?;
        self.delete_sessions(by, name).await?;
        parts.store.delete_project(name).await?;
        tracing::info!(project = %name, user = %by.user, "deleted a project");
        Ok(())
    }

    async fn delete_sessions(&self, by: &Actor, project: &ProjectName) -> Result<(), Problem> {
        let filter = SessionFilter { project: Some(project), ..Default::default() };
        loop {
            let some = self.sessions(by, &filter, BATCH, None).await?;
            if some.is_empty() {
                return Ok(());
            }
            for session in some {
                self.parts.store.delete_session(&session.id).await?;
                remove_folder(&self.parts.config.workspaces().join(session.id.as_str())).await;
            }
        }
    }

    /// Stops the sessions of whoever is not a member of the project any more.
    async fn stop_strangers(&self, by: &Actor, project: &ProjectName) -> Result<Vec<Session>, Problem> {
        let mut stopped = Vec::new();
        for session in self.unfinished_in(by, project).await? {
            if !self.parts.is_started_by_member(&session).await? {
                self.parts.cut_off(&session).await?;
                stopped.push(session);
            }
        }
        Ok(stopped)
    }
}

impl Parts {
    /// Stops a session whichever process runs it; what it still does until it has ended, it does without a credential.
    async fn cut_off(&self, session: &Session) -> Result<(), Problem> {
        self.store.request_stop(&session.id).await?;
        self.stop_here(&session.id, Why::NoMember);
        self.gateway.forget(&session.id);
        self.integrations.end_grant(&session.id).await?;
        tracing::info!(session = %session.id, "stopped: its owner is not a member of the project any more");
        Ok(())
    }
}

fn check_settings(settings: &ProjectSettings) -> Result<(), Problem> {
    settings.default_agent.as_deref().map_or(Ok(()), check_agent)
}

fn last_admin(by: &Actor) -> LastAdmin {
    if by.is_administrator() { LastAdmin::MayGo } else { LastAdmin::Stays }
}

/// Refuses to delete what must not go, or not silently.
pub(crate) fn deletable(name: &ProjectName, contents: &ProjectContents, everything: bool) -> Result<(), Problem> {
    let conflict = |detail: String| Problem::new(ProblemCode::Conflict, detail);
    if *name == ProjectName::default_project() {
        return Err(conflict(format!("The project '{name}' is the one that every Valetkey has; it can't be deleted."))
            .remedy("Change its description and members instead."));
    }
    if contents.running > 0 {
        let detail = format!("In the project '{name}' {} not over.", are(contents.running, "session"));
        return Err(conflict(detail).remedy("Stop them, or wait for their end."));
    }
    let held = losses(contents);
    if everything || !held.iter().any(|loss| loss.kind.is_for_good()) {
        return Ok(());
    }
    let held: Vec<_> = held.iter().map(Loss::words).collect();
    Err(conflict(format!("The project '{name}' holds {}.", held.join("; "))).remedy(format!(
        "Say that all of it may go: `valetkey projects delete {name} --everything`, or ?everything=true."
    )))
}

fn are(count: i64, noun: &str) -> String {
    if count == 1 { format!("1 {noun} is") } else { format!("{count} {noun}s are") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_silently() {
        let (name, other) = ("p".parse().unwrap(), ProjectName::default_project());
        let empty = ProjectContents { members: 3, repositories: 9, ..Default::default() };
        assert!(deletable(&name, &empty, false).is_ok());
        assert!(deletable(&other, &empty, true).is_err());

        let full = ProjectContents { sessions: 2, private_integrations: 1, ..empty };
        let refusal = deletable(&name, &full, false).unwrap_err();
        assert_eq!(refusal.code, ProblemCode::Conflict);
        let held = "1 integration that a member connected for themselves in it; 2 sessions with their logs and \
                    workspaces; 9 repositories, which stay at their providers; 3 members.";
        assert_eq!(refusal.detail, format!("The project 'p' holds {held}"));
        assert!(deletable(&name, &full, true).is_ok());
        for kept in [
            ProjectContents { secrets: 1, ..empty },
            ProjectContents { webhooks: 1, ..empty },
            ProjectContents { assistants: 1, ..empty },
        ] {
            assert!(deletable(&name, &kept, false).is_err(), "{kept:?}");
        }

        let busy = ProjectContents { running: 1, ..full };
        assert!(deletable(&name, &busy, true).unwrap_err().detail.contains("1 session is not over"));
    }
}
