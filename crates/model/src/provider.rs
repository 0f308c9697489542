use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::InstanceUrl;

/// A kind of service that Valetkey connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ProviderKind {
    /// github.com and GitHub Enterprise Server.
    #[serde(rename = "github")]
    GitHub,
    /// gitlab.com and self-managed GitLab, CE or EE.
    #[serde(rename = "gitlab")]
    GitLab,
    /// bitbucket.org.
    #[serde(rename = "bitbucket")]
    Bitbucket,
    /// Self-managed Bitbucket Data Center.
    #[serde(rename = "bitbucket-dc")]
    BitbucketDataCenter,
    /// Gitea and Forgejo, such as gitea.com and codeberg.org.
    #[serde(rename = "gitea")]
    Gitea,
    /// dev.azure.com.
    #[serde(rename = "azure-devops")]
    AzureDevOps,
    /// Jira Cloud and Data Center.
    #[serde(rename = "jira")]
    Jira,
    /// Google Drive, Calendar and Gmail.
    #[serde(rename = "google")]
    Google,
    /// Slack.
    #[serde(rename = "slack")]
    Slack,
    /// Any other HTTP API or MCP server.
    #[serde(rename = "http")]
    Http,
}

/// What is fixed about a kind.
struct Facts {
    slug: &'static str,
    /// What people also type for it.
    aliases: &'static [&'static str],
    name: &'static str,
    /// The name in a completion notice: of the service, not of the edition.
    short_name: &'static str,
    token_variables: &'static [&'static str],
    default_instance: Option<&'static str>,
    /// Labels of host names that hint at it.
    host_labels: &'static [&'static str],
}

impl ProviderKind {
    /// Every kind, in the order in which people see them.
    pub const ALL: [Self; 10] = [
        Self::GitHub,
        Self::GitLab,
        Self::Bitbucket,
        Self::BitbucketDataCenter,
        Self::Gitea,
        Self::AzureDevOps,
        Self::Jira,
        Self::Google,
        Self::Slack,
        Self::Http,
    ];

    fn facts(self) -> &'static Facts {
        match self {
            Self::GitHub => &Facts {
                slug: "github",
                aliases: &[],
                name: "GitHub",
                short_name: "GitHub",
                token_variables: &["GITHUB_TOKEN", "GH_TOKEN"],
                default_instance: Some("https://github.com"),
                host_labels: &["github"],
            },
            Self::GitLab => &Facts {
                slug: "gitlab",
                aliases: &[],
                name: "GitLab",
                short_name: "GitLab",
                token_variables: &["GITLAB_TOKEN"],
                default_instance: Some("https://gitlab.com"),
                host_labels: &["gitlab"],
            },
            Self::Bitbucket => &Facts {
                slug: "bitbucket",
                aliases: &["bitbucket-cloud"],
                name: "Bitbucket",
                short_name: "Bitbucket",
                token_variables: &["BITBUCKET_TOKEN"],
                default_instance: Some("https://bitbucket.org"),
                host_labels: &[],
            },
            Self::BitbucketDataCenter => &Facts {
                slug: "bitbucket-dc",
                aliases: &["bitbucket-server", "bitbucket-data-center"],
                name: "Bitbucket Data Center",
                short_name: "Bitbucket",
                token_variables: &["BITBUCKET_DC_TOKEN"],
                default_instance: None,
                host_labels: &["bitbucket"],
            },
            Self::Gitea => &Facts {
                slug: "gitea",
                aliases: &["forgejo", "codeberg"],
                name: "Gitea",
                short_name: "Gitea",
                token_variables: &["GITEA_TOKEN", "FORGEJO_TOKEN"],
                default_instance: Some("https://gitea.com"),
                host_labels: &["gitea", "forgejo", "codeberg"],
            },
            Self::AzureDevOps => &Facts {
                slug: "azure-devops",
                aliases: &["azure", "ado"],
                name: "Azure DevOps",
                short_name: "Azure DevOps",
                token_variables: &["AZURE_DEVOPS_TOKEN", "AZURE_DEVOPS_EXT_PAT"],
                default_instance: Some("https://dev.azure.com"),
                host_labels: &["azure", "visualstudio"],
            },
            Self::Jira => &Facts {
                slug: "jira",
                aliases: &[],
                name: "Jira",
                short_name: "Jira",
                token_variables: &["JIRA_API_TOKEN"],
                default_instance: Some("https://api.atlassian.com"),
                host_labels: &["jira", "atlassian"],
            },
            Self::Google => &Facts {
                slug: "google",
                aliases: &["google-workspace", "gmail", "google-drive"],
                name: "Google Workspace",
                short_name: "Google",
                token_variables: &["GOOGLE_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"],
                default_instance: Some("https://accounts.google.com"),
                host_labels: &["google"],
            },
            Self::Slack => &Facts {
                slug: "slack",
                aliases: &[],
                name: "Slack",
                short_name: "Slack",
                token_variables: &["SLACK_BOT_TOKEN", "SLACK_TOKEN"],
                default_instance: Some("https://slack.com"),
                host_labels: &["slack"],
            },
            Self::Http => &Facts {
                slug: "http",
                aliases: &["mcp", "api"],
                name: "HTTP API or MCP server",
                short_name: "HTTP",
                token_variables: &[],
                default_instance: None,
                host_labels: &[],
            },
        }
    }

    /// The name in routes, settings and JSON: `github`.
    pub fn slug(self) -> &'static str {
        self.facts().slug
    }

    /// The name people know: `GitHub`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The name of the service without its edition, as a completion notice has it: `Bitbucket` for Bitbucket Data Center.
    pub fn short_name(self) -> &'static str {
        self.facts().short_name
    }

    /// The environment variables in which agents and their tools expect this provider's token; none where there is no
    /// such custom.
    pub fn token_variables(self) -> &'static [&'static str] {
        self.facts().token_variables
    }

    /// The same for an account at `instance`: GitHub's tools look for the token of a server of one's own elsewhere too.
    pub fn token_variables_at(self, instance: &InstanceUrl) -> impl Iterator<Item = &'static str> {
        let own = if self.is_public(instance) { &[] } else { self.own_instance_variables() };
        self.token_variables().iter().chain(own).copied()
    }

    /// Every variable that may hold this provider's token, wherever the account is.
    pub fn all_token_variables(self) -> impl Iterator<Item = &'static str> {
        self.token_variables().iter().chain(self.own_instance_variables()).copied()
    }

    fn own_instance_variables(self) -> &'static [&'static str] {
        if self == Self::GitHub { &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"] } else { &[] }
    }

    /// Where most people's account is; none where everybody has their own.
    pub fn default_instance(self) -> Option<InstanceUrl> {
        let text = self.facts().default_instance?;
        Some(text.parse().expect("the addresses of public services are instance URLs"))
    }

    /// Whether this is the public service of its kind, whose API and sign-in may be on hosts of their own.
    pub fn is_public(self, instance: &InstanceUrl) -> bool {
        self.default_instance().as_ref() == Some(instance)
    }

    /// Whether it hosts git repositories.
    pub fn is_forge(self) -> bool {
        match self {
            Self::GitHub
            | Self::GitLab
            | Self::Bitbucket
            | Self::BitbucketDataCenter
            | Self::Gitea
            | Self::AzureDevOps => true,
            Self::Jira | Self::Google | Self::Slack | Self::Http => false,
        }
    }

    /// What a person types to connect an account at `instance`.
    pub fn connect_command(self, instance: &InstanceUrl) -> String {
        let command = format!("valetkey connect {}", self.slug());
        if self.is_public(instance) { command } else { format!("{command} --instance {instance}") }
    }

    /// A guess from a host's name alone, for hosts where nothing is connected: a label that is, or has as a hyphenated
    /// part, the provider's name. Good for help texts; never a reason to send a credential anywhere.
    pub fn guess(host: &str) -> Option<Self> {
        if host == "bitbucket.org" {
            return Some(Self::Bitbucket);
        }
        let names = |kind: Self| host.split(['.', '-']).any(|part| kind.facts().host_labels.contains(&part));
        Self::ALL.into_iter().find(|kind| names(*kind))
    }

    /// The same, or [`Http`](Self::Http) where the name tells nothing: for texts about a host that is reached without an
    /// integration.
    pub fn presumed(host: &str) -> Self {
        Self::guess(host).unwrap_or(Self::Http)
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
        let is = |name: &str| name.eq_ignore_ascii_case(text);
        let named = |kind: &Self| is(kind.slug()) || kind.facts().aliases.iter().any(|alias| is(alias));
        Self::ALL.into_iter().find(named).ok_or(UnknownProvider)
    }
}

/// The text names no provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownProvider;

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ProviderKind::ALL.map(ProviderKind::slug).join(", ");
        write!(f, "unknown provider; known are: {known}")
    }
}

impl std::error::Error for UnknownProvider {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_kinds_alone() {
        let mut names: Vec<&str> = ProviderKind::ALL
            .into_iter()
            .flat_map(|k| [k.slug()].into_iter().chain(k.facts().aliases.iter().copied()))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        for kind in ProviderKind::ALL {
            assert_eq!(kind.slug().to_uppercase().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.slug());
        }
        assert_eq!("forgejo".parse(), Ok(ProviderKind::Gitea));
        assert!("gitlob".parse::<ProviderKind>().unwrap_err().to_string().contains("github, gitlab, bitbucket,"));
    }

    #[test]
    fn variables_belong_to_one_kind() {
        let mut all: Vec<&str> = ProviderKind::ALL.iter().flat_map(|k| k.token_variables()).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn hosts_are_guessed_by_whole_labels() {
        for (host, kind) in [
            ("bitbucket.org", Some(ProviderKind::Bitbucket)),
            ("bitbucket.example.com", Some(ProviderKind::BitbucketDataCenter)),
            ("codeberg.org", Some(ProviderKind::Gitea)),
            ("team.atlassian.net", Some(ProviderKind::Jira)),
            ("dev.azure.com", Some(ProviderKind::AzureDevOps)),
            ("mygitlab.com", None),
        ] {
            assert_eq!(ProviderKind::guess(host), kind, "{host}");
        }
    }
}
