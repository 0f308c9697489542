//! The one place where it is written down what a provider says of a stored credential, with all that follows from it.

use jiff::{SignedDuration, Timestamp};
use valetkey_model::{AuditAction, CheckOutcome, Integration, IntegrationId, Problem, ProblemCode};
use valetkey_store::{CheckRecord, Finding, Recorded};

use crate::{
    Integrations,
    events::Happening,
    schedule::{self, LastCheck},
    tally::RefreshEnd,
};

/// How long nobody is told again that an integration ends soon.
const TOLD_OF_ITS_END: SignedDuration = SignedDuration::from_hours(24);

/// How a refresh ended.
pub(crate) enum Renewal<'a> {
    /// There is another token.
    Done,
    /// There is none, for a reason that may pass.
    Failed(&'a Problem),
    /// There will be none, as is recorded already.
    Ended(&'a CheckOutcome),
}

/// Whether the end of a credential has been recorded since then.
pub(crate) fn recorded_since(of: &Integration, began: Timestamp) -> bool {
    // The store keeps milliseconds.
    matches!(of.outcome, CheckOutcome::Disconnected { .. })
        && of.last_checked_at.as_millisecond() >= began.as_millisecond()
}

impl Integrations {
    /// Records what the provider said of the credential of `generation`, notes what has changed by it, and schedules the
    /// next check. None, and nothing happens, if that credential is gone.
    pub(crate) async fn record(
        &self,
        id: &IntegrationId,
        generation: i64,
        finding: Finding,
        told_to_wait: Option<u64>,
    ) -> Result<Option<Recorded>, Problem> {
        let now = self.clock.now();
        let record = CheckRecord { generation, checked_at: now, finding };
        let Some(recorded) = self.store.record_check(id, &record).await? else { return Ok(None) };
        let Recorded { before, after } = &recorded;
        if let Some(change) = Happening::between(&before.outcome, &after.outcome) {
            self.note(after, change).await;
        }
        let again = before.unreachable.is_some() && after.unreachable.is_some();
        let last = LastCheck {
            unreachable_for: again.then(|| now.duration_since(before.last_checked_at)),
            told_to_wait: told_to_wait
                .map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
        };
        self.follow(after, last, now).await?;
        Ok(Some(recorded))
    }

    /// Does for an integration that was just connected what [`record`](Self::record) does for the others.
    pub(crate) async fn connected(&self, new: &Integration) -> Result<(), Problem> {
        self.note(new, Happening::Connected).await;
        self.follow(new, LastCheck::default(), self.clock.now()).await
    }

    /// Notes how a refresh of `old` ended. What it stored is stored: a failure here is only logged.
    pub(crate) async fn refreshed(&self, old: &Integration, how: Renewal<'_>) {
        let problem = match how {
            Renewal::Failed(problem) => Some(problem.code),
            Renewal::Ended(CheckOutcome::Disconnected { code, .. }) => Some(*code),
            Renewal::Ended(_) => Some(ProblemCode::InsufficientScope),
            Renewal::Done => None,
        };
        let (end, noted) = match how {
            Renewal::Done => (RefreshEnd::Renewed, Some(Happening::Refreshed)),
            Renewal::Failed(problem) => {
                let reason = problem.detail.clone();
                // The first of several in a row is news.
                let first = old.unreachable.is_none().then_some(Happening::RefreshFailed { reason, ended: false });
                (RefreshEnd::Failed, first)
            }
            Renewal::Ended(outcome) => {
                let reason = match outcome {
                    CheckOutcome::Disconnected { reason, .. } | CheckOutcome::InsufficientScope { reason } => {
                        reason.clone()
                    }
                    CheckOutcome::Connected => String::new(),
                };
                (RefreshEnd::Ended, Some(Happening::RefreshFailed { reason, ended: true }))
            }
        };
        self.tally.refresh(end);
        if let Some(happening) = noted {
            self.note_by_system(AuditAction::CredentialRefresh, old, problem).await;
            self.note(old, happening).await;
        }
        if !matches!(how, Renewal::Failed(_))
            && let Err(problem) = self.refresh_followed(old).await
        {
            tracing::warn!(integration = %old.id, %problem, "the next check could not be scheduled");
        }
    }

    async fn refresh_followed(&self, old: &Integration) -> Result<(), Problem> {
        let Some(now_is) = self.store.integration(&old.id).await? else { return Ok(()) };
        if let Some(change) = Happening::between(&old.outcome, &now_is.outcome) {
            self.note(&now_is, change).await;
        }
        self.follow(&now_is, LastCheck::default(), self.clock.now()).await
    }

    /// What follows from how an integration is now: when it is looked at next, and whether its owner is told of its end.
    async fn follow(&self, of: &Integration, last: LastCheck, now: Timestamp) -> Result<(), Problem> {
        let next = schedule::next_check(of, last, now, &*self.entropy);
        self.store.schedule_check(&of.id, next).await?;
        if let Some(ends_at) = of.expires_soon(now)
            && self.store.note_expiring(&of.id, now, now - TOLD_OF_ITS_END).await?
        {
            tracing::warn!(integration = %of.id, %ends_at, "ends soon");
            self.note(of, Happening::Expiring { ends_at }).await;
        }
        Ok(())
    }
}
