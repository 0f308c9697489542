//! Projects and issues.

use std::sync::Mutex;

use crate::fixtures::Account;
use crate::world::locked;

#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) key: String,
    pub(super) name: String,
}

/// Where an issue stands. From each state there is a way to the other two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    ToDo,
    InProgress,
    Done,
}

impl Status {
    pub(super) const ALL: [Self; 3] = [Self::ToDo, Self::InProgress, Self::Done];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ToDo => "To Do",
            Self::InProgress => "In Progress",
            Self::Done => "Done",
        }
    }

    /// The id of the transition that leads here.
    pub(super) fn transition(self) -> &'static str {
        match self {
            Self::ToDo => "11",
            Self::InProgress => "21",
            Self::Done => "31",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) author: Account,
    pub(super) text: String,
}

#[derive(Debug, Clone)]
pub(super) struct Issue {
    pub(super) id: u64,
    pub(super) project: String,
    pub(super) number: u64,
    pub(super) summary: String,
    pub(super) description: Option<String>,
    pub(super) kind: String,
    pub(super) status: Status,
    pub(super) comments: Vec<Comment>,
}

impl Issue {
    pub(super) fn key(&self) -> String {
        format!("{}-{}", self.project, self.number)
    }
}

/// What an issue begins with.
pub(super) struct NewIssue {
    pub(super) project: String,
    pub(super) summary: String,
    pub(super) description: Option<String>,
    pub(super) kind: String,
}

#[derive(Debug, Default)]
pub(super) struct Board {
    projects: Mutex<Vec<Project>>,
    issues: Mutex<Vec<Issue>>,
}

impl Board {
    pub(super) fn add_project(&self, key: &str, name: &str) {
        let mut projects = locked(&self.projects);
        let id = projects.len() as u64 + 10_000;
        projects.push(Project { id, key: key.to_owned(), name: name.to_owned() });
    }

    pub(super) fn projects(&self) -> Vec<Project> {
        locked(&self.projects).clone()
    }

    /// By key or by id.
    pub(super) fn project(&self, name: &str) -> Option<Project> {
        let named = |project: &&Project| project.key == name || project.id.to_string() == name;
        locked(&self.projects).iter().find(named).cloned()
    }

    pub(super) fn add_issue(&self, new: NewIssue) -> Issue {
        let NewIssue { project, summary, description, kind } = new;
        let mut issues = locked(&self.issues);
        let number = issues.iter().filter(|issue| issue.project == project).count() as u64 + 1;
        let id = issues.len() as u64 + 20_000;
        let issue =
            Issue { id, project, number, summary, description, kind, status: Status::ToDo, comments: Vec::new() };
        issues.push(issue.clone());
        issue
    }

    pub(super) fn issues(&self) -> Vec<Issue> {
        locked(&self.issues).clone()
    }

    /// By key or by id.
    pub(super) fn issue(&self, name: &str) -> Option<Issue> {
        locked(&self.issues).iter().find(|issue| named(issue, name)).cloned()
    }

    /// Changes an issue and returns what the change returns; `None` if there is no such issue.
    pub(super) fn change<T>(&self, name: &str, change: impl FnOnce(&mut Issue) -> T) -> Option<T> {
        locked(&self.issues).iter_mut().find(|issue| named(issue, name)).map(change)
    }
}

fn named(issue: &Issue, name: &str) -> bool {
    issue.key().eq_ignore_ascii_case(name) || issue.id.to_string() == name
}
