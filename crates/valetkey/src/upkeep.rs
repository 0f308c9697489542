//! What a server does while nobody asks: it looks after credentials, and forgets what is past.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::{
    task::{AbortHandle, spawn},
    time::{Instant, sleep},
};
use valetkey_model::Problem;

use crate::wiring::{self, Foundation};

/// How many checks are claimed at a time.
const AT_A_TIME: u32 = 32;
/// The longest that other processes' doings go unseen, and the shortest pause.
const NAP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);
/// For how long events of integrations are kept.
const EVENTS_LAST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// For how long the log of a webhook's notifications is kept.
const DELIVERIES_LAST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The task that does it.
pub(crate) struct Upkeep(AbortHandle);

impl Upkeep {
    /// Starts it in the background.
    pub(crate) fn start(foundation: &Foundation) -> Self {
        Self(spawn(keep_up(foundation.clone())).abort_handle())
    }

    /// Ends it at once. A check that is cut off is another one's as soon as its time is up; renewals of access tokens run
    /// on their own.
    pub(crate) fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn keep_up(foundation: Foundation) {
    let mut purge_at = Instant::now();
    loop {
        if purge_at <= Instant::now() {
            purge_at = Instant::now() + PURGE_EVERY;
            if let Err(problem) = purge(&foundation, wiring::now()).await {
                tracing::warn!(%problem, "what is past could not be forgotten");
            }
        }
        let nap = check(&foundation).await.unwrap_or_else(|problem| {
            tracing::warn!(%problem, "credentials could not be checked");
            NAP.1
        });
        sleep(nap).await;
    }
}

/// Checks what is due, and says how long there is nothing to do.
async fn check(foundation: &Foundation) -> Result<Duration, Problem> {
    let done = foundation.integrations.run_due_checks(AT_A_TIME).await?;
    if done.total() >= AT_A_TIME as usize {
        return Ok(Duration::ZERO);
    }
    let next = foundation.integrations.next_due_check().await?;
    let left = next.map_or(NAP.1, |due| Duration::try_from(due.duration_since(wiring::now())).unwrap_or(NAP.0));
    Ok(left.clamp(NAP.0, NAP.1))
}

async fn purge(foundation: &Foundation, now: Timestamp) -> Result<(), Problem> {
    let forgotten = foundation.store.purge(now, now - EVENTS_LAST).await?
        + foundation.store.purge_deliveries(now - DELIVERIES_LAST).await?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "forgot what is past");
    }
    let kept = foundation.settings.audit_retention_days;
    // A moment before the calendar begins is one before which nothing was recorded.
    let before = kept.and_then(|days| now.checked_sub(SignedDuration::from_hours(24 * i64::from(days.get()))).ok());
    if let Some(before) = before {
        foundation.integrations.trail().forget(before).await?;
    }
    Ok(())
}
