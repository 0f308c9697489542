//! What the audit trail says of credentials. An entry names an integration by its id alone: what its owner calls it, and
//! the account, are theirs.

use std::net::IpAddr;

use futures_util::future::try_join_all;
use valetkey_model::{
    Actor, AuditAction, AuditActor, AuditEvent, Integration, OwnerScope, Problem, ProblemCode, ProjectName, RepoUrl,
    SecretId, SessionId, UserId,
};

use crate::{GitAccess, Integrations};

impl Integrations {
    /// A credential is about to be put on a session's git request.
    pub(crate) async fn record_git_use(
        &self,
        by: AuditEvent,
        of: &Integration,
        repo: &RepoUrl,
        access: GitAccess,
    ) -> Result<(), Problem> {
        let access = match access {
            GitAccess::Read => "read",
            GitAccess::Push => "push",
        };
        let event = by.with("given", "git").with("access", access).with("repository", repo);
        self.trail.record(used(event, of)).await
    }

    /// A credential is about to be handed to a session itself.
    pub(crate) async fn record_handed_over(
        &self,
        to: &SessionId,
        of: &Integration,
        given: &str,
        from: Option<IpAddr>,
    ) -> Result<(), Problem> {
        let event = AuditEvent { from, ..self.session_event(to).await? };
        self.trail.record(used(event.with("given", given), of)).await
    }

    /// Secrets are about to be put into a session's environment: by their ids, as names of a person's own are theirs.
    pub(crate) async fn record_secrets(
        &self,
        to: &SessionId,
        secrets: impl Iterator<Item = &SecretId>,
    ) -> Result<(), Problem> {
        let event = self.session_event(to).await?.with("given", "environment");
        // At once: entries that come together wait for the disk together.
        try_join_all(secrets.map(|id| self.trail.record(event.clone().to("secret", id)))).await.map(drop)
    }

    /// A credential is about to be given to a person's own git.
    pub(crate) async fn record_own_use(
        &self,
        by: &Actor,
        project: &ProjectName,
        of: &Integration,
    ) -> Result<(), Problem> {
        let event =
            AuditEvent { project: Some(project.clone()), ..self.trail.event_by(by, AuditAction::CredentialUse) };
        self.trail.record(used(event.with("given", "own git"), of)).await
    }

    /// A git request did not get a credential. A repository that was not granted is not repeated: its name is whatever
    /// somebody wrote there.
    pub(crate) async fn note_refused_use(
        &self,
        session: Option<&SessionId>,
        repo: &RepoUrl,
        code: ProblemCode,
    ) -> Result<(), Problem> {
        let event = match session {
            Some(session) => self.session_event(session).await?,
            None => self.trail.event(AuditActor::Anonymous, AuditAction::CredentialUse),
        };
        self.trail.note_seldom(event.with("given", "git").with("instance", repo.instance()).ended_with(code)).await;
        Ok(())
    }

    /// Something that Valetkey did by itself with an integration.
    pub(crate) async fn note_by_system(&self, action: AuditAction, of: &Integration, problem: Option<ProblemCode>) {
        let event = self.trail.event(AuditActor::System, action);
        let event = about(AuditEvent { on_behalf_of: Some(of.owner.clone()), ..event }, of);
        self.trail.note(problem.into_iter().fold(event, AuditEvent::ended_with)).await;
    }

    /// Something that a person does with an integration.
    pub(crate) async fn record_change(&self, by: &Actor, action: AuditAction, of: &Integration) -> Result<(), Problem> {
        self.trail.record(about(self.trail.event_by(by, action), of)).await
    }

    /// A use of a credential by a session: by the person who started it.
    pub(crate) fn event_of(&self, session: &SessionId, starter: &UserId, project: &ProjectName) -> AuditEvent {
        let event = self.trail.event(AuditActor::Person(starter.clone()), AuditAction::CredentialUse);
        AuditEvent { project: Some(project.clone()), session: Some(session.clone()), ..event }
    }

    /// The same, where it is not known who started it.
    async fn session_event(&self, session: &SessionId) -> Result<AuditEvent, Problem> {
        Ok(match self.store.session_of(session).await? {
            Some((owner, project)) => self.event_of(session, &owner, &project),
            None => {
                let event = self.trail.event(AuditActor::System, AuditAction::CredentialUse);
                AuditEvent { session: Some(session.clone()), ..event }
            }
        })
    }
}

fn used(event: AuditEvent, of: &Integration) -> AuditEvent {
    let project = event.project.clone();
    let event = about(event, of).with("generation", &of.generation);
    AuditEvent { project: project.or(event.project), ..event }
}

fn about(event: AuditEvent, of: &Integration) -> AuditEvent {
    let project = match &of.scope {
        OwnerScope::Project(project) => Some(project.clone()),
        OwnerScope::User(_) | OwnerScope::UserGlobal => None,
    };
    let event = AuditEvent { project, ..event };
    event.to("integration", &of.id).with("provider", of.provider.slug()).with("level", of.scope.as_str())
}
