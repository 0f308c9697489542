use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use jiff::Timestamp;
use tokio::{sync::watch, time::timeout};
use valetkey_model::{EventBody, Problem, SessionEvent, SessionId};

use crate::engine::Parts;

/// The events of a session as they happen; ends when the session is over and all was read.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<SessionEvent, Problem>> + Send>>;

/// How often a session that another process runs is looked at.
const ELSEWHERE: Duration = Duration::from_millis(300);
const PAGE: u32 = 500;

impl Parts {
    /// Appends to a session's event log and wakes whoever follows it.
    pub(crate) async fn append(&self, session: &SessionId, events: &[(Timestamp, EventBody)]) -> Result<(), Problem> {
        self.store.append_events(session, events).await?;
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }
}

struct Follower {
    parts: Arc<Parts>,
    session: SessionId,
    after: i64,
    read: VecDeque<SessionEvent>,
    changed: watch::Receiver<u64>,
}

/// Follows the events behind number `after`.
pub(crate) fn follow(parts: Arc<Parts>, session: SessionId, after: i64) -> EventStream {
    let changed = parts.changed.subscribe();
    let follower = Follower { parts, session, after, read: VecDeque::new(), changed };
    Box::pin(stream::try_unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Ok(event.map(|event| (event, follower)))
    }))
}

impl Follower {
    async fn next(&mut self) -> Result<Option<SessionEvent>, Problem> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.after = event.seq;
                return Ok(Some(event));
            }
            self.changed.mark_unchanged();
            // Asked before the events are read: a session's last event is appended before its record says that it is over.
            let over = self.parts.is_over(&self.session).await?;
            self.read = self.parts.store.events_after(&self.session, self.after, PAGE).await?.into();
            if !self.read.is_empty() {
                continue;
            }
            if over {
                return Ok(None);
            }
            // A time-out is no error: another process may have written without waking us.
            let _ = timeout(ELSEWHERE, self.changed.changed()).await;
        }
    }
}
