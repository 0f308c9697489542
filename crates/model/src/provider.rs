use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::InstanceUrl;

/// A kind of service that Valetkey connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// github.com and GitHub Enterprise Server.
    GitHub,
    /// gitlab.com and self-managed GitLab, CE or EE.
    GitLab,
}

impl ProviderKind {
    /// Every kind, in the order in which people see them.
    pub const ALL: [Self; 2] = [Self::GitHub, Self::GitLab];

    /// The name in routes, settings and JSON: `github`.
    pub fn slug(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
        }
    }

    /// The name people know: `GitHub`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
        }
    }

    /// The environment variables in which agents and their tools expect this provider's token.
    pub fn token_variables(self) -> &'static [&'static str] {
        match self {
            Self::GitHub => &["GITHUB_TOKEN", "GH_TOKEN"],
            Self::GitLab => &["GITLAB_TOKEN"],
        }
    }

    /// Where most people's account is.
    pub fn default_instance(self) -> InstanceUrl {
        match self {
            Self::GitHub => InstanceUrl::github_com(),
            Self::GitLab => InstanceUrl::gitlab_com(),
        }
    }

    /// What a person types to connect an account at `instance`.
    pub fn connect_command(self, instance: &InstanceUrl) -> String {
        let command = format!("valetkey connect {}", self.slug());
        if *instance == self.default_instance() { command } else { format!("{command} --instance {instance}") }
    }

    /// A guess from a host's name alone, for hosts where nothing is connected: a label that is, or has as a hyphenated
    /// part, the provider's name. Good for help texts; never a reason to send a credential anywhere.
    pub fn guess(host: &str) -> Option<Self> {
        let names = |kind: Self| host.split(['.', '-']).any(|part| part == kind.slug());
        Self::ALL.into_iter().find(|kind| names(*kind))
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProviderKind {
    type Err = UnknownProvider;
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        Self::ALL.into_iter().find(|kind| kind.slug().eq_ignore_ascii_case(text)).ok_or(UnknownProvider)
    }
}

/// The text names no provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown provider; known are: github, gitlab")]
pub struct UnknownProvider;
