//! The parts of Bitbucket's answers that are used.

use serde::Deserialize;
use valetkey_model::{Account, InstanceUrl, RepoUrl};

use crate::{BranchInfo, RepositoryInfo, account::Described, api::Api};

#[derive(Deserialize)]
pub(super) struct User {
    uuid: String,
    username: Option<String>,
    nickname: Option<String>,
    display_name: Option<String>,
}

impl User {
    /// Bitbucket keeps e-mail addresses apart from accounts.
    pub(super) fn into_account(self, email: Option<&str>) -> Account {
        let username = self.username.or(self.nickname).unwrap_or_default();
        Account::from(Described {
            id: self.uuid,
            username: &username,
            name: self.display_name.as_deref(),
            emails: &[email],
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Email {
    pub(super) email: String,
    #[serde(default)]
    pub(super) is_primary: bool,
}

/// An entry of the account's workspaces.
#[derive(Deserialize)]
pub(super) struct Membership {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    slug: String,
}

impl Membership {
    /// The workspace's name in addresses, if it can be one.
    pub(super) fn into_slug(self) -> Option<String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        Some(self.workspace.slug).filter(|slug| !slug.is_empty() && slug.bytes().all(plain))
    }
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: String,
    pub(super) mainbranch: Option<Named>,
    #[serde(default)]
    pub(super) is_private: bool,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

impl Repository {
    pub(super) fn default_branch(&mut self) -> Option<String> {
        self.mainbranch.take().map(|branch| branch.name).filter(|name| !name.is_empty())
    }

    /// As a listing shows it; none if its path can't be a repository's.
    pub(super) fn into_info(mut self, instance: &InstanceUrl) -> Option<RepositoryInfo> {
        Some(RepositoryInfo {
            url: format!("{instance}/{}", self.full_name).parse().ok()?,
            default_branch: self.default_branch(),
            path: self.full_name,
            private: self.is_private,
            archived: false,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Branch {
    name: String,
    target: Commit,
}

#[derive(Deserialize)]
struct Commit {
    hash: String,
}

impl Branch {
    /// Which branches are protected is shown to a repository's administrators only.
    pub(super) fn into_info(self, default: Option<&str>) -> BranchInfo {
        let default = default == Some(&self.name);
        BranchInfo { name: self.name, commit: self.target.hash, protected: false, default }
    }
}

#[derive(Deserialize)]
pub(super) struct Pull {
    pub(super) id: u64,
    links: Option<Links>,
    source: Option<Side>,
    #[serde(default)]
    pub(super) close_source_branch: bool,
    #[serde(default)]
    reviewers: Vec<Reviewer>,
}

#[derive(Deserialize)]
struct Links {
    html: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    href: String,
}

#[derive(Deserialize)]
struct Side {
    repository: Option<FullName>,
}

#[derive(Deserialize)]
struct FullName {
    full_name: String,
}

#[derive(Deserialize)]
struct Reviewer {
    uuid: String,
}

impl Pull {
    pub(super) fn page(&self, api: &Api<'_>, repo: &RepoUrl) -> String {
        let stated = self.links.as_ref().and_then(|links| links.html.as_ref()).map_or("", |link| &link.href);
        api.page(stated, format!("{}/pull-requests/{}", repo.browse_url(), self.id))
    }

    /// Whether it comes from a branch of the repository itself; a fork's branch may have the same name.
    pub(super) fn is_own(&self, repo: &RepoUrl) -> bool {
        let source = self.source.as_ref().and_then(|side| side.repository.as_ref());
        source.is_some_and(|source| source.full_name.eq_ignore_ascii_case(repo.path()))
    }

    pub(super) fn reviewers(&self) -> impl Iterator<Item = &str> {
        self.reviewers.iter().map(|reviewer| &*reviewer.uuid)
    }
}

/// `account, repository:write` as a list, whatever is between the names.
pub(super) fn scope_list(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}
