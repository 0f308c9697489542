//! What an assistant's slots allow and choose, at the moment of use.

use valetkey_model::{Actor, InstanceUrl, Integration, Problem, ProjectName, ProviderKind, Resolution, Slot, Tools};
use valetkey_store::Store;

use crate::run::Run;

/// The integrations that an assistant pins, each by its provider. One that can't be used ends the session: nothing takes
/// its place.
pub(crate) async fn pinned(
    store: &Store,
    tools: &Tools,
    by: &Actor,
    project: &ProjectName,
) -> Result<Vec<Integration>, Problem> {
    if tools.pins().next().is_none() {
        return Ok(Vec::new());
    }
    let all = store.integrations_for(&by.user, project).await?;
    let mut pinned = Vec::new();
    for (provider, _) in tools.pins() {
        let found = tools.find(provider, &all, by, project)?;
        pinned.extend(found.map(|Resolution { integration, .. }| integration.clone()));
    }
    Ok(pinned)
}

/// The one that is pinned for repositories of an instance.
pub(crate) fn pinned_for<'a>(pinned: &'a [Integration], instance: &InstanceUrl) -> Option<&'a Integration> {
    pinned.iter().find(|it| it.provider.is_forge() && it.instance_url == *instance)
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
