use std::{collections::HashSet, ffi::OsString};

use valetkey_git::{Author, ConfigEntries};
use valetkey_integrations::{Lease, SessionSecrets, SessionToken};
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

    tokens(&ready.tokens, &ready.secrets, &mut set);
    secrets(&ready.secrets, &mut set);
    // What comes later wins: nothing takes the place of what the session itself runs by.
    set("VALETKEY_TASK", &run.session.spec.task);
    if let Some(assistant) = &run.session.spec.assistant {
        set("VALETKEY_ASSISTANT", assistant.name.as_str());
        set("VALETKEY_INSTRUCTIONS", &assistant.instructions);
    }
    set("VALETKEY_SESSION_ID", run.session.id.as_str());
    set("VALETKEY_PROJECT", run.session.project.as_str());
    set("VALETKEY_SESSION_TOKEN", ready.lease.as_path_segment());
    for (name, value) in git(&ready.git_config, ready.author()) {
        set(&name, &value);
    }
    environment
}

/// One token per provider, under the names that its tools look for. The first integration of a provider is that of the
/// session's first repository there. Where a secret has one of these names it is under all of them, so that no tool finds
/// the integration's token behind the secret's back.
#[expect(clippy::disallowed_methods, reason = "the agent's environment is where a session's tokens go")]
fn tokens(tokens: &[SessionToken], secrets: &SessionSecrets, set: &mut impl FnMut(&str, &str)) {
    let mut seen = HashSet::new();
    for SessionToken { integration, credential } in tokens {
        if !seen.insert(integration.provider) {
            continue;
        }
        let token = secrets.standing_in_for(integration).map_or(&credential.token, |secret| &secret.value);
        for name in integration.provider.token_variables_at(&integration.instance_url) {
            set(name, token.expose());
        }
        if let Some((name, value)) = instance_variable(integration.provider, &integration.instance_url) {
            set(name, &value);
        }
        // What Basic authentication wants besides the token.
        if let (Some(name), Some(login)) = (login_variable(integration.provider), &credential.login) {
            set(name, login);
        }
    }
}

/// What `gh`, `glab` and the like need besides, so that they speak to the token's own host and to no other.
fn instance_variable(provider: ProviderKind, instance: &InstanceUrl) -> Option<(&'static str, String)> {
    if provider.is_public(instance) {
        return None;
    }
    match provider {
        ProviderKind::GitHub => Some(("GH_HOST", instance.authority())),
        ProviderKind::GitLab => Some(("GITLAB_HOST", instance.to_string())),
        ProviderKind::BitbucketDataCenter => Some(("BITBUCKET_DC_URL", instance.to_string())),
        ProviderKind::Gitea => Some(("GITEA_SERVER_URL", instance.to_string())),
        ProviderKind::Jira => Some(("JIRA_URL", instance.to_string())),
        ProviderKind::Bitbucket
        | ProviderKind::AzureDevOps
        | ProviderKind::Google
        | ProviderKind::Slack
        | ProviderKind::Http => None,
    }
}

/// Each under its name, which may be one that a token has.
#[expect(clippy::disallowed_methods, reason = "the agent's environment is where secrets go")]
fn secrets(secrets: &SessionSecrets, set: &mut impl FnMut(&str, &str)) {
    for secret in secrets.iter() {
        set(secret.name.as_str(), secret.value.expose());
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
fn git(gateway: &ConfigEntries, author: &Author) -> Vec<(String, String)> {
    let mut config = ConfigEntries::new();
    config.push("credential.helper", "");
    config.push("http.followRedirects", "false");
    config.push("push.default", "current");
    config.push("user.name", author.name());
    config.push("user.email", author.email());
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
pub(crate) fn redact(run: &Run, tokens: &[SessionToken], secrets: &SessionSecrets, lease: &Lease) -> Vec<String> {
    let config = &run.parts.config;
    let passed = config.environment.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let passed = passed.filter(|(name, _)| config.agent_env.iter().any(|wanted| wanted == name));
    let tokens = tokens.iter().map(|t| (t.integration.provider.name(), t.credential.token.expose().as_str()));
    let lease = [("the session's lease", lease.as_path_segment())];
    let secrets = secrets.iter().map(|secret| (secret.name.as_str(), secret.value.expose().as_str()));
    let too_short = |value: &str| {
        // A line of a key file, say, as `grep` prints it. Short ones are no secret without the others.
        for line in value.lines().filter(|_| value.trim().contains('\n')) {
            let _ = run.redactor.add(line);
        }
        run.redactor.add(value) == Added::TooShort
    };
    let all = passed.chain(tokens).chain(secrets).chain(lease);
    all.filter(|(_, value)| too_short(value)).map(|(name, _)| name.to_owned()).collect()
}

/// Whose commits are made with an integration: the provider's name and address, or what providers use themselves where a
/// person gave none.
pub(crate) fn author(integration: &Integration) -> Author {
    let Account { username, name, email, .. } = &integration.account;
    let name = name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| username.clone());
    let email =
        email.clone().unwrap_or_else(|| format!("{username}@users.noreply.{}", integration.instance_url.host()));
    Author::new(&name, &email)
}

#[cfg(test)]
mod tests {
    use valetkey_model::SecretName;

    use super::*;

    #[test]
    fn tools_speak_only_to_the_tokens_own_host() {
        assert_eq!(instance_variable(ProviderKind::GitHub, &InstanceUrl::github_com()), None);
        let own = "https://git.example.test:8443".parse().unwrap();
        let github = instance_variable(ProviderKind::GitHub, &own);
        assert_eq!(github, Some(("GH_HOST", "git.example.test:8443".to_owned())));
        let gitlab = instance_variable(ProviderKind::GitLab, &own);
        assert_eq!(gitlab, Some(("GITLAB_HOST", "https://git.example.test:8443".to_owned())));
    }

    #[test]
    fn no_secret_has_a_name_that_the_session_runs_by() {
        let own: InstanceUrl = "https://git.example.test:8443".parse().unwrap();
        let hosts = ProviderKind::ALL.into_iter().filter_map(|kind| Some(instance_variable(kind, &own)?.0.to_owned()));
        let john = Author::new("John", "john@example.test");
        let git = git(&ConfigEntries::new(), &john).into_iter().map(|(name, _)| name);
        for name in INHERITED.into_iter().map(str::to_owned).chain(hosts).chain(git) {
            assert!(name.parse::<SecretName>().is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_of_ours_is_inherited() {
        assert!(INHERITED.iter().all(|name| !name.starts_with("VALETKEY") && !name.contains("TOKEN")));
    }
}
