use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;
use valetkey_model::{Phase, Problem, ProblemCode};

/// Ends a session from outside its pipeline.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    asked: CancellationToken,
    why: Arc<OnceLock<Why>>,
}

/// Why a session was ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A person asked.
    Asked,
    /// Who started it is not a member of its project any more.
    NoMember,
    /// The engine shuts down.
    Shutdown,
}

impl Stop {
    pub(crate) fn ask(&self, why: Why) {
        let _ = self.why.set(why);
        self.asked.cancel();
    }

    pub(crate) async fn asked(&self) -> Problem {
        self.asked.cancelled().await;
        match self.why.get() {
            Some(Why::Shutdown) => {
                Problem::new(ProblemCode::Stopped, "The session was stopped because Valetkey shut down.")
            }
            Some(Why::NoMember) => no_member(),
            Some(Why::Asked) | None => Problem::new(ProblemCode::Stopped, "The session was stopped."),
        }
    }
}

/// How a session ends whose owner is not a member of its project any more.
pub(crate) fn no_member() -> Problem {
    Problem::new(
        ProblemCode::Stopped,
        "The session was stopped because the person who started it is not a member of the project any more.",
    )
}

/// The end of a session that failed with `problem`.
pub(crate) fn final_phase(problem: &Problem) -> Phase {
    match problem.code {
        ProblemCode::Stopped | ProblemCode::TimedOut => Phase::Stopped,
        _ => Phase::Failed,
    }
}
