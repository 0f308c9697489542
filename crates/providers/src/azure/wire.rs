//! The parts of Azure DevOps' answers that are used.

use serde::Deserialize;
use valetkey_model::{Account, InstanceUrl, RepoUrl};

use crate::{BranchInfo, RepositoryInfo, account::Described};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectionData {
    authenticated_user: Identity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    id: String,
    provider_display_name: Option<String>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(rename = "Account")]
    account: Option<Property>,
}

#[derive(Deserialize)]
struct Property {
    #[serde(rename = "$value")]
    value: String,
}

/// Who is not signed in.
pub(super) const ANONYMOUS: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

impl ConnectionData {
    /// Whose the credential is; none if Azure DevOps does not know it.
    pub(super) fn into_account(self) -> Option<Account> {
        let Identity { id, provider_display_name, properties } = self.authenticated_user;
        let login = properties.account.map(|account| account.value);
        let name = provider_display_name.as_deref();
        let address = login.as_deref().filter(|login| login.contains('@'));
        let username = login.as_deref().or(name).unwrap_or_default();
        (id != ANONYMOUS).then(|| Account::from(Described { id: &*id, username, name, emails: &[address] }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repository {
    pub(super) id: String,
    name: String,
    pub(super) project: Project,
    default_branch: Option<String>,
    #[serde(default)]
    pub(super) is_disabled: bool,
}

#[derive(Deserialize)]
pub(super) struct Project {
    pub(super) id: String,
    name: String,
    visibility: Option<String>,
}

impl Repository {
    /// As in the address that git is given.
    pub(super) fn path(&self, organisation: &str) -> String {
        format!("{organisation}/{}/_git/{}", self.project.name, self.name)
    }

    pub(super) fn default_branch(&self) -> Option<String> {
        let name = self.default_branch.as_deref().map(short)?;
        Some(name.to_owned()).filter(|name| !name.is_empty())
    }

    pub(super) fn is_named(&self, wanted: &str) -> bool {
        self.name.to_lowercase().contains(wanted) || self.project.name.to_lowercase().contains(wanted)
    }

    /// As a listing shows it; none if its path can't be a repository's.
    pub(super) fn into_info(self, instance: &InstanceUrl, organisation: &str) -> Option<RepositoryInfo> {
        let path = self.path(organisation);
        Some(RepositoryInfo {
            url: format!("{instance}/{path}").parse().ok()?,
            default_branch: self.default_branch(),
            path,
            private: self.project.visibility.as_deref() != Some("public"),
            archived: self.is_disabled,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ref {
    name: String,
    object_id: String,
    #[serde(default)]
    is_locked: bool,
}

impl Ref {
    /// Policies that protect a branch are the project's, and not shown here.
    pub(super) fn into_info(self, default: Option<&str>) -> BranchInfo {
        let name = short(&self.name).to_owned();
        let default = default == Some(&*name);
        BranchInfo { name, commit: self.object_id, protected: self.is_locked, default }
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or(name)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pull {
    #[serde(rename = "pullRequestId")]
    pub(super) id: u64,
    /// Where it comes from, if that is a fork.
    pub(super) fork_source: Option<serde::de::IgnoredAny>,
}

impl Pull {
    pub(super) fn page(&self, repo: &RepoUrl) -> String {
        format!("{}/pullrequest/{}", repo.browse_url(), self.id)
    }
}

/// A listing in one piece.
#[derive(Deserialize)]
pub(super) struct Listed<T> {
    pub(super) value: Vec<T>,
}
