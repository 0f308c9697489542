use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{
    BranchName, IntegrationRef, Problem, ProblemCode, RepoUrl, RepositorySpec, SessionId, SessionSpec,
};

/// The body with which a session is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSession {
    /// What the agent is to do.
    pub task: String,
    /// The repositories to work on.
    pub repositories: Vec<NewRepository>,
    /// The agent to run; the server's own if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<NewAgent>,
    /// How long the agent may run, in seconds; an hour if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Whether to open a pull (merge) request for what was pushed.
    #[serde(default)]
    pub pull_request: bool,
    /// Whether to keep the workspace of a session that succeeds.
    #[serde(default)]
    pub keep_workspace: bool,
}

/// One repository of a [`NewSession`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRepository {
    /// Its URL, in any form that git takes.
    pub url: RepoUrl,
    /// The branch to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
    /// The branch to push to; one named after the session if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_branch: Option<BranchName>,
    /// The integration to use, by id or alias; resolved if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationRef>,
    /// Whether the session may rewrite the push branch's history.
    #[serde(default)]
    pub allow_force: bool,
}

/// The agent of a [`NewSession`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    /// Program and arguments; `{task}` in an argument stands for the task.
    pub command: Vec<String>,
}

const DEFAULT_TIMEOUT: u64 = 3600;
const MAX_TIMEOUT: u64 = 7 * 24 * 3600;
/// The kernel takes at most 128 KiB in one argument (MAX_ARG_STRLEN).
const MAX_TASK: usize = 100 * 1024;
/// What all arguments together may take, the task put in: the rest of what the kernel takes is the environment's.
const MAX_COMMAND: usize = 1 << 20;
pub(crate) const MAX_REPOSITORIES: usize = 20;

impl NewSession {
    /// Checks what was asked and fills in what was left out.
    ///
    /// # Errors
    /// `invalid_input`, with what to change.
    pub(crate) fn into_spec(self, id: &SessionId, default_agent: &[String]) -> Result<SessionSpec, Problem> {
        let bad = |detail: &str| Err(Problem::new(ProblemCode::InvalidInput, detail));
        if self.task.trim().is_empty() {
            return bad("The task is empty. Say what the agent is to do.");
        }
        if self.task.len() > MAX_TASK || self.task.contains('\0') {
            return bad("The task must be at most 100 KiB of text without NUL. Put long material into the repository.");
        }
        if self.repositories.is_empty() || self.repositories.len() > MAX_REPOSITORIES {
            return bad("A session needs 1 to 20 repositories.");
        }
        for (n, repository) in self.repositories.iter().enumerate() {
            if self.repositories[..n].iter().any(|other| other.url == repository.url) {
                return bad("The same repository is named twice. Name each once.");
            }
        }
        let timeout_seconds = self.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT);
        if !(1..=MAX_TIMEOUT).contains(&timeout_seconds) {
            return bad("The timeout must be 1 second to 7 days.");
        }
        let agent = self.agent.map_or_else(|| default_agent.to_vec(), |agent| agent.command);
        if agent.first().is_none_or(String::is_empty) || agent.iter().any(|word| word.contains('\0')) {
            return bad("The agent's command is empty or holds NUL. Give a program and its arguments.");
        }
        if length_with_task(&agent, &self.task) > MAX_COMMAND {
            return bad("The agent's command is longer than 1 MiB with the task put in. Use {task} once.");
        }
        Ok(SessionSpec {
            task: self.task,
            repositories: self.repositories.into_iter().map(|r| r.into_spec(id)).collect(),
            agent,
            timeout_seconds,
            pull_request: self.pull_request,
            keep_workspace: self.keep_workspace,
        })
    }
}

/// How long a command is once `{task}` is replaced in it; asked before anything of that length is made.
fn length_with_task(agent: &[String], task: &str) -> usize {
    let length = |word: &String| word.len() + word.matches("{task}").count() * task.len();
    agent.iter().map(length).sum()
}

impl NewRepository {
    fn into_spec(self, id: &SessionId) -> RepositorySpec {
        RepositorySpec {
            url: self.url,
            branch: self.branch,
            push_branch: self.push_branch.unwrap_or_else(|| branch_of(id)),
            integration: self.integration,
            allow_force: self.allow_force,
        }
    }
}

/// The end of a version 7 UUID is its random part: two sessions of one second differ there.
fn branch_of(id: &SessionId) -> BranchName {
    let text = id.as_str();
    format!("valetkey/{}", &text[text.len() - 12..]).parse().expect("hex digits are a branch name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SessionId {
        "018f0000-0000-7000-8000-0123456789ab".parse().unwrap()
    }

    fn ask(json: serde_json::Value) -> Result<SessionSpec, String> {
        let new: NewSession = serde_json::from_value(json).map_err(|e| e.to_string())?;
        new.into_spec(&id(), &["agent".to_owned()]).map_err(|p| p.detail)
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let spec = ask(serde_json::json!({"task": "t", "repositories": [{"url": "git@gitlab.com:a/b.git"}]})).unwrap();
        assert_eq!(spec.agent, ["agent"]);
        assert_eq!(spec.timeout_seconds, 3600);
        assert_eq!(spec.repositories[0].push_branch.as_str(), "valetkey/0123456789ab");
    }

    #[test]
    fn bad_input_says_what_to_change() {
        let repo = serde_json::json!({"url": "https://gitlab.com/a/b"});
        for (body, part) in [
            (serde_json::json!({"task": " ", "repositories": [repo]}), "empty"),
            (serde_json::json!({"task": "t\u{0}", "repositories": [repo]}), "NUL"),
            (serde_json::json!({"task": "t", "repositories": []}), "1 to 20"),
            (serde_json::json!({"task": "t", "repositories": [repo, {"url": "git@gitlab.com:a/b.git"}]}), "twice"),
            (serde_json::json!({"task": "t", "repositories": [repo], "timeoutSeconds": 0}), "timeout"),
            (serde_json::json!({"task": "t", "repositories": [repo], "agent": {"command": []}}), "command"),
            (
                serde_json::json!({"task": "t".repeat(MAX_TASK), "repositories": [repo], "agent": {"command": ["{task}".repeat(11)]}}),
                "1 MiB",
            ),
            (serde_json::json!({"task": "t", "repositories": [{"url": "https://x:y@gitlab.com/a/b"}]}), "user name"),
            (
                serde_json::json!({"task": "t", "repositories": [{"url": "https://gitlab.com/a/b", "pushBranch": "-x"}]}),
                "branch",
            ),
            (serde_json::json!({"task": "t", "repositories": [repo], "owner": "somebody"}), "unknown field"),
        ] {
            let error = ask(body).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
