use valetkey_model::{
    Alias, InstanceUrl, Integration, IntegrationId, IntegrationRef, Problem, ProblemCode, ProjectName, ProviderKind,
    Query, SessionId, UserId, resolve,
};

use crate::Integrations;

/// The answer of [`Integrations::resolve`].
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The integration.
    pub integration: Integration,
    /// Why this one.
    pub reason: String,
    /// All that were considered.
    pub candidates: Vec<IntegrationId>,
}

impl Integrations {
    /// The caller's integrations, oldest first, those being removed left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, owner: &UserId, provider: Option<ProviderKind>) -> Result<Vec<Integration>, Problem> {
        let mut own = self.store.integrations_for(owner, None).await?;
        own.retain(|integration| provider.is_none_or(|wanted| wanted == integration.provider));
        Ok(own)
    }

    /// One of the caller's integrations.
    ///
    /// # Errors
    /// `not_found`, also for one of somebody else's; `integration_ambiguous` for an alias used on several levels.
    pub async fn get(&self, owner: &UserId, which: &IntegrationRef) -> Result<Integration, Problem> {
        let named = |i: &Integration| match which {
            IntegrationRef::Id(id) => i.id == *id,
            IntegrationRef::Alias(alias) => i.alias == *alias,
        };
        let mut found: Vec<_> = self.list(owner, None).await?.into_iter().filter(named).collect();
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

    /// The integration that a session of `caller` in `project` would use, and why.
    ///
    /// # Errors
    /// As [`valetkey_model::resolve`].
    pub async fn resolve(
        &self,
        caller: &UserId,
        project: &ProjectName,
        provider: Option<ProviderKind>,
        instance: Option<&InstanceUrl>,
        explicit: Option<&IntegrationRef>,
    ) -> Result<Resolved, Problem> {
        let all = self.store.integrations_for(caller, Some(project)).await?;
        let query = Query { caller, project, explicit, provider, instance };
        let resolution = resolve(&all, query)?;
        Ok(Resolved {
            integration: resolution.integration.clone(),
            reason: resolution.reason,
            candidates: resolution.candidates,
        })
    }

    /// Gives an integration another name.
    ///
    /// # Errors
    /// `not_found`, or `conflict` for a name in use.
    pub async fn rename(&self, owner: &UserId, which: &IntegrationRef, alias: &Alias) -> Result<Integration, Problem> {
        let integration = self.get(owner, which).await?;
        self.store.rename(&integration.id, alias, self.clock.now()).await?;
        self.by_id(&integration.id).await
    }

    /// Marks an integration as the one to take where several would do, or takes the mark away.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn set_default(
        &self,
        owner: &UserId,
        which: &IntegrationRef,
        default: bool,
    ) -> Result<Integration, Problem> {
        let integration = self.get(owner, which).await?;
        self.store.set_default(&integration.id, default, self.clock.now()).await?;
        self.by_id(&integration.id).await
    }

    /// The sessions that hold a grant of an integration now.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn used_by(&self, owner: &UserId, which: &IntegrationRef) -> Result<Vec<SessionId>, Problem> {
        let integration = self.get(owner, which).await?;
        Ok(self.store.grants_holding(&integration.id, self.clock.now()).await?)
    }

    pub(crate) async fn by_id(&self, id: &IntegrationId) -> Result<Integration, Problem> {
        self.store
            .integration(id)
            .await?
            .ok_or_else(|| Problem::new(ProblemCode::NotFound, "The integration was disconnected meanwhile."))
    }
}
