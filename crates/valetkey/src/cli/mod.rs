//! What may be typed: commands, arguments, their help.

mod assistants;
mod audit;
mod projects;
mod webhooks;

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use valetkey_model::{
    Alias, AssistantRef, BranchName, InstanceUrl, InstanceUrlError, IntegrationChoice, IntegrationRef, ProjectName,
    ProviderKind, RepoUrl, SecretName, SessionId, TokenId,
};

use crate::{repo_argument::RepoArgument, settings::SettingsArgs};

pub(crate) use assistants::{AssistantChangeArgs, AssistantsCommand};
pub(crate) use audit::{AuditCommand, AuditFilterArgs};
pub(crate) use projects::{
    MemberArgs, MembersCommand, ProjectSettingsArgs, ProjectsCommand, RepositoriesCommand, RepositoryArgs,
};
pub(crate) use webhooks::{WebhookChangeArgs, WebhooksArgs, WebhooksCommand};

/// Connects accounts of Git hosts and lends them to agents, without the agent's git ever seeing a token.
#[derive(Debug, Parser)]
#[command(name = "valetkey", version, max_term_width = 100, after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  valetkey demo                                    see it work, offline, in seconds
  valetkey connect gitlab --token-stdin < token.txt
  valetkey run --repo https://gitlab.com/team/app.git --push-branch feature/x \"Add feature X\"
  valetkey serve                                   the same with a web UI and an API

`valetkey help COMMAND` explains one; `valetkey --help` lists the settings.";

const LONG_HELP: &str = "\
Settings and their defaults (flag > environment > valetkey.toml > default):
  listen           VALETKEY_LISTEN           127.0.0.1:8080
  public_url       VALETKEY_PUBLIC_URL       from listen
  data_dir         VALETKEY_DATA_DIR         valetkey in the platform's data folder
  database_url     VALETKEY_DATABASE_URL     SQLite in data_dir
  master_key_file  VALETKEY_MASTER_KEY_FILE  master.key in data_dir
  admin_token      VALETKEY_ADMIN_TOKEN      none; never a flag
  extra_ca_file    VALETKEY_EXTRA_CA_FILE    none
  outbound_allow   VALETKEY_OUTBOUND_ALLOW   none
  agent            VALETKEY_AGENT            claude -p {task}
  agent_env        VALETKEY_AGENT_ENV        none; such as ANTHROPIC_API_KEY
  audit_retention_days  VALETKEY_AUDIT_RETENTION_DAYS  for ever
  project_creation VALETKEY_PROJECT_CREATION everyone; or administrators

The file is --config, else VALETKEY_CONFIG, else valetkey/valetkey.toml in the platform's
folder for configuration; paths in it are relative to it. VALETKEY_LOG (or RUST_LOG) says
what is logged to standard error. With --server (VALETKEY_SERVER) and VALETKEY_TOKEN,
commands work on that server instead of the data directory.

Examples:
  valetkey demo
  valetkey connect gitlab --instance https://gitlab.example.com --token-stdin < token.txt
  valetkey run --repo https://gitlab.com/team/app.git --push-branch feature/x \"Add feature X\"
  valetkey sessions logs -f SESSION";

/// Arguments of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Work on this server instead of the data directory [env: VALETKEY_SERVER; its token: VALETKEY_TOKEN]
    #[arg(long, global = true, value_parser = server_url, value_name = "URL")]
    pub(crate) server: Option<InstanceUrl>,
    /// How to print what is asked for
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "table|json|yaml"
    )]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// The form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server: web UI, REST API, session engine
    Serve(ServeArgs),
    /// Show everything at work, offline: a private server, a throw-away forge, one session
    Demo(DemoArgs),
    /// Connect an account: with a token, or by consent in the browser or on another device
    Connect(ConnectArgs),
    /// Look after what is connected
    Integrations {
        #[command(subcommand)]
        command: Option<IntegrationsCommand>,
    },
    /// Run a session: check, clone, let the agent work, push, say where
    Run(RunArgs),
    /// Look after sessions
    Sessions {
        #[command(subcommand)]
        command: Option<SessionsCommand>,
    },
    /// Look after assistants: named agent set-ups that sessions start from
    Assistants {
        /// Their project
        #[arg(long, global = true, default_value_t = ProjectName::default_project())]
        project: ProjectName,
        #[command(subcommand)]
        command: Option<AssistantsCommand>,
    },
    /// Look after projects: their repositories, members and settings
    Projects {
        #[command(subcommand)]
        command: Option<ProjectsCommand>,
    },
    /// Look after webhooks: who is told what happens in a project
    Webhooks(WebhooksArgs),
    /// Look after the people who sign in
    People {
        #[command(subcommand)]
        command: Option<PeopleCommand>,
    },
    /// Look after what agents find in their environment: your own secrets, and a project's
    Secrets(SecretsArgs),
    /// Look after API tokens
    Tokens {
        #[command(subcommand)]
        command: Option<TokensCommand>,
    },
    /// See who did what, and verify that the record of it is whole
    Audit {
        #[command(subcommand)]
        command: Option<AuditCommand>,
    },
    /// Answer git as a credential helper, for use outside sessions
    GitCredential(GitCredentialArgs),
    /// Look after the master key
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Check that everything here is in order, and say what to do where it is not
    Doctor,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
The first start prints a one-time sign-in link. SIGTERM or Ctrl-C ends it within 15 seconds; running sessions are stopped.
Beyond loopback (say --listen 0.0.0.0:8080) put TLS in front and set public_url; private addresses are then reached only
as far as outbound_allow says.")]
pub(crate) struct ServeArgs {
    /// Where to listen [env: VALETKEY_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Where people reach it [env: VALETKEY_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// The agent of sessions that name none [env: VALETKEY_AGENT]
    #[arg(long, value_name = "CMD")]
    pub(crate) agent: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End after the session instead of leaving the UI up
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The token is asked for on a terminal, or read with --token-stdin; never on the command line, where every program of this
machine could read it. --web opens your browser at the provider, --device gives you a code to enter on any device; both need
an app that an administrator registered with the provider. The same account connected again gets the new token.

Examples:
  valetkey connect github
  valetkey connect gitlab --instance https://gitlab.example.com --alias work --token-stdin < token.txt
  valetkey connect gitlab --web
  valetkey connect bitbucket --username me@example.com --token-stdin < token.txt
  valetkey connect http --instance https://mcp.example.com --header X-Api-Key")]
pub(crate) struct ConnectArgs {
    /// github, gitlab, bitbucket, bitbucket-dc, gitea, azure-devops, jira, google, slack or http
    #[arg(value_name = "PROVIDER")]
    pub(crate) provider: ProviderKind,
    /// Where, if it is your own: https://host[:port]
    #[arg(long, value_name = "URL")]
    pub(crate) instance: Option<InstanceUrl>,
    /// Read the token from standard input
    #[arg(long)]
    pub(crate) token_stdin: bool,
    /// Consent in the browser
    #[arg(long, conflicts_with_all = ["token_stdin", "device"])]
    pub(crate) web: bool,
    /// Consent on another device, with a code
    #[arg(long, conflicts_with = "token_stdin")]
    pub(crate) device: bool,
    /// Print the address only, without opening the browser
    #[arg(long, requires = "web")]
    pub(crate) no_browser: bool,
    /// What goes with the token, where the provider wants it: an e-mail address, an organisation
    #[arg(long, value_name = "NAME", conflicts_with_all = ["web", "device"])]
    pub(crate) username: Option<String>,
    /// The header that carries the secret, for http
    #[arg(long, value_name = "NAME", conflicts_with_all = ["web", "device", "username"])]
    pub(crate) header: Option<String>,
    /// Its name; user@host if none
    #[arg(long)]
    pub(crate) alias: Option<Alias>,
    /// Who may use it, and where
    #[arg(long, value_enum, default_value_t)]
    pub(crate) scope: Scope,
    /// The project, for the scopes user and project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<ProjectName>,
    /// Caught to be refused with an explanation.
    #[arg(long, hide = true, num_args = 0..=1, value_name = "TOKEN")]
    pub(crate) token: Option<Option<String>>,
    /// Caught to be refused with an explanation.
    #[arg(hide = true)]
    pub(crate) surplus: Vec<String>,
}

/// Who may use an integration, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Scope {
    /// Its owner, in one project.
    User,
    /// Its owner, everywhere.
    #[default]
    UserGlobal,
    /// Every member of one project.
    Project,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IntegrationsCommand {
    /// What is connected, as whom, until when (the default)
    List,
    /// Everything about one, and which sessions use it
    Show {
        /// Its id or alias
        integration: IntegrationRef,
    },
    /// Ask the provider now
    Test {
        /// Its id or alias
        integration: IntegrationRef,
    },
    /// Replace its token: the provider makes a new one where it can, else you do
    Rotate {
        /// Its id or alias
        integration: IntegrationRef,
        /// Read a new token of the same account from standard input
        #[arg(long)]
        token_stdin: bool,
    },
    /// Remove it and erase its credential, here and at the provider, once no running session uses it
    Disconnect {
        /// Its id or alias
        integration: IntegrationRef,
        /// Take it from running sessions too
        #[arg(long)]
        now: bool,
    },
    /// Make it the one to take where several would do
    Default {
        /// Its id or alias
        integration: IntegrationRef,
        /// Take the mark away
        #[arg(long)]
        unset: bool,
    },
    /// Give it another name
    Rename {
        /// Its id or alias
        integration: IntegrationRef,
        /// The new name
        alias: Alias,
    },
    /// Say which one a session would use for a repository, and why
    Resolve {
        /// The repository
        #[arg(value_name = "URL")]
        repository: RepoUrl,
        /// The session's project
        #[arg(long, default_value_t = ProjectName::default_project())]
        project: ProjectName,
        /// As if this one were chosen, or none
        #[arg(long, value_name = "ID|ALIAS|none")]
        integration: Option<IntegrationChoice>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
--push-branch, --integration and --allow-force hold for every --repo. The agent's command is split into words as a shell
would, but no shell is started: say sh -c '…' for one. It finds the task in {task}, one argument, and in $VALETKEY_TASK.

Exit codes: 0 completed, also with nothing to push; 1 the agent failed; 2 bad usage; 3 credentials or pre-flight refused;
4 push refused; 5 timed out or stopped.

Examples:
  valetkey run --repo https://gitlab.com/team/app.git --push-branch feature/x \"Add feature X\"
  valetkey run --repo git@github.com:me/app.git@release/1.2 --pr --timeout 30m \"Fix the flaky test\"
  valetkey run --repo https://gitlab.com/team/app --agent 'sh -c \"make format\"' \"Format the code\"")]
pub(crate) struct RunArgs {
    /// What the agent is to do
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// A repository, and the branch to start from; may be given several times
    #[arg(long, required_unless_present = "read", value_name = "URL[@BRANCH]")]
    pub(crate) repo: Vec<RepoArgument>,
    /// A repository that everybody may read, to read without an integration; may be given several times
    #[arg(long, value_name = "URL[@BRANCH]")]
    pub(crate) read: Vec<RepoArgument>,
    /// The branch to push to; valetkey/… if none
    #[arg(long, value_name = "BRANCH")]
    pub(crate) push_branch: Option<BranchName>,
    /// The assistant to start from: its instructions, its agent, its tools
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) assistant: Option<AssistantRef>,
    /// The agent's command
    #[arg(long, value_name = "CMD")]
    pub(crate) agent: Option<String>,
    /// Open a pull (merge) request for what was pushed
    #[arg(long)]
    pub(crate) pr: bool,
    /// The integration to use, or `none`; found by the repository's host if not given
    #[arg(long, value_name = "ID|ALIAS|none")]
    pub(crate) integration: Option<IntegrationChoice>,
    /// How long the agent may take: 90s, 45m, 1h, 2d
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// Only say which integration each repository would use, why, and whether it may push
    #[arg(long)]
    pub(crate) check: bool,
    /// Keep the workspace also when all went well
    #[arg(long)]
    pub(crate) keep_workspace: bool,
    /// Let the push replace the push branch's history
    #[arg(long)]
    pub(crate) allow_force: bool,
    /// The session's project
    #[arg(long, default_value_t = ProjectName::default_project())]
    pub(crate) project: ProjectName,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// The sessions, newest first (the default)
    List {
        /// Only this project's
        #[arg(long)]
        project: Option<ProjectName>,
    },
    /// Everything about one
    Show(SessionArgs),
    /// Its log
    Logs {
        #[command(flatten)]
        session: SessionArgs,
        /// Go on until the session is over
        #[arg(long, short)]
        follow: bool,
    },
    /// The files that it changed
    Changes {
        #[command(flatten)]
        session: SessionArgs,
        /// What changed in them, as `git apply` reads it
        #[arg(long)]
        patch: bool,
    },
    /// Ask it to stop; its agent gets ten seconds
    Stop(SessionArgs),
    /// Delete one that is over: record, log and workspace
    Rm(SessionArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// Its id
    #[arg(value_name = "SESSION")]
    pub(crate) id: SessionId,
    /// Its project
    #[arg(long, default_value_t = ProjectName::default_project())]
    pub(crate) project: ProjectName,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeopleCommand {
    /// The people who have signed in (the default)
    List,
    /// Shut somebody out at once: their browser sessions end, their tokens count for nothing
    Disable {
        /// Their id or e-mail address
        person: String,
    },
    /// Let somebody in again
    Enable {
        /// Their id or e-mail address
        person: String,
    },
    /// Make somebody an administrator by hand, whatever their identity provider says
    Administrator {
        /// Their id or e-mail address
        person: String,
        /// Take that back
        #[arg(long)]
        unset: bool,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
The value comes from standard input, or is asked for on a terminal; never on the command line, where every program of this
machine could read it. A provider's variable, such as GITLAB_TOKEN, gives agents the value in place of the integration's
token; Valetkey itself and git in sessions go on with the integration.

Examples:
  valetkey secrets set NPM_TOKEN
  valetkey secrets set GITLAB_TOKEN --description 'reads only' < token.txt
  valetkey secrets set SIGNING_KEY --project shop < key.pem
  valetkey secrets rm NPM_TOKEN")]
pub(crate) struct SecretsArgs {
    /// This project's instead of your own
    #[arg(long, global = true, value_name = "PROJECT")]
    pub(crate) project: Option<ProjectName>,
    #[command(subcommand)]
    pub(crate) command: Option<SecretsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// The names, without their values (the default)
    List,
    /// Keep one, in place of the one of the same name
    Set {
        /// The environment variable in which agents find it
        name: SecretName,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Caught to be refused with an explanation.
        #[arg(hide = true)]
        surplus: Vec<String>,
    },
    /// Erase one
    Rm {
        /// Its name
        name: SecretName,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// The tokens, without their values (the default)
    List,
    /// Make one; its value is shown this once
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// How long it is good: 12h, 90d; until revoked if not given
        #[arg(long, value_parser = duration, value_name = "TIME")]
        expires: Option<Duration>,
        /// Only for this project
        #[arg(long)]
        project: Option<ProjectName>,
        /// Only for reading
        #[arg(long)]
        read_only: bool,
    },
    /// End one at once
    Revoke {
        /// Its id
        token: TokenId,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
For git outside of sessions:
  git config --global credential.https://gitlab.com.helper '!valetkey git-credential'

It answers for the exact hosts that are connected, over https (or http on loopback), and for nothing else.")]
pub(crate) struct GitCredentialArgs {
    /// What git asks for
    #[arg(value_enum)]
    pub(crate) operation: CredentialOperation,
}

/// The operations of git's credential helpers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CredentialOperation {
    /// Answer with the credential.
    Get,
    /// Nothing: what is connected stays as it is.
    Store,
    /// Nothing: a credential ends with `integrations disconnect`.
    Erase,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a new master key and put every credential under it; servers may go on serving meanwhile
    Rotate,
}

/// Parses a server's address; a browser's address bar shows it with a slash at the end.
pub(crate) fn server_url(text: &str) -> Result<InstanceUrl, InstanceUrlError> {
    text.trim_end_matches('/').parse()
}

/// Parses `90s`, `45m`, `1h`, `2d`, and sums of them such as `1h30m`. A bare number is refused: it has no unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as 90s, 45m, 1h, 2d or 1h30m".to_owned();
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let mut after = rest[digits..].chars();
        let unit = match after.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86400,
            _ => return Err(wrong()),
        };
        seconds = number.checked_mul(unit).and_then(|n| seconds.checked_add(n)).ok_or_else(wrong)?;
        rest = after.as_str();
    }
    if seconds == 0 { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, seconds) in [("90s", 90), ("45m", 2700), ("1h", 3600), ("2d", 172_800), ("1h30m", 5400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "90", "h", "-1h", "1.5h", "1w", "0s", "1h ", "99999999999999999999s", "9999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
