//! Looking after integrations while nobody waits for them.

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use valetkey_model::{Integration, IntegrationId, Problem};

use crate::{Integrations, TokenCheck, record::recorded_since, schedule, tally::CheckEnd};

/// How long a process that claimed checks has for them. A refresh that waits for another replica's takes the longest.
const LEASE: SignedDuration = SignedDuration::from_mins(15);

/// How many providers one process asks at once.
const AT_ONCE: usize = 4;

/// With less than this left of a provider's limit, in percent, nothing is asked by itself.
const RESERVE: u64 = 20;

/// What came of the checks that were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DueChecks {
    /// The provider accepts the credential.
    pub passed: usize,
    /// It does not, or could not be asked.
    pub failed: usize,
    /// The access token was renewed, and the credential checked not long ago.
    pub refreshed: usize,
    /// Put off, so as to leave people something of the provider's limit, or because it can't be looked at here.
    pub postponed: usize,
    /// Disconnected meanwhile.
    pub gone: usize,
}

/// How one look ended.
enum Look {
    Passed,
    Failed,
    Refreshed,
    Postponed,
    Gone,
}

impl DueChecks {
    /// How many checks were due; as many as were asked for, if there may be more.
    pub fn total(&self) -> usize {
        let Self { passed, failed, refreshed, postponed, gone } = self;
        passed + failed + refreshed + postponed + gone
    }

    fn count(mut self, look: &Look) -> Self {
        *match look {
            Look::Passed => &mut self.passed,
            Look::Failed => &mut self.failed,
            Look::Refreshed => &mut self.refreshed,
            Look::Postponed => &mut self.postponed,
            Look::Gone => &mut self.gone,
        } += 1;
        self
    }
}

impl Integrations {
    /// Does up to `limit` of the checks and refreshes that are due. Of several replicas each does others.
    ///
    /// # Errors
    /// When the store does not answer. What can't be looked at is postponed.
    pub async fn run_due_checks(&self, limit: u32) -> Result<DueChecks, Problem> {
        let now = self.clock.now();
        let due = self.store.claim_due_checks(now, now + LEASE, limit).await?;
        let looks = stream::iter(due).map(|id| async move { self.look_at(&id).await });
        let done = looks.buffer_unordered(AT_ONCE).fold(DueChecks::default(), async |all, look| all.count(&look)).await;
        if done.total() > 0 {
            tracing::debug!(?done, "checked what was due");
        }
        Ok(done)
    }

    /// When the next check is due, if there is one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn next_due_check(&self) -> Result<Option<Timestamp>, Problem> {
        Ok(self.store.next_check_due().await?)
    }

    async fn look_at(&self, id: &IntegrationId) -> Look {
        match self.look(id).await {
            Ok(look) => look,
            Err(problem) => {
                tracing::warn!(integration = %id, %problem, "could not be checked");
                self.postpone(id).await.unwrap_or(Look::Postponed)
            }
        }
    }

    async fn look(&self, id: &IntegrationId) -> Result<Look, Problem> {
        let found = self.store.integration(id).await?;
        let Some(integration) = found.filter(|found| !found.removing) else { return Ok(Look::Gone) };
        let began = self.clock.now();
        match self.refresh_if_due(id).await {
            Ok(true) if schedule::checked_lately(&integration, began) => return Ok(Look::Refreshed),
            Err(_) if recorded_since(&self.by_id(id).await?, began) => return Ok(Look::Failed),
            // One that could not be renewed may live for a while.
            Ok(_) | Err(_) => {}
        }
        let integration = self.by_id(id).await?;
        if self.is_low(&integration).await? {
            return self.postpone(id).await;
        }
        Ok(match self.check(&integration).await? {
            TokenCheck::Passed => Look::Passed,
            TokenCheck::Failed(_) => Look::Failed,
        })
    }

    async fn is_low(&self, integration: &Integration) -> Result<bool, Problem> {
        let (credential, _) = self.open(integration).await?;
        Ok(self.http.is_low(&credential.token, RESERVE, self.clock.now()))
    }

    async fn postpone(&self, id: &IntegrationId) -> Result<Look, Problem> {
        self.tally.check(CheckEnd::Postponed);
        self.store.schedule_check(id, Some(schedule::postponed(self.clock.now(), &*self.entropy))).await?;
        Ok(Look::Postponed)
    }
}
