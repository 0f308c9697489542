use std::{borrow::Cow, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Actor, InstanceUrl, Problem, ProblemCode, ProjectName, ProviderKind, Role, UserId, ids::NameError};

/// The name of a secret: that of the environment variable in which a session's agent finds it. Letters, digits and `_`,
/// not a digit first, at most 128; upper and lower case differ, as they do for the system.
///
/// What would change how the session itself runs is no such name. A project's secrets go into the sessions of all its
/// members, with their own tokens beside them: a variable that starts a program, loads code or leads traffic elsewhere
/// would hand these over to whoever set it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(String);

const LONGEST: usize = 128;

/// Why a name is kept from secrets.
const OURS: &str = "must not begin with VALETKEY_: these variables are Valetkey's own";
const GIT: &str = "must not be one that git reads: git in a session leads to Valetkey's gateway";
const SSH: &str = "must not be one that ssh reads: it would choose the keys, or the program, of the session's git";
const PROGRAMS: &str = "must not be one that decides which programs run, or what is loaded into them";
const PLACE: &str =
    "must not be one that says who and where the session runs as; the administrator's setting `agent_env` passes such";
const TRAFFIC: &str = "must not be one that says where connections go or whom they trust; the administrator's setting `agent_env` passes such";
const ADDRESS: &str = "must not be one that says where a provider's token is sent: the integration decides that";

/// Whole names, in upper case.
const KEPT: [(&str, &[&str]); 5] = [
    (SSH, &["SSH_AUTH_SOCK", "SSH_AGENT_PID"]),
    (
        PROGRAMS,
        &[
            "PATH",
            "SHELL",
            "ENV",
            "IFS",
            "CDPATH",
            "PS4",
            "PROMPT_COMMAND",
            "SHELLOPTS",
            "ZDOTDIR",
            "FPATH",
            "EDITOR",
            "VISUAL",
            "PAGER",
            "MANPAGER",
            "BROWSER",
            "LESSOPEN",
            "LESSCLOSE",
            "PERL5LIB",
            "PERL5OPT",
            "PERL5DB",
            "PERLLIB",
            "RUBYOPT",
            "RUBYLIB",
            "CLASSPATH",
            "JAVA_TOOL_OPTIONS",
            "JDK_JAVA_OPTIONS",
            "_JAVA_OPTIONS",
            "MAVEN_OPTS",
            "GRADLE_OPTS",
            "JAVA_OPTS",
            "DOTNET_STARTUP_HOOKS",
            "LUA_INIT",
            "GCONV_PATH",
            "GLIBC_TUNABLES",
            "OPENSSL_CONF",
            "OPENSSL_MODULES",
            "OPENSSL_ENGINES",
            "GH_PATH",
            "GH_CONFIG_DIR",
            "GLAB_CONFIG_DIR",
            "CLAUDE_CONFIG_DIR",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "MAKEFLAGS",
            "MAKEFILES",
        ],
    ),
    (
        PLACE,
        &[
            "HOME", "USER", "USERNAME", "LOGNAME", "PWD", "OLDPWD", "SHLVL", "TMPDIR", "TMP", "TEMP", "LANG",
            "LANGUAGE", "TERM", "TZ", "_",
        ],
    ),
    (
        TRAFFIC,
        &[
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
            "FTP_PROXY",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "SSLKEYLOGFILE",
            "CURL_CA_BUNDLE",
            "CURL_HOME",
            "REQUESTS_CA_BUNDLE",
            "AWS_CA_BUNDLE",
            "HOSTALIASES",
            "LOCALDOMAIN",
            "RES_OPTIONS",
        ],
    ),
    (
        ADDRESS,
        &[
            "GH_HOST",
            "GITHUB_API_URL",
            "GITHUB_SERVER_URL",
            "GITLAB_HOST",
            "GITLAB_URI",
            "GITLAB_API_HOST",
            "GL_HOST",
            "BITBUCKET_DC_URL",
            "GITEA_SERVER_URL",
            "JIRA_URL",
            "ANTHROPIC_BASE_URL",
            "OPENAI_BASE_URL",
            "OPENAI_API_BASE",
        ],
    ),
];

/// How names begin, in upper case.
const FAMILIES: [(&str, &[&str]); 5] = [
    (OURS, &["VALETKEY_"]),
    (GIT, &["GIT_"]),
    (SSH, &["SSH_ASKPASS", "SSH_SK_", "SSH_PKCS11_"]),
    (PROGRAMS, &["LD_", "DYLD_", "BASH_", "BASHOPTS", "NODE_", "PYTHON", "NPM_CONFIG_", "CARGO_"]),
    (PLACE, &["LC_", "XDG_"]),
];

/// Families that have tokens among their settings: what ends in `TOKEN` is one.
const WITH_TOKENS: [&str; 3] = ["NODE_", "NPM_CONFIG_", "CARGO_"];

impl SecretName {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The provider in whose integration's place the agent gets this secret.
    pub fn overrides(&self) -> Option<ProviderKind> {
        ProviderKind::ALL.into_iter().find(|kind| kind.all_token_variables().any(|name| name == self.0))
    }

    /// Whether the agent gets this secret in place of the token of an integration at `instance`.
    pub fn stands_in_for(&self, provider: ProviderKind, instance: &InstanceUrl) -> bool {
        provider.token_variables_at(instance).any(|name| name == self.0)
    }
}

impl FromStr for SecretName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = |why| Err(NameError::new("secret name", why));
        let shaped = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !text.as_bytes()[0].is_ascii_digit();
        if !shaped {
            return refuse(
                "must be that of an environment variable: at most 128 letters, digits and '_', not a digit first",
            );
        }
        match kept(&text.to_ascii_uppercase()) {
            Some(why) => refuse(why),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// Why a name, in upper case, is none for secrets. Case is ignored: `http_proxy` is as good as `HTTP_PROXY` to many tools.
fn kept(name: &str) -> Option<&'static str> {
    if name.ends_with("TOKEN") && WITH_TOKENS.iter().any(|beginning| name.starts_with(beginning)) {
        return None;
    }
    let whole = KEPT.iter().find(|(_, names)| names.contains(&name));
    let family = FAMILIES.iter().find(|(_, beginnings)| beginnings.iter().any(|beginning| name.starts_with(beginning)));
    whole.or(family).map(|(why, _)| *why)
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretName({})", self.0)
    }
}

impl TryFrom<String> for SecretName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> String {
        name.0
    }
}

impl JsonSchema for SecretName {
    fn schema_name() -> Cow<'static, str> {
        "SecretName".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": LONGEST, "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" })
    }
}

/// Whose a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretOwner {
    /// A person's own: it goes into their sessions, in every project, and nobody else knows of it.
    Person(UserId),
    /// A project's: it goes into the sessions of all its members.
    Project(ProjectName),
}

impl SecretOwner {
    /// Refuses somebody who may not know which secrets there are.
    ///
    /// # Errors
    /// As [`Actor::require`]; a person's own are nobody else's business.
    pub fn require_seen_by(&self, by: &Actor) -> Result<(), Problem> {
        match self {
            Self::Project(project) => by.require(Role::Member, project),
            Self::Person(user) if *user == by.user => Ok(()),
            Self::Person(_) => Err(Problem::new(ProblemCode::NotFound, "There is no such person.")),
        }
    }

    /// Refuses somebody who may not set or delete one.
    ///
    /// # Errors
    /// As [`require_seen_by`](Self::require_seen_by); `forbidden` for a person's own with a token for one project, as they
    /// go into all of that person's sessions.
    pub fn require_set_by(&self, by: &Actor) -> Result<(), Problem> {
        self.require_seen_by(by)?;
        match (self, &by.limits().project) {
            (Self::Project(project), _) => by.require(Role::Admin, project),
            (Self::Person(_), None) => Ok(()),
            (Self::Person(_), Some(only)) => Err(Problem::new(
                ProblemCode::Forbidden,
                format!("This token is for the project '{only}' alone; your own secrets go into sessions everywhere."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        name.parse::<SecretName>().expect_err(name).to_string()
    }

    #[test]
    fn a_name_is_that_of_an_environment_variable() {
        for good in
            ["A", "_x9", "GITLAB_TOKEN", "gh_token", "DATABASE_URL", "SSH_PRIVATE_KEY", "NPM_TOKEN", "PATHOLOGY"]
        {
            assert_eq!(good.parse::<SecretName>().unwrap().as_str(), good);
        }
        for bad in ["", "1A", "A-B", "A B", "A=B", "A\0", "A\n", "Ä", "../x", "A\u{202e}", &"x".repeat(129)] {
            assert!(refusal(bad).contains("environment variable"), "{bad}");
        }
        assert!("x".repeat(128).parse::<SecretName>().is_ok());
    }

    #[test]
    fn what_decides_how_a_session_runs_is_no_name_and_the_refusal_says_why() {
        for (name, why) in [
            ("VALETKEY_SESSION_TOKEN", "Valetkey's own"),
            ("GIT_SSH_COMMAND", "gateway"),
            ("git_config_count", "gateway"),
            ("SSH_ASKPASS", "ssh reads"),
            ("SSH_AUTH_SOCK", "ssh reads"),
            ("PATH", "which programs run"),
            ("LD_PRELOAD", "which programs run"),
            ("DYLD_INSERT_LIBRARIES", "which programs run"),
            ("BASH_ENV", "which programs run"),
            ("BASH_FUNC_ls", "which programs run"),
            ("ENV", "which programs run"),
            ("NODE_OPTIONS", "which programs run"),
            ("PYTHONSTARTUP", "which programs run"),
            ("PERL5OPT", "which programs run"),
            ("CARGO_BUILD_RUSTC_WRAPPER", "which programs run"),
            ("HOME", "agent_env"),
            ("XDG_CONFIG_HOME", "agent_env"),
            ("LC_ALL", "agent_env"),
            ("https_proxy", "where connections go"),
            ("SSL_CERT_FILE", "where connections go"),
            ("GITLAB_HOST", "where a provider's token is sent"),
            ("GH_HOST", "where a provider's token is sent"),
        ] {
            assert!(refusal(name).contains(why), "{name}: {}", refusal(name));
        }
    }

    #[test]
    fn tokens_of_tools_whose_settings_are_kept_are_still_secrets() {
        for name in ["NODE_AUTH_TOKEN", "npm_config__authToken", "CARGO_REGISTRIES_OURS_TOKEN"] {
            assert!(name.parse::<SecretName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn every_variable_with_a_provider_s_token_can_be_overridden() {
        for kind in ProviderKind::ALL {
            for name in kind.all_token_variables() {
                let secret: SecretName = name.parse().unwrap();
                assert_eq!(secret.overrides(), Some(kind), "{name}");
            }
        }
        assert_eq!("NPM_TOKEN".parse::<SecretName>().unwrap().overrides(), None);
    }

    #[test]
    fn an_enterprise_variable_stands_in_only_where_the_agent_would_get_one() {
        let own: InstanceUrl = "https://git.example.test".parse().unwrap();
        let enterprise: SecretName = "GH_ENTERPRISE_TOKEN".parse().unwrap();
        assert!(enterprise.stands_in_for(ProviderKind::GitHub, &own));
        assert!(!enterprise.stands_in_for(ProviderKind::GitHub, &InstanceUrl::github_com()));
        let usual: SecretName = "GITHUB_TOKEN".parse().unwrap();
        assert!(usual.stands_in_for(ProviderKind::GitHub, &own));
        assert!(!usual.stands_in_for(ProviderKind::GitLab, &own));
    }

    #[test]
    fn a_project_s_are_seen_by_members_and_set_by_admins_a_person_s_are_theirs_alone() {
        let project: ProjectName = "p".parse().unwrap();
        let shared = SecretOwner::Project(project.clone());
        let eve = |role: Option<Role>| {
            let roles = role.map(|role| (project.clone(), role)).into_iter().collect();
            Actor::new("eve".parse().unwrap(), false, roles)
        };
        let may = |answer: Result<(), Problem>| answer.map_err(|problem| problem.code);
        for (role, seen, set) in [
            (None, Err(ProblemCode::NotFound), Err(ProblemCode::NotFound)),
            (Some(Role::Viewer), Err(ProblemCode::Forbidden), Err(ProblemCode::Forbidden)),
            (Some(Role::Member), Ok(()), Err(ProblemCode::Forbidden)),
            (Some(Role::Admin), Ok(()), Ok(())),
        ] {
            let eve = eve(role);
            assert_eq!((may(shared.require_seen_by(&eve)), may(shared.require_set_by(&eve))), (seen, set), "{role:?}");
        }
        let own = SecretOwner::Person("eve".parse().unwrap());
        assert!(own.require_set_by(&eve(None)).is_ok());
        assert_eq!(may(own.require_seen_by(&Actor::admin())), Err(ProblemCode::NotFound), "not even an administrator");
        let limited =
            eve(Some(Role::Admin)).limited(crate::Limits { project: Some(project.clone()), read_only: false });
        assert!(own.require_seen_by(&limited).is_ok());
        assert_eq!(may(own.require_set_by(&limited)), Err(ProblemCode::Forbidden));
    }
}
