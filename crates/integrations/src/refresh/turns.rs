use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use valetkey_model::{IntegrationId, Problem};

/// What the callers of one process share: they queue here, so that only one of them at a time goes to the database.
#[derive(Clone)]
pub(crate) struct Turns {
    slots: Arc<Mutex<HashMap<IntegrationId, Slot>>>,
    /// Refreshes run as tasks of their own: who waits for one may go away, the refresh must not.
    pub(crate) running: TaskTracker,
    pub(crate) pause: Arc<dyn Pause>,
}

/// The queue of one integration.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Memory>>;

/// What this process remembers of one integration's refreshes, so that nobody tries again at once what just failed. Losing
/// it costs one more try.
#[derive(Default)]
pub(crate) struct Memory {
    /// The last failure that may pass.
    pub(super) rest: Option<Rest>,
    /// The newest generation that came of a refresh after a refusal, and when.
    pub(super) forced: Option<(i64, Timestamp)>,
}

/// A failure that every caller is told until its time is up.
pub(super) struct Rest {
    pub(super) generation: i64,
    pub(super) until: Timestamp,
    pub(super) problem: Problem,
}

/// How to let time pass.
#[async_trait]
pub(crate) trait Pause: Send + Sync {
    /// Waits.
    async fn pause(&self, time: Duration);
}

/// Waits for as long as it says.
struct Sleep;

#[async_trait]
impl Pause for Sleep {
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self::pausing(Arc::new(Sleep))
    }

    pub(super) fn pausing(pause: Arc<dyn Pause>) -> Self {
        Self { slots: Arc::default(), running: TaskTracker::new(), pause }
    }

    /// The queue of an integration.
    pub(crate) fn of(&self, id: &IntegrationId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(id) {
            return Arc::clone(slot);
        }
        // A new one: the moment to forget those of which nothing is left to remember.
        slots.retain(|_, slot| {
            let remembers = |memory: &Memory| memory.rest.is_some() || memory.forced.is_some();
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|memory| remembers(&memory))
        });
        Arc::clone(slots.entry(id.clone()).or_default())
    }
}
