use std::{collections::HashSet, ffi::OsString};

use valetkey_git::ConfigEntries;
use valetkey_integrations::{Lease, SessionToken};
use valetkey_model::{Account, InstanceUrl, Integration, ProviderKind};
use valetkey_redact::Added;

use crate::{preflight::Ready, run::Run};

/// Variables of our own environment that say who and where the person is; agents and their tools need them to work at
/// all. Everything else stays out unless the administrator names it (`agent_env`).
const INHERITED: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TERM",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The whole environment of a session's agent.
pub(crate) fn of_agent(run: &Run, ready: &Ready) -> Vec<(OsString, OsString)> {
    let config = &run.parts.config;
    let wanted: HashSet<&str> = INHERITED.into_iter().chain(config.agent_env.iter().map(String::as_str)).collect();
    let mut environment: Vec<(OsString, OsString)> = config
        .environment
        .iter()
        .filter(|(name, _)| name.to_str().is_some_and(|n| wanted.contains(n)))
        .cloned()
        .collect();
    let mut set = |name: &str, value: &str| environment.push((name.into(), value.into()));

    set("VALETKEY_TASK", &run.session.spec.task);
    if let Some(assistant) = &run.session.spec.assistant {
        set("VALETKEY_ASSISTANT", assistant.name.as_str());
        set("VALETKEY_INSTRUCTIONS", &assistant.instructions);
    }
    set("VALETKEY_SESSION_ID", run.session.id.as_str());
    set("VALETKEY_PROJECT", run.session.project.as_str());
    set("VALETKEY_SESSION_TOKEN", ready.lease.as_path_segment());
    tokens(&ready.tokens, &mut set);
    let (name, email) = author(&ready.targets[0].integration);
    for (name, value) in git(&ready.git_config, &name, &email) {
        set(&name, &value);
    }
    environment
}

/// One token per provider, under the names that its tools look for. The first integration of a provider is that of the
/// session's first repository there.
#[expect(clippy::disallowed_methods, reason = "the agent's environment is where a session's tokens go")]
fn tokens(tokens: &[SessionToken], set: &mut impl FnMut(&str, &str)) {
    let mut seen = HashSet::new();
    for SessionToken { integration, credential } in tokens {
        if !seen.insert(integration.provider) {
            continue;
        }
        for name in integration.provider.token_variables() {
            set(name, credential.token.expose());
        }
        for (name, value) in instance_variables(integration.provider, &integration.instance_url) {
            set(name, value.as_deref().unwrap_or(credential.token.expose()));
        }
        // What Basic authentication wants besides the token.
        if let (Some(name), Some(login)) = (login_variable(integration.provider), &credential.login) {
            set(name, login);
        }
    }
}

/// What `gh` and `glab` need besides, so that they speak to the token's own host and to no other. `None` is the token.
fn instance_variables(provider: ProviderKind, instance: &InstanceUrl) -> Vec<(&'static str, Option<String>)> {
    if provider.is_public(instance) {
        return Vec::new();
    }
    match provider {
        ProviderKind::GitHub => {
            vec![
                ("GH_HOST", Some(instance.authority())),
                ("GH_ENTERPRISE_TOKEN", None),
                ("GITHUB_ENTERPRISE_TOKEN", None),
            ]
        }
        ProviderKind::GitLab => vec![("GITLAB_HOST", Some(instance.to_string()))],
        ProviderKind::BitbucketDataCenter => vec![("BITBUCKET_DC_URL", Some(instance.to_string()))],
        ProviderKind::Gitea => vec![("GITEA_SERVER_URL", Some(instance.to_string()))],
        ProviderKind::Jira => vec![("JIRA_URL", Some(instance.to_string()))],
        ProviderKind::Bitbucket
        | ProviderKind::AzureDevOps
        | ProviderKind::Google
        | ProviderKind::Slack
        | ProviderKind::Http => Vec::new(),
    }
}

/// Where tools look for the user name or e-mail address that goes with a provider's token.
fn login_variable(provider: ProviderKind) -> Option<&'static str> {
    match provider {
        ProviderKind::Jira => Some("JIRA_EMAIL"),
        ProviderKind::Bitbucket => Some("BITBUCKET_EMAIL"),
        _ => None,
    }
}

/// Git as the agent has it: the session's repositories lead to the gateway, nobody is asked for a password, and the
/// person's own helpers and rewrites stay out.
fn git(gateway: &ConfigEntries, name: &str, email: &str) -> Vec<(String, String)> {
    let mut config = ConfigEntries::new();
    config.push("credential.helper", "");
    config.push("http.followRedirects", "false");
    config.push("push.default", "current");
    config.push("user.name", name);
    config.push("user.email", email);
    config.extend(gateway);
    let mut variables = config.to_env();
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", ""),
        ("SSH_ASKPASS", ""),
    ] {
        variables.push((name.to_owned(), value.to_owned()));
    }
    variables
}

/// Registers everything secret that the session will see, before any of it can be printed. Returns the names of the
/// variables whose values are too short to be hidden.
#[expect(clippy::disallowed_methods, reason = "the redactor must know the values that it hides")]
pub(crate) fn redact(run: &Run, tokens: &[SessionToken], lease: &Lease) -> Vec<String> {
    let config = &run.parts.config;
    let passed = config.environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let passed = passed.filter(|(name, _)| config.agent_env.iter().any(|wanted| wanted == name));
    let tokens = tokens.iter().map(|t| (t.integration.provider.name(), t.credential.token.expose().as_str()));
    let lease = [("the session's lease", lease.as_path_segment())];
    let too_short = |value: &str| run.redactor.add(value) == Added::TooShort;
    let all = passed.chain(tokens).chain(lease);
    all.filter(|(_, value)| too_short(value)).map(|(name, _)| name.to_owned()).collect()
}

/// The name and address for commits: the provider's, or what providers use themselves where a person gave none.
pub(crate) fn author(integration: &Integration) -> (String, String) {
    let Account { username, name, email, .. } = &integration.account;
    let name = name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| username.clone());
    let email =
        email.clone().unwrap_or_else(|| format!("{username}@users.noreply.{}", integration.instance_url.host()));
    (name, email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_speak_only_to_the_tokens_own_host() {
        assert!(instance_variables(ProviderKind::GitHub, &InstanceUrl::github_com()).is_empty());
        let own = "https://git.example.test:8443".parse().unwrap();
        let variables = instance_variables(ProviderKind::GitHub, &own);
        assert!(variables.contains(&("GH_HOST", Some("git.example.test:8443".to_owned()))));
        assert!(variables.contains(&("GH_ENTERPRISE_TOKEN", None)));
        assert_eq!(
            instance_variables(ProviderKind::GitLab, &own),
            [("GITLAB_HOST", Some("https://git.example.test:8443".to_owned()))]
        );
    }

    #[test]
    fn nothing_of_ours_is_inherited() {
        assert!(INHERITED.iter().all(|name| !name.starts_with("VALETKEY") && !name.contains("TOKEN")));
    }
}
