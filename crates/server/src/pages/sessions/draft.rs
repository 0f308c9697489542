//! The form for a new session: what was typed, and what it asks for.

use std::str::FromStr;

use serde::Serialize;
use valetkey_model::{
    AssistantId, AssistantRef, BranchName, IntegrationChoice, Problem, ProblemCode, ProjectName, RepoUrl, RepoUrlError,
    Session, sentence,
};
use valetkey_sessions::{NewAgent, NewRepository, NewSession};

use super::check::CheckView;
use crate::pages::form::{Form, ProblemView};

const MOST_MINUTES: u64 = 7 * 24 * 60;

/// A text field: what was typed, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    pub(super) value: String,
    pub(super) problem: Option<String>,
}

impl Entry {
    fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), problem: None }
    }

    /// The value, none if nothing was typed; what does not parse is noted.
    fn optional<T: FromStr<Err: ToString>>(&mut self) -> Option<T> {
        if self.value.is_empty() { None } else { self.required() }
    }

    fn required<T: FromStr<Err: ToString>>(&mut self) -> Option<T> {
        self.value.parse().map_err(|error| self.problem = Some(sentence(&error))).ok()
    }

    fn refuse<T>(&mut self, why: &str) -> Option<T> {
        self.problem = Some(why.to_owned());
        None
    }
}

/// One repository of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct RepositoryEntry {
    pub(super) url: Entry,
    pub(super) branch: Entry,
    pub(super) push_branch: Entry,
    pub(super) integration: Entry,
    /// What a session would find there, if that was asked.
    pub(super) check: Option<CheckView>,
}

/// Everything in the form. What is wrong is kept beside what was typed, so nothing has to be typed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Draft {
    pub(super) project: Entry,
    pub(super) task: Entry,
    pub(super) repositories: Vec<RepositoryEntry>,
    /// The assistant to start from, by its id; empty without one.
    pub(super) assistant: String,
    pub(super) agent: Entry,
    pub(super) minutes: Entry,
    pub(super) pull_request: bool,
    /// A refusal that is about no field in particular.
    pub(super) problem: Option<ProblemView>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            project: Entry::default(),
            task: Entry::default(),
            repositories: vec![RepositoryEntry::default()],
            assistant: String::new(),
            agent: Entry::default(),
            minutes: Entry::new("60"),
            pull_request: false,
            problem: None,
        }
    }
}

impl From<&Session> for Draft {
    /// What to run once more.
    fn from(Session { project, spec, .. }: &Session) -> Self {
        let or_empty = |text: Option<String>| Entry::new(text.unwrap_or_default());
        let repository = |repository: &valetkey_model::RepositorySpec| RepositoryEntry {
            url: Entry::new(repository.url.to_string()),
            branch: or_empty(repository.branch.as_ref().map(ToString::to_string)),
            push_branch: match repository.integration {
                Some(IntegrationChoice::NoIntegration) => Entry::default(),
                _ => Entry::new(repository.push_branch.to_string()),
            },
            integration: or_empty(repository.integration.as_ref().map(ToString::to_string)),
            check: None,
        };
        Self {
            project: Entry::new(project.to_string()),
            task: Entry::new(spec.task.clone()),
            repositories: spec.repositories.iter().map(repository).collect(),
            assistant: spec.assistant.as_ref().map(|from| from.id.to_string()).unwrap_or_default(),
            agent: Entry::new(shell_words::join(&spec.agent)),
            minutes: Entry::new(spec.timeout_seconds.div_ceil(60).to_string()),
            pull_request: spec.pull_request,
            problem: None,
        }
    }
}

impl Draft {
    /// What was typed. The rows of the repositories each send all of their fields, so the n-th of each belong together.
    pub(super) fn typed(form: &Form) -> Self {
        let column = |name: &str| form.all(name).map(Entry::new).collect::<Vec<_>>();
        let [branches, push_branches, integrations] =
            ["branch", "pushBranch", "integration"].map(|name| column(name).into_iter());
        let mut rest = (branches, push_branches, integrations);
        let row = |url| RepositoryEntry {
            url,
            branch: rest.0.next().unwrap_or_default(),
            push_branch: rest.1.next().unwrap_or_default(),
            integration: rest.2.next().unwrap_or_default(),
            check: None,
        };
        Self {
            project: Entry::new(form.get("project")),
            task: Entry::new(form.get("task").replace("\r\n", "\n")),
            repositories: column("url").into_iter().map(row).collect(),
            assistant: form.get("assistant").to_owned(),
            agent: Entry::new(form.get("agent")),
            minutes: Entry::new(form.get("minutes")),
            pull_request: form.has("pullRequest"),
            problem: None,
        }
    }

    /// For a project, unless one was chosen.
    pub(super) fn in_project(mut self, project: Option<&ProjectName>) -> Self {
        if let (Some(project), true) = (project, self.project.value.is_empty()) {
            self.project.value = project.to_string();
        }
        self
    }

    /// The project to start it in.
    pub(super) fn read_project(&mut self) -> Option<ProjectName> {
        if self.project.value.is_empty() { self.project.refuse("Choose a project.") } else { self.project.required() }
    }

    /// The repositories, each with its row; those in which something is wrong, which is then noted, are left out.
    pub(super) fn read_repositories(&mut self) -> Vec<(usize, NewRepository)> {
        let rows = self.repositories.iter_mut().enumerate();
        rows.filter_map(|(row, entry)| Some((row, entry.read()?))).collect()
    }

    /// What to ask the engine for; none if something is wrong, which is then noted.
    pub(super) fn read(&mut self) -> Option<NewSession> {
        if self.task.value.is_empty() {
            self.task.problem = Some("Say what the agent is to do.".to_owned());
        }
        let assistant = self.read_assistant();
        let agent = self.read_agent();
        let minutes = self.read_minutes();
        let repositories: Vec<_> = self.read_repositories().into_iter().map(|(_, repository)| repository).collect();
        if self.task.problem.is_some() || repositories.len() < self.repositories.len() {
            return None;
        }
        Some(NewSession {
            task: self.task.value.clone(),
            repositories,
            assistant: assistant?,
            agent: agent?,
            timeout_seconds: minutes?.map(|minutes| minutes * 60),
            pull_request: self.pull_request,
            keep_workspace: false,
        })
    }

    /// The outer none is a refusal, the inner one an empty field.
    pub(super) fn read_assistant(&mut self) -> Option<Option<AssistantRef>> {
        if self.assistant.is_empty() {
            return Some(None);
        }
        let which = self.assistant.parse::<AssistantId>();
        let which = which.map_err(|_| self.refuse(&Problem::new(ProblemCode::NotFound, "There is no such assistant.")));
        Some(Some(AssistantRef::Id(which.ok()?)))
    }

    /// The same, split into words.
    fn read_agent(&mut self) -> Option<Option<NewAgent>> {
        match shell_words::split(&self.agent.value) {
            Ok(command) if command.is_empty() => Some(None),
            Ok(command) => Some(Some(NewAgent { command })),
            Err(_) => self.agent.refuse("A quotation mark is not closed."),
        }
    }

    fn read_minutes(&mut self) -> Option<Option<u64>> {
        match self.minutes.value.parse::<u64>() {
            Err(_) if self.minutes.value.is_empty() => Some(None),
            Ok(minutes @ 1..=MOST_MINUTES) => Some(Some(minutes)),
            _ => self.minutes.refuse("Give 1 to 10080 minutes (7 days)."),
        }
    }

    /// The engine's refusal.
    pub(super) fn refuse(&mut self, problem: &Problem) {
        self.problem = Some(problem.into());
    }
}

impl RepositoryEntry {
    fn read(&mut self) -> Option<NewRepository> {
        let url = self.read_url();
        let branch = self.branch.optional::<BranchName>();
        let push_branch = self.push_branch.optional::<BranchName>();
        let integration = self.integration.optional::<IntegrationChoice>();
        let wrong = [&self.branch, &self.push_branch, &self.integration].iter().any(|entry| entry.problem.is_some());
        let url = url.filter(|_| !wrong)?;
        Some(NewRepository { url, branch, push_branch, integration, allow_force: false })
    }

    fn read_url(&mut self) -> Option<RepoUrl> {
        if self.url.value.parse::<RepoUrl>() == Err(RepoUrlError::UserInfo) {
            // It may hold a token: that is not sent back.
            self.url.value.clear();
            return self.url.refuse(&sentence(&RepoUrlError::UserInfo));
        }
        self.url.required()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(form: &str) -> Draft {
        Draft::typed(&Form::of(form))
    }

    const GOOD: &str = "task=Do+it&url=https%3A%2F%2Fgitlab.com%2Fa%2Fb&branch=&pushBranch=x%2Fy&integration=&agent=sh+-c+%27a+b%27&minutes=5";

    #[test]
    fn a_form_asks_for_a_session() {
        let new = draft(GOOD).read().unwrap();
        assert_eq!(new.task, "Do it");
        assert_eq!(new.repositories[0].url.path(), "a/b");
        assert_eq!(new.repositories[0].branch, None);
        assert_eq!(new.repositories[0].push_branch.as_ref().unwrap().as_str(), "x/y");
        assert_eq!(new.agent.unwrap().command, ["sh", "-c", "a b"]);
        assert_eq!(new.timeout_seconds, Some(300));
        assert!(!new.pull_request);
    }

    #[test]
    fn the_fields_of_a_row_stay_together() {
        let form = "url=https%3A%2F%2Fa.test%2Fa%2Fb&branch=one&pushBranch=&integration=\
                    &url=https%3A%2F%2Fb.test%2Fc%2Fd&branch=&pushBranch=two&integration=work";
        let draft = draft(form);
        let rows: Vec<_> = draft.repositories.iter().map(|row| (&*row.branch.value, &*row.integration.value)).collect();
        assert_eq!(rows, [("one", ""), ("", "work")]);
    }

    #[test]
    fn what_is_wrong_is_noted_where_it_is_and_the_rest_is_kept() {
        let mut draft = draft("task=&url=nonsense&branch=-x&pushBranch=ok&integration=&agent=%27&minutes=0");
        assert!(draft.read().is_none());
        let row = &draft.repositories[0];
        for entry in [&draft.task, &row.url, &row.branch, &draft.agent, &draft.minutes] {
            assert!(entry.problem.is_some(), "{entry:?}");
        }
        assert_eq!(row.push_branch.problem, None);
        assert_eq!((&*row.url.value, &*row.branch.value, &*draft.minutes.value), ("nonsense", "-x", "0"));
    }

    #[test]
    fn a_project_has_to_be_chosen_and_what_was_chosen_stays() {
        let web: ProjectName = "web".parse().unwrap();
        assert_eq!(Draft::default().in_project(Some(&web)).read_project(), Some(web));
        let mut chosen = draft("project=other").in_project(Some(&"web".parse().unwrap()));
        assert_eq!(chosen.read_project().unwrap().as_str(), "other");
        for odd in ["project=", "project=.."] {
            let mut draft = draft(odd);
            assert_eq!(draft.read_project(), None);
            assert!(draft.project.problem.is_some());
        }
    }

    #[test]
    fn repositories_are_read_without_the_rest() {
        let mut draft = draft("task=&url=nonsense&url=https%3A%2F%2Fgitlab.com%2Fa%2Fb&minutes=x");
        let found = draft.read_repositories();
        assert_eq!(found.iter().map(|(row, it)| (*row, it.url.path())).collect::<Vec<_>>(), [(1, "a/b")]);
        assert!(draft.task.problem.is_none() && draft.repositories[0].url.problem.is_some());
    }

    #[test]
    fn a_url_with_a_token_in_it_is_not_sent_back() {
        let mut draft = draft(&GOOD.replace("gitlab.com", "oauth2%3Aglpat-canary%40gitlab.com"));
        assert!(draft.read().is_none());
        assert!(!format!("{draft:?}").contains("canary"));
    }

    #[test]
    fn running_again_asks_for_the_same() {
        let session = super::super::tests::session(1, valetkey_model::Phase::Failed);
        let spec = &session.spec;
        let mut draft = Draft::from(&session);
        assert_eq!(draft.read_project(), Some(session.project.clone()));
        let again = draft.read().unwrap();
        assert_eq!(again.task, spec.task);
        assert_eq!(again.agent.unwrap().command, spec.agent);
        assert_eq!(again.repositories[0].url, spec.repositories[0].url);
        assert_eq!(again.timeout_seconds, Some(spec.timeout_seconds));
    }
}
