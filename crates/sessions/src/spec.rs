use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{
    Assistant, AssistantRef, BranchName, IntegrationChoice, Problem, ProblemCode, ProjectName, ProjectSettings,
    PushPattern, PushPlaceholders, RepoUrl, RepositorySpec, SessionSpec, StartedFrom,
};

use crate::prompt::Prompt;

/// The body with which a session is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSession {
    /// What the agent is to do.
    pub task: String,
    /// The repositories to work on.
    pub repositories: Vec<NewRepository>,
    /// The assistant to start from, by id or name: one of the session's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<AssistantRef>,
    /// The agent to run; the assistant's if none, else the project's default, else the server's own.
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
    /// The branch to push to; one named after the session if none. It must fit the project's push pattern, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_branch: Option<BranchName>,
    /// The integration to use, by id or alias, or `none`; resolved if nothing is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationChoice>,
    /// Whether the session may rewrite the push branch's history.
    #[serde(default)]
    pub allow_force: bool,
}

/// The agent of a [`NewSession`] or a [`NewAssistant`](crate::NewAssistant).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgent {
    /// Program and arguments. `{task}` in an argument stands for the task; `{instructions}` for those of the assistant,
    /// which otherwise come before the task.
    pub command: Vec<String>,
}

const DEFAULT_TIMEOUT: u64 = 3600;
const MAX_TIMEOUT: u64 = 7 * 24 * 3600;
/// The kernel takes at most 128 KiB in one argument (MAX_ARG_STRLEN).
const MAX_TASK: usize = 100 * 1024;
/// What all arguments together may take, the task put in: the rest of what the kernel takes is the environment's.
const MAX_COMMAND: usize = 1 << 20;
pub(crate) const MAX_REPOSITORIES: usize = 20;

/// What fills in what a [`NewSession`] leaves out, and rules over what it says.
pub(crate) struct Defaults<'a> {
    /// The agent of projects that have none of their own.
    pub(crate) agent: &'a [String],
    /// The session's project, and what holds in it.
    pub(crate) project: &'a ProjectName,
    pub(crate) settings: &'a ProjectSettings,
    /// Whose session it is.
    pub(crate) of: PushPlaceholders<'a>,
}

impl NewSession {
    /// Checks what was asked and fills in what was left out: from the assistant, which must be the one that was asked for,
    /// then from the server's settings.
    ///
    /// # Errors
    /// `invalid_input`, with what to change.
    pub(crate) fn into_spec(
        self,
        defaults: &Defaults<'_>,
        assistant: Option<Assistant>,
    ) -> Result<SessionSpec, Problem> {
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
        let default_agent = || defaults.settings.default_agent.as_deref().unwrap_or(defaults.agent).to_vec();
        let agent = self.agent.map(|agent| agent.command);
        let agent = agent.or_else(|| assistant.as_ref()?.agent.clone()).unwrap_or_else(default_agent);
        check_agent(&agent)?;
        let instructions = assistant.as_ref().map_or("", |assistant| &assistant.instructions);
        let prompt = Prompt::new(&agent, &self.task, instructions);
        if agent.iter().map(|word| prompt.length_in(word)).sum::<usize>() > MAX_COMMAND {
            return bad("The agent's command is longer than 1 MiB with the task put in. Use {task} once.");
        }
        Ok(SessionSpec {
            task: self.task,
            repositories: self.repositories.into_iter().map(|r| r.into_spec(defaults)).collect::<Result<_, _>>()?,
            agent,
            assistant: assistant.map(StartedFrom::from),
            timeout_seconds,
            pull_request: self.pull_request,
            keep_workspace: self.keep_workspace,
        })
    }
}

/// Whether a command can be run at all.
///
/// # Errors
/// `invalid_input`.
pub(crate) fn check_agent(command: &[String]) -> Result<(), Problem> {
    if command.first().is_none_or(String::is_empty) || command.iter().any(|word| word.contains('\0')) {
        let detail = "The agent's command is empty or holds NUL. Give a program and its arguments.";
        return Err(Problem::new(ProblemCode::InvalidInput, detail));
    }
    Ok(())
}

impl NewRepository {
    fn into_spec(self, defaults: &Defaults<'_>) -> Result<RepositorySpec, Problem> {
        let nothing_pushed = self.integration == Some(IntegrationChoice::NoIntegration);
        if nothing_pushed && (self.push_branch.is_some() || self.allow_force) {
            let detail = format!("Nothing is pushed to {}, as no integration is to be used for it.", self.url);
            return Err(Problem::new(ProblemCode::InvalidInput, detail)
                .remedy("Leave the push branch out, or choose an integration."));
        }
        let push_branch = match self.push_branch {
            Some(named) => admitted(named, defaults)?,
            None => defaults.settings.push_pattern.clone().unwrap_or_default().branch(defaults.of),
        };
        Ok(RepositorySpec {
            url: self.url,
            branch: self.branch,
            push_branch,
            integration: self.integration,
            allow_force: self.allow_force,
        })
    }
}

/// A branch that somebody named, if the project's pattern admits it.
fn admitted(named: BranchName, defaults: &Defaults<'_>) -> Result<BranchName, Problem> {
    let Defaults { settings, project, of, .. } = defaults;
    let refused_by = |pattern: &&PushPattern| !pattern.admits(&named, of.user);
    let Some(pattern) = settings.push_pattern.as_ref().filter(refused_by) else { return Ok(named) };
    let detail = format!(
        "Sessions of the project '{project}' push to branches of the form '{pattern}' only, and '{named}' is none. The rule \
         holds for everybody."
    );
    Err(Problem::new(ProblemCode::InvalidInput, detail).remedy(format!(
        "Leave the push branch out, or name one such as '{}'. An admin of the project can change the pattern.",
        pattern.branch(*of)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask_in(settings: &ProjectSettings, json: serde_json::Value) -> Result<SessionSpec, String> {
        let new: NewSession = serde_json::from_value(json).map_err(|e| e.to_string())?;
        let (id, project) = ("018f0000-0000-7000-8000-0123456789ab".parse().unwrap(), "p".parse().unwrap());
        let of = PushPlaceholders { session: &id, user: "Ann", at: jiff::Timestamp::UNIX_EPOCH };
        new.into_spec(&Defaults { agent: &["agent".to_owned()], project: &project, settings, of }, None)
            .map_err(|p| p.detail)
    }

    fn ask(json: serde_json::Value) -> Result<SessionSpec, String> {
        ask_in(&ProjectSettings::default(), json)
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let spec = ask(serde_json::json!({"task": "t", "repositories": [{"url": "git@gitlab.com:a/b.git"}]})).unwrap();
        assert_eq!(spec.agent, ["agent"]);
        assert_eq!(spec.timeout_seconds, 3600);
        assert_eq!(spec.repositories[0].push_branch.as_str(), "valetkey/0123456789ab");
    }

    #[test]
    fn a_project_s_own_defaults_come_before_the_server_s() {
        let settings = ProjectSettings {
            default_agent: Some(vec!["codex".into(), "{task}".into()]),
            push_pattern: Some("agents/{user}/{session}".parse().unwrap()),
        };
        let ask = |push_branch: Option<&str>, agent: Option<&str>| {
            let mut body = serde_json::json!({"task": "t", "repositories": [{"url": "git@gitlab.com:a/b.git"}]});
            if let Some(branch) = push_branch {
                body["repositories"][0]["pushBranch"] = branch.into();
            }
            if let Some(agent) = agent {
                body["agent"] = serde_json::json!({ "command": [agent] });
            }
            ask_in(&settings, body)
        };
        let spec = ask(None, None).unwrap();
        assert_eq!((spec.agent.len(), spec.repositories[0].push_branch.as_str()), (2, "agents/ann/0123456789ab"));
        let spec = ask(Some("agents/ann/fix-login"), Some("mine")).unwrap();
        assert_eq!((&*spec.agent[0], spec.repositories[0].push_branch.as_str()), ("mine", "agents/ann/fix-login"));
        for elsewhere in ["main", "agents/bob/fix-login", "agents/ann"] {
            let refusal = ask(Some(elsewhere), None).unwrap_err();
            assert!(refusal.contains("'agents/{user}/{session}'") && refusal.contains("everybody"), "{refusal}");
        }
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
            (
                serde_json::json!({"task": "t", "repositories": [{"url": "https://gitlab.com/a/b", "integration": "none", "pushBranch": "x"}]}),
                "Nothing is pushed",
            ),
        ] {
            let error = ask(body).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
