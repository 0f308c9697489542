//! The parts of GitHub's answers that are used.

use jiff::{SignedDuration, Timestamp, civil::DateTime, fmt::strtime, tz::TimeZone};
use serde::Deserialize;
use valetkey_model::{InstanceUrl, RepoUrl};

use crate::{BranchInfo, RepositoryInfo, api::Api};

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Repository {
    pub(crate) full_name: String,
    pub(super) default_branch: Option<String>,
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) private: bool,
    pub(super) permissions: Option<Permissions>,
}

impl Repository {
    /// As a listing shows it; none if its path can't be a repository's.
    pub(super) fn into_info(self, instance: &InstanceUrl) -> Option<RepositoryInfo> {
        Some(RepositoryInfo {
            url: format!("{instance}/{}", self.full_name).parse().ok()?,
            path: self.full_name,
            default_branch: self.default_branch.filter(|name| !name.is_empty()),
            private: self.private,
            archived: self.archived,
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct Permissions {
    #[serde(default)]
    pub(super) push: bool,
}

#[derive(Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    html_url: String,
}

impl Pull {
    pub(super) fn page(&self, api: &Api<'_>, repo: &RepoUrl) -> String {
        api.page(&self.html_url, format!("{}/pull/{}", repo.browse_url(), self.number))
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
    sha: String,
}

impl Branch {
    pub(super) fn into_info(self, default: Option<&str>) -> BranchInfo {
        let default = default == Some(&self.name);
        BranchInfo { name: self.name, commit: self.commit.sha, protected: self.protected, default }
    }
}

/// `repo, read:org` as a list.
pub(super) fn scope_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// The token's end, in either of the forms that GitHub uses: `2027-09-06 12:00:00 UTC`, `2023-10-26 20:14:08 +0200`.
///
/// Fine-grained tokens sometimes get the present moment here, which a token that just worked can't mean.
pub(super) fn expiration(text: &str, now: Timestamp) -> Option<Timestamp> {
    const FORM: &str = "%Y-%m-%d %H:%M:%S";
    let text = text.trim();
    let end = match text.strip_suffix(" UTC") {
        Some(utc) => DateTime::strptime(FORM, utc).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
        None => strtime::parse(format!("{FORM} %z"), text).ok()?.to_timestamp().ok()?,
    };
    (end > now + SignedDuration::from_mins(1)).then_some(end)
}
