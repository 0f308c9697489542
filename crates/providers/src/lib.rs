//! GitLab and GitHub: what a token is, how to ask who it belongs to and what it may do, how to open a pull request.
//!
//! [`provider`] gives the [`Provider`] of a kind; its calls take an [`Access`]: one credential and the one instance it may
//! be sent to. Every refusal is a [`ProviderError`] that says what happened and what to do, and never holds the token.
//!
//! All outbound HTTP of Valetkey goes through [`Http`]: addresses are checked when a connection is made, no redirect is
//! followed, answers are bounded. [`Http::stream`] serves the gateway's git traffic and the command line.

mod account;
mod api;
mod catalogue;
mod error;
mod github;
mod gitlab;
mod http;
mod provider;
mod texts;
mod token;

#[cfg(test)]
mod testing;

pub use catalogue::{CatalogueEntry, Field, Scope, ScopeSet};
pub use error::{ProviderError, Verdict};
pub use http::{
    AddressPolicy, AllowListError, CallError, Http, HttpConfig, HttpConfigError, Refusal, TlsFault, UpstreamBody,
    UpstreamResponse, Why,
};
pub use provider::{Access, BranchInfo, Checked, Provider, PullRequest, PullRequestDraft, RepositoryAccess, provider};
