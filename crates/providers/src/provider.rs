use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{Account, AuthMethod, Details, InstanceUrl, Place, ProviderKind, RepoUrl};

use crate::{
    CatalogueEntry, Credential, GitAuth, Http, ProviderError,
    azure::AzureDevOps,
    bitbucket::Bitbucket,
    bitbucket_dc::BitbucketDataCenter,
    gitea::Gitea,
    github::GitHub,
    gitlab::GitLab,
    google::Google,
    http_service::HttpService,
    jira::Jira,
    oauth::{OAuthApp, OAuthError, OAuthProfile, Revoked, Tokens},
    slack::Slack,
    texts::Words,
};

/// A credential, the one place it may be sent to, and the means.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The client.
    pub http: &'a Http,
    /// Where the credential belongs.
    pub instance: &'a InstanceUrl,
    /// The credential.
    pub credential: &'a Credential,
    /// The present moment, for limits and expiries that are given as points in time.
    pub now: Timestamp,
}

/// What a provider says of a credential it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whose it is.
    pub account: Account,
    /// Its scopes; empty where the provider does not say.
    pub granted_scopes: Vec<String>,
    /// When it ends; none where it doesn't or the provider does not say.
    pub expires_at: Option<Timestamp>,
    /// The scopes that Valetkey needs and it lacks.
    pub missing_scopes: Vec<String>,
    /// What else the provider tells.
    pub details: Details,
}

/// A credential that the provider made in place of another, which works no more.
#[derive(Debug)]
pub struct Rotated {
    /// The new one.
    pub credential: Credential,
    /// When it ends, where the provider says so.
    pub expires_at: Option<Timestamp>,
}

/// What an account may do with a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryAccess {
    /// The path as the provider spells it.
    pub path: String,
    /// The default branch; none while the repository is empty.
    pub default_branch: Option<String>,
    /// Whether it is read-only for everybody.
    pub archived: bool,
    /// Why the account may not push, as half a sentence without a full stop; it may if there is none.
    pub why_not_push: Option<String>,
}

impl RepositoryAccess {
    /// This access, if it suffices to push.
    ///
    /// # Errors
    /// [`ProviderError::PushNotAllowed`] with the reason.
    pub fn require_push(self) -> Result<Self, ProviderError> {
        match self.why_not_push {
            Some(why) => Err(ProviderError::PushNotAllowed { path: self.path, why }),
            None => Ok(self),
        }
    }
}

/// A pull (merge) request to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestDraft {
    /// The branch with the changes.
    pub head: String,
    /// The branch they are for.
    pub base: String,
    /// One line.
    pub title: String,
    /// The description, in Markdown.
    pub body: String,
}

/// A pull (merge) request that is open now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its page.
    pub url: String,
    /// Whether it was just made; else it was there already.
    pub created: bool,
}

/// A branch in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BranchInfo {
    /// Its short name.
    pub name: String,
    /// The commit it is at.
    pub commit: String,
    /// Whether the provider protects it from pushes.
    pub protected: bool,
    /// Whether it is the default branch.
    pub default: bool,
}

/// A folder of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// What is in it, in the provider's order. For the path of a file that file alone, where the provider says it so.
    pub entries: Vec<TreeEntry>,
    /// Whether the provider has more in it than it lists.
    pub truncated: bool,
}

/// What is in a folder of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// The last part of its path.
    pub name: String,
    /// From the repository's root.
    pub path: String,
    /// Whether it is a folder; links and submodules are none.
    pub folder: bool,
    /// The git object.
    pub id: String,
    /// Its bytes, where the provider says so.
    pub size: Option<u64>,
}

/// A repository in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryInfo {
    /// Its URL without `.git`.
    #[schemars(with = "String")]
    pub url: RepoUrl,
    /// The path as the provider spells it.
    pub path: String,
    /// The default branch, where the listing says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// Whether only some may see it.
    pub private: bool,
    /// Whether it is read-only for everybody.
    pub archived: bool,
}

/// A kind of service: how its credentials look, and how it is asked. Nothing is tried twice.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Which one.
    fn kind(&self) -> ProviderKind;

    /// What people and programs need to know to connect it.
    fn catalogue(&self) -> CatalogueEntry;

    /// What is particular to it in texts for people.
    fn words(&self) -> Words;

    /// Whether the credential can be one of this provider's at `instance`. Asked before it is sent anywhere.
    ///
    /// # Errors
    /// [`ProviderError::TokenMalformed`]; [`ProviderError::Unsuitable`] where the reason is known.
    fn check_form(&self, instance: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError>;

    /// Asks whose the credential is, what it may do and until when.
    ///
    /// # Errors
    /// Any refusal. A token that is accepted but lacks scopes is an error only if the provider hides the account from it.
    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError>;

    /// Its repositories, if it hosts any.
    fn forge(&self) -> Option<&dyn Forge> {
        None
    }

    /// How people consent to access in their browser, or by a code; none where there is no such way.
    fn oauth(&self, _instance: &InstanceUrl) -> Option<OAuthProfile> {
        None
    }

    /// When a person must consent again, where that is the provider's rule and its answers don't say it.
    fn consent_end(&self, _consented_at: Timestamp, _refreshed_at: Timestamp) -> Option<Timestamp> {
        None
    }

    /// What a person should know whose consent ends after so much time.
    fn note_on_consent(&self, _lasts: SignedDuration) -> Option<&'static str> {
        None
    }

    /// Asks for a new credential in place of this one, which dies at once. None where the provider can't do that.
    ///
    /// # Errors
    /// Any refusal. After one whose answer was lost the old credential may be dead.
    async fn rotate(&self, _at: Access<'_>) -> Result<Option<Rotated>, ProviderError> {
        Ok(None)
    }

    /// Exchanges a token that does not end, which dies at once, for one that is refreshed, with the app that it was given to.
    /// None where there is no such way.
    ///
    /// # Errors
    /// As [`OAuthClient::refresh`](crate::oauth::OAuthClient::refresh).
    async fn exchange(&self, _at: Access<'_>, _app: OAuthApp<'_>) -> Result<Option<Tokens>, OAuthError> {
        Ok(None)
    }

    /// Asks the provider to forget the credential.
    ///
    /// # Errors
    /// Any refusal.
    async fn revoke(&self, _at: Access<'_>) -> Result<Revoked, ProviderError> {
        Ok(Revoked::NotOffered)
    }

    /// The page on which a person creates a credential for `method`, with everything filled in that can be.
    fn token_page(&self, instance: &InstanceUrl, method: AuthMethod) -> String {
        match self.catalogue().method(method).and_then(|offered| offered.token_page.clone()) {
            Some(page) if page.starts_with('/') => format!("{instance}{page}"),
            Some(page) => page,
            None => instance.to_string(),
        }
    }
}

/// A provider that hosts git repositories.
#[async_trait]
pub trait Forge: Send + Sync {
    /// How git presents the credential.
    fn git_auth(&self, credential: &Credential) -> GitAuth;

    /// Asks what the account may do with a repository.
    ///
    /// # Errors
    /// Any refusal. A repository that the account may only read is none.
    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError>;

    /// Opens a pull (merge) request; an open one of the same branches gets the new title and description instead.
    ///
    /// # Errors
    /// Any refusal.
    async fn open_pull_request(
        &self,
        at: Access<'_>,
        repo: &RepoUrl,
        draft: &PullRequestDraft,
    ) -> Result<PullRequest, ProviderError>;

    /// Lists all branches.
    ///
    /// # Errors
    /// Any refusal.
    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError>;

    /// Finds repositories that the account has to do with, whose name contains `text`; all of them for an empty one. At
    /// most `limit`, in the provider's order.
    ///
    /// # Errors
    /// Any refusal.
    async fn search(&self, at: Access<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError>;

    /// How to look into repositories, where that is built.
    fn contents(&self) -> Option<&dyn Contents> {
        None
    }
}

/// A forge that shows what is in a repository without a clone.
#[async_trait]
pub trait Contents: Send + Sync {
    /// Lists a folder.
    ///
    /// # Errors
    /// Any refusal. Some providers answer alike whether the repository, the revision or the path is missing:
    /// [`ProviderError::RepositoryNotFound`] here means any of them.
    async fn tree(&self, at: Access<'_>, place: &Place) -> Result<Tree, ProviderError>;

    /// Reads a file, as the bytes that git holds.
    ///
    /// # Errors
    /// As [`tree`](Self::tree), and [`ProviderError::NotAFile`].
    async fn file(&self, at: Access<'_>, place: &Place) -> Result<Vec<u8>, ProviderError>;
}

/// The provider of a kind.
pub fn provider(kind: ProviderKind) -> &'static dyn Provider {
    match kind {
        ProviderKind::GitHub => &GitHub,
        ProviderKind::GitLab => &GitLab,
        ProviderKind::Bitbucket => &Bitbucket,
        ProviderKind::BitbucketDataCenter => &BitbucketDataCenter,
        ProviderKind::Gitea => &Gitea,
        ProviderKind::AzureDevOps => &AzureDevOps,
        ProviderKind::Jira => &Jira,
        ProviderKind::Google => &Google,
        ProviderKind::Slack => &Slack,
        ProviderKind::Http => &HttpService,
    }
}

/// The repositories of a kind, if it hosts any.
pub fn forge(kind: ProviderKind) -> Option<&'static dyn Forge> {
    provider(kind).forge()
}
