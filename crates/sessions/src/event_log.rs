use std::{mem, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use valetkey_model::{Clock, EventBody, Problem, ProblemCode, SessionId};

use crate::engine::Parts;

/// How long an event waits for others to be written with: a write that survives a power cut takes about a millisecond,
/// and a session has dozens of them in its first second.
const GATHER: Duration = Duration::from_millis(50);
/// The most text that one event holds, and that one transaction writes.
const EVENT: usize = 64 * 1024;
const BATCH: usize = 4 * EVENT;

/// Writes the events of one session in the order in which they were sent. Cheap to clone.
///
/// What was sent is written soon, and surely once [`flush`](Self::flush) has returned. The channel is bounded: who sends
/// faster than the store writes has to wait.
#[derive(Clone)]
pub(crate) struct EventLog {
    to: mpsc::Sender<Entry>,
    clock: Arc<dyn Clock>,
}

enum Entry {
    Event(Timestamp, EventBody),
    Flush(oneshot::Sender<()>),
}

impl EventLog {
    /// Starts the writer; it ends when the last clone of the log is gone, or when the store fails.
    pub(crate) fn start(parts: Arc<Parts>, session: SessionId) -> Self {
        let (to, from) = mpsc::channel(64);
        let clock = Arc::clone(&parts.clock);
        tokio::spawn(async move {
            if let Err(problem) = write(&parts, &session, from).await {
                tracing::error!(%session, %problem, "the event log can't be written");
            }
        });
        Self { to, clock }
    }

    pub(crate) async fn send(&self, event: EventBody) -> Result<(), Problem> {
        self.to.send(Entry::Event(self.clock.now(), event)).await.map_err(|_| broken())
    }

    /// Returns when everything sent before is written.
    pub(crate) async fn flush(&self) -> Result<(), Problem> {
        let (done, flushed) = oneshot::channel();
        self.to.send(Entry::Flush(done)).await.map_err(|_| broken())?;
        flushed.await.map_err(|_| broken())
    }
}

fn broken() -> Problem {
    Problem::new(ProblemCode::Internal, "The session's event log can't be written; the server's log says why.")
}

async fn write(parts: &Parts, session: &SessionId, mut from: mpsc::Receiver<Entry>) -> Result<(), Problem> {
    let mut batch = Batch::default();
    while let Some(first) = from.recv().await {
        let mut flush = batch.take(first);
        let until = Instant::now() + GATHER;
        while flush.is_none() && batch.size < BATCH {
            match timeout_at(until, from.recv()).await {
                Ok(Some(entry)) => flush = batch.take(entry),
                Ok(None) | Err(_) => break,
            }
        }
        let events = mem::take(&mut batch).events;
        if !events.is_empty() {
            parts.append(session, &events).await?;
        }
        if let Some(done) = flush {
            let _ = done.send(());
        }
    }
    Ok(())
}

#[derive(Default)]
struct Batch {
    events: Vec<(Timestamp, EventBody)>,
    size: usize,
}

impl Batch {
    /// Takes an event in; neighbouring pieces of one stream's output become one. Gives back a wish to flush.
    fn take(&mut self, entry: Entry) -> Option<oneshot::Sender<()>> {
        let (at, event) = match entry {
            Entry::Flush(done) => return Some(done),
            Entry::Event(at, event) => (at, event),
        };
        if let EventBody::Log { stream, text } = &event {
            self.size += text.len();
            if let Some((_, EventBody::Log { stream: last, text: whole })) = self.events.last_mut()
                && last == stream
                && whole.len() + text.len() <= EVENT
            {
                whole.push_str(text);
                return None;
            }
        }
        self.events.push((at, event));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use valetkey_model::{LogStream, Phase};

    fn log(stream: LogStream, text: &str) -> EventBody {
        EventBody::Log { stream, text: text.to_owned() }
    }

    #[test]
    fn only_neighbours_of_one_stream_are_joined() {
        let mut batch = Batch::default();
        for event in [
            log(LogStream::Stdout, "a"),
            log(LogStream::Stdout, "b"),
            log(LogStream::Stderr, "c"),
            EventBody::Phase { phase: Phase::Running },
            log(LogStream::Stderr, "d"),
        ] {
            assert!(batch.take(Entry::Event(Timestamp::UNIX_EPOCH, event)).is_none());
        }
        let wanted = [
            log(LogStream::Stdout, "ab"),
            log(LogStream::Stderr, "c"),
            EventBody::Phase { phase: Phase::Running },
            log(LogStream::Stderr, "d"),
        ];
        let events: Vec<EventBody> = batch.events.into_iter().map(|(_, event)| event).collect();
        assert_eq!(events, wanted);
    }
}
