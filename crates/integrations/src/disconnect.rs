use valetkey_model::{IntegrationRef, Problem, SessionId, UserId};
use valetkey_store::{Removal, RemovalMode};

use crate::Integrations;

/// What became of a disconnected integration's credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnected {
    /// It is erased.
    Erased,
    /// These sessions still use it; it is erased when the last of them ends. Nothing new can use it.
    UntilSessionsEnd(Vec<SessionId>),
}

impl Integrations {
    /// Removes an integration and its credential.
    ///
    /// With `now` the sessions that use it lose it at once; otherwise they keep it until they end.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn disconnect(&self, owner: &UserId, which: &IntegrationRef, now: bool) -> Result<Disconnected, Problem> {
        let integration = self.get(owner, which).await?;
        let mode = if now { RemovalMode::Now } else { RemovalMode::WhenFree };
        let removal = self.store.begin_removal(&integration.id, mode, self.clock.now()).await?;
        tracing::info!(integration = %integration.id, now, "disconnected");
        Ok(match removal {
            Removal::Erased => Disconnected::Erased,
            Removal::HeldBy(sessions) => Disconnected::UntilSessionsEnd(sessions),
        })
    }
}
