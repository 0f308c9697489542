//! What an assistant's slots allow and choose, at the moment of use.

use valetkey_integrations::{Integrations, Resolved};
use valetkey_model::{
    Actor, Integration, IntegrationRef, Problem, ProjectName, ProviderKind, RepoUrl, Resolution, Slot, Tools,
};
use valetkey_store::Store;

use crate::run::Run;

/// An assistant's tools, with the integrations that it pins, as one person may use them in a project now.
pub(crate) struct Toolbox<'a> {
    by: &'a Actor,
    project: &'a ProjectName,
    tools: Tools,
    pinned: Vec<Integration>,
}

impl<'a> Toolbox<'a> {
    /// Finds what is pinned. One that can't be used is the end: nothing takes its place.
    pub(crate) async fn open(
        store: &Store,
        by: &'a Actor,
        project: &'a ProjectName,
        tools: Tools,
    ) -> Result<Self, Problem> {
        let mut pinned = Vec::new();
        if tools.pins().next().is_some() {
            let all = store.integrations_for(&by.user, project).await?;
            for (provider, _) in tools.pins() {
                let found = tools.find(provider, &all, by, project)?;
                pinned.extend(found.map(|Resolution { integration, .. }| integration.clone()));
            }
        }
        Ok(Self { by, project, tools, pinned })
    }

    /// The one that is pinned for a provider's token.
    pub(crate) fn pinned(&self, provider: ProviderKind) -> Option<&Integration> {
        self.pinned.iter().find(|it| it.provider == provider)
    }

    /// What a provider's tokens are taken from.
    pub(crate) fn slot(&self, provider: ProviderKind) -> &Slot {
        self.tools.slot(provider)
    }

    /// What serves a repository: what was chosen for it, else what is pinned for its instance, else by the levels.
    pub(crate) async fn serving(
        &self,
        integrations: &Integrations,
        url: &RepoUrl,
        chosen: Option<&IntegrationRef>,
    ) -> Result<Resolved, Problem> {
        let instance = url.instance();
        let fits = |it: &&Integration| it.provider.is_forge() && it.instance_url == *instance;
        let pin = self.pinned.iter().find(fits).filter(|_| chosen.is_none());
        let pinned = pin.map(|pin| IntegrationRef::Id(pin.id.clone()));
        let named = chosen.or(pinned.as_ref());
        let mut resolved = integrations.resolve(self.by, self.project, None, Some(instance), named).await?;
        self.tools.admit(&resolved.integration)?;
        if pin.is_some() {
            resolved.reason = format!("'{}' is pinned by the assistant.", resolved.integration.alias);
        }
        Ok(resolved)
    }
}

/// Says in the log that a tool was listed for which there is nothing.
pub(crate) async fn note_missing(run: &Run, provider: ProviderKind) -> Result<(), Problem> {
    let listed = run.session.spec.tools().listed().any(|(tool, slot)| tool == provider && *slot != Slot::None);
    if !listed {
        return Ok(());
    }
    run.log_at(provider, "the assistant may use it, but nothing is connected; the agent gets no token of this provider")
        .await
}
