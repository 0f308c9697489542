use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use valetkey_model::IntegrationId;

/// The checks that follow a refused credential. An agent may run into the same refusal as often as it likes; the provider
/// is asked about it by one check at a time, and after that not for a while.
#[derive(Clone)]
pub(crate) struct Rechecks {
    pause: Duration,
    last: Arc<Mutex<HashMap<IntegrationId, Last>>>,
}

#[derive(Clone, Copy)]
enum Last {
    Running,
    Ended(Instant),
}

impl Rechecks {
    pub(crate) fn new(pause: Duration) -> Self {
        Self { pause, last: Arc::default() }
    }

    /// Runs `check` beside everything else, unless one of this integration runs or has just ended.
    pub(crate) fn start(&self, id: &IntegrationId, check: impl Future<Output = ()> + Send + 'static) {
        if let Some(running) = self.begin(id) {
            tokio::spawn(async move {
                check.await;
                drop(running);
            });
        }
    }

    fn begin(&self, id: &IntegrationId) -> Option<Running> {
        let mut all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, last| match last {
            Last::Running => true,
            Last::Ended(at) => at.elapsed() < self.pause,
        });
        if all.contains_key(id) {
            return None;
        }
        all.insert(id.clone(), Last::Running);
        Some(Running { of: self.clone(), id: id.clone() })
    }
}

/// A check under way. It ends when this is dropped, whatever became of it.
struct Running {
    of: Rechecks,
    id: IntegrationId,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut all = self.of.last.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(self.id.clone(), Last::Ended(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn id(last: char) -> IntegrationId {
        format!("018f0000-0000-7000-8000-00000000000{last}").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_then_none_for_a_while() {
        let checks = Rechecks::new(PAUSE);
        let running = checks.begin(&id('a')).expect("the first one runs");
        tokio::time::advance(PAUSE * 100).await;
        assert!(checks.begin(&id('a')).is_none(), "one is running still");
        drop(running);
        tokio::time::advance(PAUSE / 2).await;
        assert!(checks.begin(&id('a')).is_none(), "one has just ended");
        tokio::time::advance(PAUSE / 2).await;
        assert!(checks.begin(&id('a')).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn integrations_do_not_wait_for_each_other() {
        let checks = Rechecks::new(PAUSE);
        let _running = checks.begin(&id('a'));
        assert!(checks.begin(&id('b')).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_fails_is_over() {
        let checks = Rechecks::new(PAUSE);
        checks.start(&id('a'), async { panic!("this check fails on purpose") });
        tokio::time::sleep(PAUSE).await;
        assert!(checks.begin(&id('a')).is_some());
    }
}
