use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{Account, InstanceUrl, ProviderKind, RepoUrl};
use valetkey_seal::Secret;

use crate::{CatalogueEntry, Http, ProviderError, github::GitHub, gitlab::GitLab};

/// A credential, the one place it may be sent to, and the means.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The client.
    pub http: &'a Http,
    /// Where the credential belongs.
    pub instance: &'a InstanceUrl,
    /// The credential.
    pub token: &'a Secret<String>,
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
    /// What else its owner should know, in sentences.
    pub notes: Vec<String>,
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
    /// Whether the account may push.
    pub can_push: bool,
    /// Why it may not, as half a sentence without a full stop; set exactly when it may not.
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

/// A kind of service: how its tokens look, and how it is asked. Nothing is tried twice.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Which one.
    fn kind(&self) -> ProviderKind;

    /// What people and programs need to know to connect it.
    fn catalogue(&self) -> CatalogueEntry;

    /// Whether the token can be one of this provider's. Asked before the token is sent anywhere.
    ///
    /// # Errors
    /// [`ProviderError::TokenMalformed`].
    fn check_form(&self, token: &Secret<String>) -> Result<(), ProviderError>;

    /// Asks whose the token is, what it may do and until when.
    ///
    /// # Errors
    /// Any refusal. A token that is accepted but lacks scopes is an error only if the provider hides the account from it.
    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError>;

    /// Asks what the account may do with a repository.
    ///
    /// # Errors
    /// Any refusal. A repository that the account may only read is none.
    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError>;

    /// Opens a pull (merge) request, or finds the open one of the same branches.
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

    /// The user name that goes with a token in git's Basic authentication.
    fn git_user(&self) -> &'static str;

    /// The page on which a person creates a token, with everything needed filled in.
    fn token_page(&self, instance: &InstanceUrl) -> String {
        format!("{instance}{}", self.catalogue().token_path)
    }
}

/// The provider of a kind.
pub fn provider(kind: ProviderKind) -> &'static dyn Provider {
    match kind {
        ProviderKind::GitHub => &GitHub,
        ProviderKind::GitLab => &GitLab,
    }
}
