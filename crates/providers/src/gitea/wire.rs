//! The parts of Gitea's answers that are used.

use std::fmt;

use serde::Deserialize;
use valetkey_model::{Account, InstanceUrl, RepoUrl};

use crate::{
    BranchInfo, RepositoryAccess, RepositoryInfo,
    account::Described,
    api::{Api, one_line},
};

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    login: String,
    full_name: Option<String>,
    email: Option<String>,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self::from(Described {
            id: user.id,
            username: &user.login,
            name: user.full_name.as_deref(),
            emails: &[user.email.as_deref()],
        })
    }
}

/// `1.26.0`, or `12.0.3+gitea-1.22.0`, which is a Forgejo that does what that Gitea does.
#[derive(Deserialize)]
pub(super) struct Version {
    version: String,
}

impl Version {
    pub(super) fn is_forgejo(&self) -> bool {
        self.version.contains("+gitea-")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.is_forgejo() { "Forgejo" } else { "Gitea" };
        write!(f, "{name} {}", one_line(&self.version))
    }
}

#[derive(Deserialize)]
pub(super) struct Repository {
    full_name: String,
    default_branch: Option<String>,
    #[serde(default)]
    pub(super) empty: bool,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    internal: bool,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    mirror: bool,
    permissions: Option<Permissions>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Permissions {
    admin: bool,
    push: bool,
}

impl Repository {
    /// Whether the account has the right, whatever the state of the repository.
    pub(super) fn may_push(&self) -> bool {
        self.permissions.as_ref().is_some_and(|permissions| permissions.push || permissions.admin)
    }

    pub(super) fn into_access(self) -> RepositoryAccess {
        let why_not_push = self.why_not_push().map(str::to_owned);
        RepositoryAccess {
            default_branch: self.existing_default_branch(),
            path: self.full_name,
            archived: self.archived,
            why_not_push,
        }
    }

    /// As a listing shows it; none if its path can't be a repository's.
    pub(super) fn into_info(self, instance: &InstanceUrl) -> Option<RepositoryInfo> {
        Some(RepositoryInfo {
            url: format!("{instance}/{}", self.full_name).parse().ok()?,
            default_branch: self.existing_default_branch(),
            path: self.full_name,
            private: self.private || self.internal,
            archived: self.archived,
        })
    }

    fn why_not_push(&self) -> Option<&'static str> {
        match self {
            Self { archived: true, .. } => Some("the repository is archived"),
            Self { mirror: true, .. } => Some("the repository is a mirror of another"),
            _ if self.may_push() => None,
            _ => Some("the account may only read it"),
        }
    }

    /// An empty repository's is a name only.
    fn existing_default_branch(&self) -> Option<String> {
        self.default_branch.clone().filter(|name| !self.empty && !name.is_empty())
    }
}

#[derive(Deserialize)]
pub(super) struct Branch {
    name: String,
    commit: Commit,
    #[serde(default)]
    protected: bool,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

impl Branch {
    pub(super) fn into_info(self, of: &Repository) -> BranchInfo {
        let default = of.default_branch.as_deref() == Some(&*self.name);
        BranchInfo { default, name: self.name, commit: self.commit.id, protected: self.protected }
    }
}

#[derive(Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    html_url: String,
    head: End,
    base: End,
}

/// One of the two branches of a pull request.
#[derive(Deserialize)]
struct End {
    #[serde(rename = "ref")]
    branch: String,
    repo_id: i64,
}

impl Pull {
    /// Whether it is for these branches; a fork's may have the same name.
    pub(super) fn is_between(&self, head: &str, base: &str) -> bool {
        self.head.repo_id == self.base.repo_id && self.head.branch == head && self.base.branch == base
    }

    pub(super) fn page(&self, api: &Api<'_>, repo: &RepoUrl) -> String {
        api.page(&self.html_url, format!("{}/pulls/{}", repo.browse_url(), self.number))
    }
}
