use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    BranchName, IntegrationChoice, IntegrationId, ObjectId, Problem, ProjectName, ProviderKind, RepoUrl, SessionId,
    StartedFrom, Tools, UserId,
};

/// What somebody asks a session to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionSpec {
    /// The task, given to the agent as it is.
    pub task: String,
    /// The repositories to work on; at least one.
    pub repositories: Vec<RepositorySpec>,
    /// The agent's program and arguments, in which `{task}` and `{instructions}` stand for what they name.
    pub agent: Vec<String>,
    /// The assistant that it was started from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<StartedFrom>,
    /// How long the agent may run, in seconds.
    pub timeout_seconds: u64,
    /// Whether to open a pull (merge) request for what was pushed.
    pub pull_request: bool,
    /// Whether the workspace stays after a session that succeeded.
    pub keep_workspace: bool,
}

impl SessionSpec {
    /// What the session may use.
    pub fn tools(&self) -> Cow<'_, Tools> {
        self.assistant.as_ref().map_or_else(|| Cow::Owned(Tools::default()), |from| Cow::Borrowed(&from.tools))
    }

    /// What the agent is told besides the task; empty without an assistant.
    pub fn instructions(&self) -> &str {
        self.assistant.as_ref().map_or("", |from| &from.instructions)
    }
}

/// One repository of a [`SessionSpec`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositorySpec {
    /// Which.
    pub url: RepoUrl,
    /// The branch to start from; the default branch if none.
    pub branch: Option<BranchName>,
    /// The branch to push to.
    pub push_branch: BranchName,
    /// The integration to use, or that none is; resolved if nothing was chosen.
    pub integration: Option<IntegrationChoice>,
    /// Whether the push may replace the push branch's history.
    pub allow_force: bool,
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Waiting for its turn.
    Pending,
    /// Resolving, asking providers, cloning.
    Preparing,
    /// The agent runs.
    Running,
    /// Committing and pushing.
    Publishing,
    /// Ended well.
    Completed,
    /// Ended with a [`Problem`].
    Failed,
    /// Ended by a person or by its time limit.
    Stopped,
}

/// The step from one phase to another that was asked for does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session can't go from {from} to {to}")]
pub struct PhaseError {
    /// Where it is.
    pub from: Phase,
    /// Where it can't go.
    pub to: Phase,
}

impl Phase {
    /// The word in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Preparing => "Preparing",
            Self::Running => "Running",
            Self::Publishing => "Publishing",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    /// Whether the session is over.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Stopped)
    }

    /// Goes on to `next`.
    ///
    /// # Errors
    /// When no session ever goes that way, such as from `Completed` to `Running`.
    pub fn advance(self, next: Self) -> Result<Self, PhaseError> {
        let forward = matches!(
            (self, next),
            (Self::Pending, Self::Preparing)
                | (Self::Preparing, Self::Running)
                | (Self::Running, Self::Publishing)
                | (Self::Publishing, Self::Completed)
        );
        let broken_off = !self.is_final() && matches!(next, Self::Failed | Self::Stopped);
        if forward || broken_off { Ok(next) } else { Err(PhaseError { from: self, to: next }) }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A session and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its project.
    pub project: ProjectName,
    /// Who started it.
    pub owner: UserId,
    /// What was asked.
    pub spec: SessionSpec,
    /// Where it is.
    pub phase: Phase,
    /// Per repository of the spec, in its order, what became of it.
    pub repositories: Vec<RepositoryRun>,
    /// The outcome in words.
    pub message: Option<String>,
    /// Why it failed or was stopped.
    pub failure: Option<Problem>,
    /// Where its workspace is, while it exists.
    pub workspace: Option<String>,
    /// When each phase began.
    pub times: PhaseTimes,
}

/// When each phase of a session began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseTimes {
    /// Asked for.
    pub created_at: Timestamp,
    /// Its turn came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preparing_at: Option<Timestamp>,
    /// The agent started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_at: Option<Timestamp>,
    /// The agent ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishing_at: Option<Timestamp>,
    /// Over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// A session that waits for its turn.
    pub fn new(id: SessionId, project: ProjectName, owner: UserId, spec: SessionSpec, now: Timestamp) -> Self {
        let repositories = spec.repositories.iter().map(RepositoryRun::new).collect();
        let times =
            PhaseTimes { created_at: now, preparing_at: None, running_at: None, publishing_at: None, ended_at: None };
        Self {
            id,
            project,
            owner,
            spec,
            phase: Phase::Pending,
            repositories,
            message: None,
            failure: None,
            workspace: None,
            times,
        }
    }

    /// Goes on to `next` and notes when.
    ///
    /// # Errors
    /// As [`Phase::advance`].
    pub fn advance(&mut self, next: Phase, now: Timestamp) -> Result<(), PhaseError> {
        self.phase = self.phase.advance(next)?;
        match next {
            Phase::Pending => {}
            Phase::Preparing => self.times.preparing_at = Some(now),
            Phase::Running => self.times.running_at = Some(now),
            Phase::Publishing => self.times.publishing_at = Some(now),
            Phase::Completed | Phase::Failed | Phase::Stopped => self.times.ended_at = Some(now),
        }
        Ok(())
    }
}

/// What became of one repository in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRun {
    /// Which.
    pub url: RepoUrl,
    /// Its provider, once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderKind>,
    /// The integration in use; none before it is resolved, and where none is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    /// Why that one, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration_reason: Option<String>,
    /// The branch it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// The branch to push to; none where no integration is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_branch: Option<BranchName>,
    /// The folder in the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The commit it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub base_commit: Option<ObjectId>,
    /// The commit that was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub commit: Option<ObjectId>,
    /// Whether it changed and was not pushed, because no integration is used for it. The work is in the workspace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpushed: bool,
    /// The page of the pushed branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch_url: Option<String>,
    /// The pull (merge) request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request_url: Option<String>,
}

impl RepositoryRun {
    fn new(spec: &RepositorySpec) -> Self {
        Self {
            url: spec.url.clone(),
            provider: None,
            integration: None,
            integration_reason: None,
            branch: spec.branch.clone(),
            push_branch: Some(spec.push_branch.clone()),
            directory: None,
            base_commit: None,
            commit: None,
            unpushed: false,
            branch_url: None,
            pull_request_url: None,
        }
    }
}

/// A step of the main job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Which integration serves each repository.
    Resolve,
    /// The providers are asked whether it will work.
    Preflight,
    /// The repositories are cloned.
    Checkout,
    /// The agent works.
    Agent,
    /// What changed is committed and pushed.
    Publish,
    /// The notice is given.
    Announce,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 6] =
        [Self::Resolve, Self::Preflight, Self::Checkout, Self::Agent, Self::Publish, Self::Announce];

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Preflight => "preflight",
            Self::Checkout => "checkout",
            Self::Agent => "agent",
            Self::Publish => "publish",
            Self::Announce => "announce",
        }
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    /// Begun.
    Started,
    /// Ended well.
    Done,
    /// Ended with the session's failure.
    Failed,
}

/// Who wrote a piece of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Valetkey itself.
    Platform,
    /// The agent's standard output.
    Stdout,
    /// The agent's standard error.
    Stderr,
}

/// One entry of a session's event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEvent {
    /// Its number within the session, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum EventBody {
    /// The session entered a phase.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A step began or ended.
    Step {
        /// Which.
        step: Step,
        /// How far.
        outcome: StepOutcome,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A piece of output, redacted; it may hold several lines or a part of one.
    Log {
        /// Who wrote it.
        stream: LogStream,
        /// The text.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Phase; 7] = [
        Phase::Pending,
        Phase::Preparing,
        Phase::Running,
        Phase::Publishing,
        Phase::Completed,
        Phase::Failed,
        Phase::Stopped,
    ];

    #[test]
    fn a_session_goes_forward_or_breaks_off_and_never_leaves_its_end() {
        for from in ALL {
            for to in ALL {
                let ok = from.advance(to).is_ok();
                let wanted = !from.is_final()
                    && (matches!(to, Phase::Failed | Phase::Stopped)
                        || to as u8 == from as u8 + 1 && to <= Phase::Completed);
                assert_eq!(ok, wanted, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn events_are_flat_json() {
        let event = SessionEvent {
            seq: 3,
            at: Timestamp::UNIX_EPOCH,
            body: EventBody::Log { stream: LogStream::Stdout, text: "hi\n".into() },
        };
        let json = serde_json::json!({"seq": 3, "at": "1970-01-01T00:00:00Z", "type": "log", "stream": "stdout", "text": "hi\n"});
        assert_eq!(serde_json::to_value(event).unwrap(), json);
    }
}
