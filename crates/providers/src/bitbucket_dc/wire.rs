//! The parts of Bitbucket Data Center's answers that are used.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Account, InstanceUrl, RepoUrl};

use crate::{BranchInfo, RepositoryInfo, account::Described, api::Api};

#[derive(Deserialize)]
pub(super) struct ApplicationProperties {
    version: String,
    #[serde(rename = "displayName")]
    name: String,
}

impl ApplicationProperties {
    pub(super) fn version(&self) -> String {
        crate::api::one_line(&format!("{} {}", self.name, self.version))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    id: u64,
    pub(super) name: String,
    display_name: Option<String>,
    email_address: Option<String>,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self::from(Described {
            id: user.id,
            username: &user.name,
            name: user.display_name.as_deref(),
            emails: &[user.email_address.as_deref()],
        })
    }
}

/// A token in its owner's list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessToken {
    pub(super) id: String,
    #[serde(default)]
    pub(super) permissions: Vec<String>,
    expiry_date: Option<Value>,
}

impl AccessToken {
    /// In milliseconds, as all of Bitbucket's times; a date in words is understood too.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        let stated = self.expiry_date.as_ref()?;
        let millis = stated.as_i64().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        millis.or_else(|| stated.as_str()?.parse().ok())
    }
}

#[derive(Deserialize)]
pub(super) struct Repository {
    slug: String,
    pub(super) name: String,
    project: Project,
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    public: bool,
}

#[derive(Deserialize)]
struct Project {
    key: String,
}

impl Repository {
    /// As in the addresses that git is given.
    pub(super) fn path(&self) -> String {
        format!("scm/{}/{}", self.project.key, self.slug)
    }

    /// As a listing shows it; none if its path can't be a repository's.
    pub(super) fn into_info(self, instance: &InstanceUrl) -> Option<RepositoryInfo> {
        // Clone URLs have the key in lower case.
        let url = format!("{instance}/scm/{}/{}", self.project.key.to_ascii_lowercase(), self.slug);
        Some(RepositoryInfo {
            url: url.parse().ok()?,
            path: self.path(),
            default_branch: None,
            private: !self.public,
            archived: self.archived,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Branch {
    #[serde(rename = "displayId")]
    pub(super) name: String,
    #[serde(default)]
    latest_commit: String,
    #[serde(default)]
    is_default: bool,
}

impl From<Branch> for BranchInfo {
    /// Which branches are protected is shown to a repository's administrators only.
    fn from(branch: Branch) -> Self {
        Self { name: branch.name, commit: branch.latest_commit, protected: false, default: branch.is_default }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pull {
    pub(super) id: u64,
    pub(super) version: u64,
    from_ref: Ref,
    to_ref: Ref,
    #[serde(default)]
    reviewers: Vec<Reviewer>,
    #[serde(default)]
    links: Links,
}

#[derive(Deserialize)]
struct Ref {
    id: String,
    repository: Origin,
}

#[derive(Deserialize)]
struct Origin {
    slug: String,
    project: Project,
}

#[derive(Deserialize)]
struct Reviewer {
    user: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
struct Links {
    #[serde(default, rename = "self")]
    own: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    href: String,
}

impl Pull {
    /// Whether it is from one branch to another of the same repository; a fork's may have the same name.
    pub(super) fn joins(&self, head: &str, base: &str) -> bool {
        let (from, to) = (&self.from_ref, &self.to_ref);
        from.id == head
            && to.id == base
            && from.repository.slug == to.repository.slug
            && from.repository.project.key == to.repository.project.key
    }

    pub(super) fn page(&self, api: &Api<'_>, repo: &RepoUrl, id: &str) -> String {
        let stated = self.links.own.first().map_or("", |link| &link.href);
        api.page(stated, format!("{}/{id}/pull-requests/{}", repo.instance(), self.id))
    }

    pub(super) fn reviewers(&self) -> Vec<Value> {
        self.reviewers.iter().map(|reviewer| json!({ "user": { "name": reviewer.user.name } })).collect()
    }
}
