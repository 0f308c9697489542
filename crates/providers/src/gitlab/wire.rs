//! The parts of GitLab's answers that are used.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use valetkey_model::{Account, InstanceUrl, RepoUrl};
use valetkey_seal::Secret;

use super::LEAST_SCOPES;
use crate::{BranchInfo, RepositoryInfo, account::Described, api::Api};

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

/// What a personal, project or group access token says of itself.
#[derive(Deserialize)]
pub(super) struct TokenInfo {
    pub(super) scopes: Vec<String>,
    created_at: Option<Timestamp>,
    expires_at: Option<Date>,
}

impl TokenInfo {
    pub(super) fn end(&self) -> Option<Timestamp> {
        midnight(self.expires_at)
    }

    /// From the day it was made to the day it ends.
    pub(super) fn life_in_days(&self) -> Option<i32> {
        let made = self.created_at?.to_zoned(TimeZone::UTC).date();
        Some(made.until(self.expires_at?).ok()?.get_days())
    }
}

/// What rotating a token answers.
#[derive(Deserialize)]
pub(super) struct NewToken {
    pub(super) token: Secret<String>,
    expires_at: Option<Date>,
}

impl NewToken {
    pub(super) fn end(&self) -> Option<Timestamp> {
        midnight(self.expires_at)
    }
}

/// What an OAuth token says of itself.
#[derive(Deserialize)]
pub(super) struct ConsentInfo {
    pub(super) scope: Vec<String>,
    expires_in: Option<u32>,
}

impl ConsentInfo {
    pub(super) fn end(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_add(SignedDuration::from_secs(self.expires_in?.into())).ok()
    }
}

/// A token ends as the day of its expiry begins, in UTC.
fn midnight(day: Option<Date>) -> Option<Timestamp> {
    Some(day?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// What a token with these scopes lacks.
pub(super) fn missing_scopes(granted: &[String]) -> Vec<String> {
    let has = |scope: &str| granted.iter().any(|granted| granted == scope);
    LEAST_SCOPES.into_iter().filter(|scope| !has("api") && !has(scope)).map(str::to_owned).collect()
}

#[derive(Deserialize)]
pub(super) struct Project {
    pub(super) id: u64,
    pub(super) path_with_namespace: String,
    pub(super) default_branch: Option<String>,
    #[serde(default)]
    pub(super) archived: bool,
    visibility: Option<String>,
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
    /// As a listing shows it; none if its path can't be a repository's.
    pub(super) fn into_info(self, instance: &InstanceUrl) -> Option<RepositoryInfo> {
        Some(RepositoryInfo {
            url: format!("{instance}/{}", self.path_with_namespace).parse().ok()?,
            path: self.path_with_namespace,
            default_branch: self.default_branch.filter(|name| !name.is_empty()),
            private: self.visibility.as_deref() != Some("public"),
            archived: self.archived,
        })
    }

    /// The account's level from the project itself and its own group; 0 if neither names it.
    pub(super) fn direct_level(&self) -> u8 {
        let both = self.permissions.iter().flat_map(|both| [&both.project_access, &both.group_access]);
        both.flatten().map(|member| member.access_level).max().unwrap_or(0)
    }
}

#[derive(Deserialize)]
pub(super) struct MergeRequest {
    pub(super) iid: u64,
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
