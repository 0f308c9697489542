use valetkey_model::{
    Actor, Alias, AssistantId, AssistantName, InstanceUrl, Integration, IntegrationId, IntegrationRef, Problem,
    ProblemCode, ProjectName, ProviderKind, Query, Reason, RepoUrl, SessionId, UserId, resolve,
};

use valetkey_store::{IntegrationFilter, Owner};

use crate::Integrations;

/// The answer of [`Integrations::resolve`].
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The integration.
    pub integration: Integration,
    /// Why this one.
    pub reason: Reason,
    /// How it was found, level by level.
    pub steps: Vec<String>,
    /// All that were considered.
    pub candidates: Vec<IntegrationId>,
}

/// What uses an integration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The sessions that hold a grant of it now.
    pub sessions: Vec<SessionId>,
    /// The assistants that are pinned to it: without it no session starts from them.
    pub assistants: Vec<(AssistantId, ProjectName, AssistantName)>,
    /// The projects' repositories whose provider was asked with it the last time.
    pub repositories: Vec<(ProjectName, RepoUrl)>,
}

impl Resolved {
    /// The reason as a sentence, for who asked.
    pub fn told(&self) -> String {
        self.reason.told(&self.integration)
    }
}

impl Integrations {
    /// A page of the integrations that somebody may know of, their own and their projects', oldest first, from the one
    /// behind `after`; those being removed are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page(
        &self,
        by: &Actor,
        filter: &IntegrationFilter<'_>,
        after: Option<&IntegrationId>,
        limit: u32,
    ) -> Result<Vec<Integration>, Problem> {
        Ok(self.store.integrations_page(by, filter, self.clock.now(), after, limit).await?)
    }

    /// All that [`page`](Self::page) gives, in one list: for filters that leave few.
    pub(crate) async fn all_seen(
        &self,
        by: &Actor,
        filter: &IntegrationFilter<'_>,
    ) -> Result<Vec<Integration>, Problem> {
        self.page(by, filter, None, u32::MAX).await
    }

    /// What somebody connected for themselves, for one project or everywhere; oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn own(&self, by: &Actor, provider: Option<ProviderKind>) -> Result<Vec<Integration>, Problem> {
        self.all_seen(by, &IntegrationFilter { provider, owner: Some(Owner::Themselves), ..Default::default() }).await
    }

    /// An integration that somebody may know of.
    ///
    /// # Errors
    /// `not_found`, also for one that is none of their business; `integration_ambiguous` for an alias used several times.
    pub async fn get(&self, by: &Actor, which: &IntegrationRef) -> Result<Integration, Problem> {
        let mut found = match which {
            IntegrationRef::Id(id) => {
                let known = self.store.integration(id).await?;
                known.into_iter().filter(|it| !it.removing && by.sees(it)).collect()
            }
            IntegrationRef::Alias(alias) => {
                self.all_seen(by, &IntegrationFilter { alias: Some(alias), ..Default::default() }).await?
            }
        };
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => Err(Problem::new(
                ProblemCode::IntegrationAmbiguous,
                format!("Several of your integrations are named '{which}'."),
            )
            .remedy("Name it by its id; `valetkey integrations list` shows them.")),
            (None, _) => Err(Problem::new(ProblemCode::NotFound, format!("You have no integration '{which}'."))
                .remedy("List yours with `valetkey integrations list`.")),
        }
    }

    /// The same, for whoever wants to change it.
    ///
    /// # Errors
    /// As [`get`](Self::get), and `forbidden` for one that others manage.
    pub async fn managed(&self, by: &Actor, which: &IntegrationRef) -> Result<Integration, Problem> {
        let found = self.get(by, which).await?;
        if by.manages(&found) {
            return Ok(found);
        }
        let project = found.scope.project().map_or_else(String::new, |project| format!(" of the project '{project}'"));
        Err(Problem::new(ProblemCode::Forbidden, format!("Only an admin{project} may change '{}'.", found.alias))
            .remedy("Ask one of them, or connect an integration of your own."))
    }

    /// The same, for whoever wants its provider asked.
    ///
    /// # Errors
    /// As [`managed`](Self::managed); members of a project may have its integrations tested.
    pub async fn testable(&self, by: &Actor, which: &IntegrationRef) -> Result<Integration, Problem> {
        let found = self.get(by, which).await?;
        match found.scope.project() {
            Some(project) if by.uses(&found, project) => Ok(found),
            _ => self.managed(by, &IntegrationRef::Id(found.id)).await,
        }
    }

    /// Somebody with their roles as they are now.
    ///
    /// # Errors
    /// `forbidden` for whoever is not known any more, or disabled.
    pub async fn actor(&self, user: &UserId) -> Result<Actor, Problem> {
        self.store.actor(user).await?.ok_or_else(|| {
            Problem::new(ProblemCode::Forbidden, "The person who started this may not use Valetkey any more.")
        })
    }

    /// The integration that a session of theirs in `project` would use, and why.
    ///
    /// # Errors
    /// As [`valetkey_model::resolve`].
    pub async fn resolve(
        &self,
        by: &Actor,
        project: &ProjectName,
        provider: Option<ProviderKind>,
        instance: Option<&InstanceUrl>,
        explicit: Option<&IntegrationRef>,
    ) -> Result<Resolved, Problem> {
        let all = match explicit {
            // Of one that was chosen and does not fit it is said why.
            Some(_) => self.store.integrations_for(&by.user, project).await?,
            None => self.store.integrations_fitting(&by.user, project, provider, instance).await?,
        };
        let query = Query { caller: by, project, explicit, provider, instance };
        let resolution = resolve(&all, query)?;
        Ok(Resolved {
            integration: resolution.integration.clone(),
            reason: resolution.reason,
            steps: resolution.steps,
            candidates: resolution.candidates,
        })
    }

    /// Gives an integration another name.
    ///
    /// # Errors
    /// `not_found`, or `conflict` for a name in use.
    pub async fn rename(&self, by: &Actor, which: &IntegrationRef, alias: &Alias) -> Result<Integration, Problem> {
        let integration = self.managed(by, which).await?;
        self.store.rename(&integration.id, alias, self.clock.now()).await?;
        self.by_id(&integration.id).await
    }

    /// Marks an integration as the one to take where several would do, or takes the mark away.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn set_default(&self, by: &Actor, which: &IntegrationRef, default: bool) -> Result<Integration, Problem> {
        let integration = self.managed(by, which).await?;
        self.store.set_default(&integration.id, default, self.clock.now()).await?;
        self.by_id(&integration.id).await
    }

    /// What uses an integration, as far as they may know of it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn used_by(&self, by: &Actor, which: &IntegrationRef) -> Result<Usage, Problem> {
        let id = self.get(by, which).await?.id;
        let mut sessions = Vec::new();
        for session in self.store.grants_holding(&id, self.clock.now()).await? {
            let of = self.store.session_of(&session).await?;
            sessions.extend(of.filter(|(_, project)| by.role(project).is_some()).map(|_| session));
        }
        let mut assistants = self.store.assistants_pinning(&id).await?;
        assistants.retain(|(_, project, _)| by.role(project).is_some());
        let mut repositories = self.store.repositories_asked_with(&id).await?;
        repositories.retain(|(project, _)| by.role(project).is_some());
        Ok(Usage { sessions, assistants, repositories })
    }

    pub(crate) async fn by_id(&self, id: &IntegrationId) -> Result<Integration, Problem> {
        self.store
            .integration(id)
            .await?
            .ok_or_else(|| Problem::new(ProblemCode::NotFound, "The integration was disconnected meanwhile."))
    }
}
