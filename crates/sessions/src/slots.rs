//! What an assistant's slots allow and choose, at the moment of use.

use valetkey_integrations::{Integrations, Resolved};
use valetkey_model::{
    Actor, Integration, IntegrationChoice, IntegrationRef, Problem, ProjectName, ProviderKind, Reason, RepoUrl,
    Resolution, Slot, Tools,
};
use valetkey_store::Store;

use crate::run::Run;

/// What serves a repository of a session.
pub(crate) enum Serving {
    /// An integration.
    Integration(Box<Resolved>),
    /// Nothing, and why, for people.
    Nothing(String),
}

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
        chosen: Option<&IntegrationChoice>,
    ) -> Result<Serving, Problem> {
        let instance = url.instance();
        let (named, reason) = match chosen {
            Some(IntegrationChoice::NoIntegration) => return Ok(Serving::Nothing(Reason::NO_INTEGRATION.to_owned())),
            Some(IntegrationChoice::Integration(which)) => (Some(which.clone()), None),
            None => {
                let fits = |it: &&Integration| it.provider.is_forge() && it.instance_url == *instance;
                let pin = self.pinned.iter().find(fits).map(|pin| IntegrationRef::Id(pin.id.clone()));
                let reason = pin.as_ref().map(|_| Reason::Pinned);
                (pin, reason)
            }
        };
        let found = integrations.resolve(self.by, self.project, None, Some(instance), named.as_ref()).await;
        let provider = match &found {
            Ok(resolved) => Some(resolved.integration.provider),
            Err(_) => ProviderKind::guess(instance.host()),
        };
        if let Some(provider) = provider.filter(|it| chosen.is_none() && self.tools.goes_without(*it)) {
            return Ok(Serving::Nothing(format!(
                "The assistant has no integration for {provider}: it is read as anybody may read it, and nothing is pushed."
            )));
        }
        let resolved = found?;
        self.tools.admit(&resolved.integration)?;
        Ok(Serving::Integration(Box::new(Resolved { reason: reason.unwrap_or(resolved.reason), ..resolved })))
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
