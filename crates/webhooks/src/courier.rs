//! The task that sends what is due, for as long as its process runs.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use valetkey_model::Problem;

use crate::Webhooks;

/// The shortest pause, so that no clock can make it spin, and the longest that other processes' doings go unseen.
const NAP: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

impl Webhooks {
    /// Starts to send in the background, until [`finish`](Self::finish).
    pub fn start(&self) {
        self.background.tasks.spawn(carry(self.clone()));
    }

    /// Says that there may be something to send.
    pub fn wake(&self) {
        self.background.filled.notify_one();
    }

    /// Sends what is due now, and ends what [`start`](Self::start) began; waits no longer than `patience`. What is cut off or
    /// left is another one's.
    pub async fn finish(&self, patience: Duration) {
        self.background.closing.cancel();
        self.background.tasks.close();
        let _ = timeout(patience, self.background.tasks.wait()).await;
    }
}

async fn carry(webhooks: Webhooks) {
    loop {
        let last = webhooks.background.closing.is_cancelled();
        let nap = carry_some(&webhooks).await.unwrap_or_else(|problem| {
            tracing::warn!(%problem, "notifications could not be sent");
            NAP.1
        });
        if last {
            return;
        }
        tokio::select! {
            () = sleep(nap) => {}
            () = webhooks.background.filled.notified() => {}
            () = webhooks.background.closing.cancelled() => {}
        }
    }
}

/// Sends what is due, and says how long there is nothing to do.
async fn carry_some(webhooks: &Webhooks) -> Result<Duration, Problem> {
    while webhooks.run_due().await? > 0 {}
    let next = webhooks.next_due().await?;
    let left = next.map_or(NAP.1, |due| Duration::try_from(due.duration_since(webhooks.clock.now())).unwrap_or(NAP.0));
    Ok(left.clamp(NAP.0, NAP.1))
}
