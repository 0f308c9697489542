use serde::Deserialize;
use valetkey_model::{AssistantName, Phase, PhaseTimes, Problem, ProjectName, RepositoryRun, SessionId};

/// Of a session as the API answers it, what tables and exit codes need.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionView {
    pub(super) id: SessionId,
    pub(super) project: ProjectName,
    pub(super) task: String,
    pub(super) assistant: Option<StartedFrom>,
    pub(super) phase: Phase,
    pub(super) repositories: Vec<RepositoryRun>,
    pub(super) message: Option<String>,
    pub(super) failure: Option<Problem>,
    pub(super) workspace: Option<String>,
    pub(super) times: PhaseTimes,
}

/// The assistant that a session was started from.
#[derive(Debug, Deserialize)]
pub(super) struct StartedFrom {
    pub(super) name: AssistantName,
}

impl SessionView {
    /// The exit code of `run` for a session that is over.
    pub(super) fn exit_code(&self) -> u8 {
        match (self.phase, &self.failure) {
            (Phase::Completed, _) => 0,
            (_, Some(problem)) => problem.code.exit_code(),
            (Phase::Stopped, None) => 5,
            _ => 1,
        }
    }
}
