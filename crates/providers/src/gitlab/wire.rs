//! The parts of GitLab's answers that are used.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use valetkey_model::{Account, RepoUrl};

use super::LEAST_SCOPES;
use crate::{BranchInfo, account::Described, api::Api};

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    username: String,
    name: Option<String>,
    commit_email: Option<String>,
    public_email: Option<String>,
    email: Option<String>,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self::from(Described {
            id: user.id,
            username: &user.username,
            name: user.name.as_deref(),
            emails: &[user.commit_email.as_deref(), user.public_email.as_deref(), user.email.as_deref()],
        })
    }
}

#[derive(Deserialize)]
pub(super) struct TokenInfo {
    scopes: Vec<String>,
    expires_at: Option<Date>,
}

impl TokenInfo {
    pub(super) fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }

    pub(super) fn missing_scopes(&self) -> Vec<String> {
        if self.has("api") {
            return Vec::new();
        }
        LEAST_SCOPES.into_iter().filter(|scope| !self.has(scope)).map(str::to_owned).collect()
    }

    /// A token ends as the day of its expiry begins, in UTC.
    pub(super) fn scopes_and_end(self) -> (Vec<String>, Option<Timestamp>) {
        let end = self.expires_at.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
        (self.scopes, end.map(|midnight| midnight.timestamp()))
    }
}

#[derive(Deserialize)]
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) path_with_namespace: String,
    pub(super) default_branch: Option<String>,
    #[serde(default)]
    pub(super) archived: bool,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    project_access: Option<Member>,
    group_access: Option<Member>,
}

#[derive(Deserialize)]
pub(super) struct Member {
    pub(super) access_level: u8,
}

impl Project {
    /// The account's level from the project itself and its own group; 0 if neither names it.
    pub(super) fn direct_level(&self) -> u8 {
        let both = self.permissions.iter().flat_map(|both| [&both.project_access, &both.group_access]);
        both.flatten().map(|member| member.access_level).max().unwrap_or(0)
    }
}

#[derive(Deserialize)]
pub(super) struct MergeRequest {
    iid: u64,
    web_url: String,
    pub(super) source_project_id: Option<u64>,
    pub(super) target_project_id: Option<u64>,
}

impl MergeRequest {
    pub(super) fn page(&self, api: &Api<'_>, repo: &RepoUrl) -> String {
        api.page(&self.web_url, format!("{}/-/merge_requests/{}", repo.browse_url(), self.iid))
    }
}

#[derive(Deserialize)]
pub(super) struct Branch {
    name: String,
    commit: Commit,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    default: bool,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

impl From<Branch> for BranchInfo {
    fn from(branch: Branch) -> Self {
        Self { name: branch.name, commit: branch.commit.id, protected: branch.protected, default: branch.default }
    }
}
