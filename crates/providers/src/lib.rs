//! One module per provider: what a credential is, how to ask whose it is and what it may do, how to open a pull request.
//!
//! [`provider`] gives the [`Provider`] of a kind; its calls take an [`Access`]: one credential and the one instance it may
//! be sent to. Every refusal is a [`ProviderError`] that says what happened and what to do, and never holds the token.
//!
//! All outbound HTTP of Valetkey goes through [`Http`]: addresses are checked when a connection is made, no redirect is
//! followed, answers are bounded. [`Http::stream`] serves the gateway's git traffic and the command line.

mod account;
mod anybody;
mod api;
mod azure;
mod bitbucket;
mod bitbucket_dc;
mod catalogue;
mod credential;
mod error;
mod gitea;
mod github;
mod gitlab;
mod google;
mod http;
mod http_service;
mod jira;
pub mod oauth;
pub mod oidc;
mod paging;
mod provider;
mod slack;
mod texts;
mod token;

#[cfg(test)]
mod testing;

pub use anybody::readable_by_anybody;
pub use catalogue::{CatalogueEntry, ConnectMethod, Field, Scope, ScopeChoice, ScopeSet};
pub use credential::{Consent, Credential, GitAuth};
pub use error::{ProviderError, Verdict};
pub use github::app as github_app;
pub use http::{
    AddressPolicy, AllowListError, CallError, Delivery, Http, HttpConfig, HttpConfigError, LimitsMet, ProxyError,
    ProxySettings, Refusal, TlsFault, UpstreamBody, UpstreamResponse, Why,
};
pub use provider::{
    Access, BranchInfo, Checked, Contents, Forge, Provider, PullRequest, PullRequestDraft, RepositoryAccess,
    RepositoryInfo, Rotated, Tree, TreeEntry, forge, provider,
};
pub use texts::Words;
