//! Being asked to end.

use tokio::signal::unix::{Signal, SignalKind, signal};
use valetkey_model::{Problem, ProblemCode};

/// Ctrl-C (SIGINT) and SIGTERM. While this exists they do not end the process by themselves.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(crate) fn catch() -> Result<Self, Problem> {
        let caught = |kind| {
            signal(kind).map_err(|e| Problem::new(ProblemCode::Internal, format!("Signals can't be caught: {e}.")))
        };
        Ok(Self { interrupt: caught(SignalKind::interrupt())?, terminate: caught(SignalKind::terminate())? })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
