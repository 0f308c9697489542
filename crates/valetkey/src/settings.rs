//! The settings: flag > environment > `valetkey.toml` > default.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;
use valetkey_model::{InstanceUrl, ProjectCreation, ProviderKind};
use valetkey_providers::AllowListError;
use valetkey_seal::Secret;
use valetkey_store::{DatabaseUrl, DatabaseUrlError};

use crate::sign_in::{OidcTable, ProxyTable};

/// What a session's agent is when nobody says otherwise.
const DEFAULT_AGENT: &str = "claude -p {task}";
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// The settings that every command takes as flags.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingsArgs {
    /// The settings file [env: VALETKEY_CONFIG]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept [env: VALETKEY_DATA_DIR]
    #[arg(long, global = true, hide_short_help = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// sqlite:PATH or postgres://… [env: VALETKEY_DATABASE_URL]
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    database_url: Option<String>,
    /// The master key file [env: VALETKEY_MASTER_KEY_FILE]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// Certificates trusted besides the system's, in PEM form [env: VALETKEY_EXTRA_CA_FILE]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    extra_ca_file: Option<PathBuf>,
    /// Private hosts and networks that calls may reach [env: VALETKEY_OUTBOUND_ALLOW]
    #[arg(long, global = true, hide_short_help = true, value_name = "HOST,CIDR,…")]
    outbound_allow: Option<String>,
    /// Variables of our own environment that agents see too [env: VALETKEY_AGENT_ENV]
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME,…")]
    agent_env: Option<String>,
    /// For how long the audit trail is kept; for ever if not given [env: VALETKEY_AUDIT_RETENTION_DAYS]
    #[arg(long, global = true, hide_short_help = true, value_name = "DAYS")]
    audit_retention_days: Option<NonZeroU32>,
}

/// One layer of settings, as written. The keys are those of the file and, in capitals, of the environment.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layer {
    pub(crate) listen: Option<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) database_url: Option<String>,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) admin_token: Option<Secret<String>>,
    pub(crate) extra_ca_file: Option<PathBuf>,
    pub(crate) outbound_allow: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) agent_env: Option<String>,
    pub(crate) audit_retention_days: Option<NonZeroU32>,
    pub(crate) project_creation: Option<String>,
    #[serde(default, rename = "provider_app")]
    pub(crate) provider_apps: Vec<AppEntry>,
    pub(crate) oidc: Option<OidcTable>,
    pub(crate) trusted_proxy: Option<ProxyTable>,
}

/// An application that the administrator registered with a provider, as the file has it.
///
/// Its secret is in a file or a variable of its own: settings are copied, shown and put under version control.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppEntry {
    pub(crate) provider: ProviderKind,
    /// The provider's public service if none.
    pub(crate) instance: Option<InstanceUrl>,
    pub(crate) client_id: String,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) client_secret_env: Option<String>,
}

/// Everything settled.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    public_url: Option<String>,
    pub(crate) data_dir: PathBuf,
    pub(crate) database_url: DatabaseUrl,
    pub(crate) master_key_file: PathBuf,
    pub(crate) admin_token: Option<Secret<String>>,
    pub(crate) extra_ca_file: Option<PathBuf>,
    pub(crate) outbound_allow: String,
    pub(crate) agent: Vec<String>,
    pub(crate) agent_env: Vec<String>,
    pub(crate) audit_retention_days: Option<NonZeroU32>,
    pub(crate) project_creation: ProjectCreation,
    pub(crate) provider_apps: Vec<AppEntry>,
    pub(crate) oidc: Option<OidcTable>,
    pub(crate) trusted_proxy: Option<ProxyTable>,
}

/// What is wrong with the settings, and where. Never holds the value of a secret one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("the settings file {path} can't be read: {why}")]
    Unreadable { path: PathBuf, why: io::Error },
    #[error("the settings file {path} is wrong{place}: {message}")]
    File { path: PathBuf, place: String, message: String },
    #[error("{variable} is not text")]
    NotText { variable: String },
    #[error("`listen` must be ADDRESS:PORT, such as 127.0.0.1:8080 or 0.0.0.0:8080")]
    Listen,
    #[error(
        "`public_url` must be http:// or https://, a host and possibly a path, such as https://valetkey.example.com"
    )]
    PublicUrl,
    #[error("there is no HOME to keep data under; set `data_dir` (--data-dir, VALETKEY_DATA_DIR)")]
    NoHome,
    #[error("`database_url`: {0}")]
    Database(#[from] DatabaseUrlError),
    #[error("`admin_token` must have at least 20 characters, all visible ASCII; `openssl rand -hex 32` makes one")]
    AdminToken,
    #[error("`outbound_allow`: {0}")]
    OutboundAllow(#[from] AllowListError),
    #[error("`agent` must be a program and its arguments, quoted as in a shell")]
    Agent,
    #[error(
        "`provider_app`: {app} names both a file and a variable for its client secret; give one of `client_secret_file` \
         and `client_secret_env`, or neither for an app without a secret"
    )]
    AppSecret { app: String },
    #[error("`provider_app`: {app} is there twice; a provider's instance has one app")]
    AppTwice { app: String },
    #[error("`oidc`: {0}")]
    Oidc(String),
    #[error("`trusted_proxy`: {0}")]
    TrustedProxy(String),
    #[error("`agent_env` must be names of variables, separated by commas; VALETKEY_… are never passed on")]
    AgentEnv,
    #[error(
        "`audit_retention_days` must be a whole number of days, 1 or more; without it the audit trail is kept for ever"
    )]
    AuditRetention,
    #[error("`project_creation` must be everyone or administrators")]
    ProjectCreation,
}

/// Reads one of our own environment's variables.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Settings {
    /// Settles the flags, the environment and the settings file.
    pub(crate) fn load(args: &SettingsArgs, flags: Layer, env: Environment<'_>) -> Result<Self, SettingsError> {
        let file = match config_file(args, env) {
            Some(path) => Layer::from_file(&path)?,
            None => Layer::default(),
        };
        Self::settle(args.layer(flags).over(Layer::from_env(env)?).over(file), env)
    }

    /// Those of a private Valetkey in `data_dir`: all defaults, any port.
    pub(crate) fn private(data_dir: &Path) -> Result<Self, SettingsError> {
        let data_dir = Some(data_dir.to_owned());
        Self::settle(Layer { data_dir, listen: Some("127.0.0.1:0".to_owned()), ..Layer::default() }, &|_| None)
    }

    fn settle(layer: Layer, env: Environment<'_>) -> Result<Self, SettingsError> {
        let data_dir = layer.data_dir.or_else(|| default_data_dir(env)).ok_or(SettingsError::NoHome)?;
        let listen: SocketAddr =
            layer.listen.as_deref().unwrap_or(DEFAULT_LISTEN).parse().map_err(|_| SettingsError::Listen)?;
        let database_url = match layer.database_url {
            Some(url) => url.parse()?,
            None => DatabaseUrl::sqlite(data_dir.join("valetkey.db")),
        };
        let outbound_allow = layer.outbound_allow.unwrap_or_default();
        valetkey_providers::AddressPolicy::new(listen.ip().is_loopback(), &outbound_allow)?;
        layer.oidc.as_ref().map_or(Ok(()), OidcTable::check).map_err(SettingsError::Oidc)?;
        layer.trusted_proxy.as_ref().map_or(Ok(()), ProxyTable::check).map_err(SettingsError::TrustedProxy)?;
        Ok(Self {
            listen,
            public_url: layer.public_url.map(|url| check_public_url(&url)).transpose()?,
            database_url,
            master_key_file: layer.master_key_file.unwrap_or_else(|| data_dir.join("master.key")),
            admin_token: layer.admin_token.map(check_admin_token).transpose()?,
            extra_ca_file: layer.extra_ca_file,
            outbound_allow,
            agent: words(layer.agent.as_deref().unwrap_or(DEFAULT_AGENT)).ok_or(SettingsError::Agent)?,
            agent_env: names(layer.agent_env.as_deref().unwrap_or_default()).ok_or(SettingsError::AgentEnv)?,
            audit_retention_days: layer.audit_retention_days,
            project_creation: layer.project_creation.map_or(Ok(ProjectCreation::default()), |who| {
                who.parse().map_err(|_| SettingsError::ProjectCreation)
            })?,
            provider_apps: check_apps(layer.provider_apps)?,
            oidc: layer.oidc,
            trusted_proxy: layer.trusted_proxy,
            data_dir,
        })
    }

    /// Where people reach a server that listens on `bound`; without a trailing slash.
    pub(crate) fn public_url(&self, bound: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| {
            if bound.ip().is_unspecified() {
                format!("http://localhost:{}", bound.port())
            } else {
                format!("http://{bound}")
            }
        })
    }
}

impl SettingsArgs {
    fn layer(&self, own: Layer) -> Layer {
        let args = self.clone();
        Layer {
            data_dir: args.data_dir,
            database_url: args.database_url,
            master_key_file: args.master_key_file,
            extra_ca_file: args.extra_ca_file,
            outbound_allow: args.outbound_allow,
            agent_env: args.agent_env,
            audit_retention_days: args.audit_retention_days,
            ..own
        }
    }
}

impl Layer {
    /// This layer where it says something, else `lower`.
    fn over(self, lower: Self) -> Self {
        Self {
            listen: self.listen.or(lower.listen),
            public_url: self.public_url.or(lower.public_url),
            data_dir: self.data_dir.or(lower.data_dir),
            database_url: self.database_url.or(lower.database_url),
            master_key_file: self.master_key_file.or(lower.master_key_file),
            admin_token: self.admin_token.or(lower.admin_token),
            extra_ca_file: self.extra_ca_file.or(lower.extra_ca_file),
            outbound_allow: self.outbound_allow.or(lower.outbound_allow),
            agent: self.agent.or(lower.agent),
            agent_env: self.agent_env.or(lower.agent_env),
            project_creation: self.project_creation.or(lower.project_creation),
            audit_retention_days: self.audit_retention_days.or(lower.audit_retention_days),
            // Only a file has these.
            provider_apps: lower.provider_apps,
            oidc: lower.oidc,
            trusted_proxy: lower.trusted_proxy,
        }
    }

    fn from_env(env: Environment<'_>) -> Result<Self, SettingsError> {
        let path = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name: &str| {
            let value = env(name).filter(|value| !value.is_empty());
            value
                .map(|value| value.into_string().map_err(|_| SettingsError::NotText { variable: name.to_owned() }))
                .transpose()
        };
        Ok(Self {
            listen: text("VALETKEY_LISTEN")?,
            public_url: text("VALETKEY_PUBLIC_URL")?,
            data_dir: path("VALETKEY_DATA_DIR"),
            database_url: text("VALETKEY_DATABASE_URL")?,
            master_key_file: path("VALETKEY_MASTER_KEY_FILE"),
            admin_token: text("VALETKEY_ADMIN_TOKEN")?.map(Secret::new),
            extra_ca_file: path("VALETKEY_EXTRA_CA_FILE"),
            outbound_allow: text("VALETKEY_OUTBOUND_ALLOW")?,
            agent: text("VALETKEY_AGENT")?,
            agent_env: text("VALETKEY_AGENT_ENV")?,
            project_creation: text("VALETKEY_PROJECT_CREATION")?,
            audit_retention_days: text("VALETKEY_AUDIT_RETENTION_DAYS")?
                .map(|days| days.parse().map_err(|_| SettingsError::AuditRetention))
                .transpose()?,
            ..Self::default()
        })
    }

    fn from_file(path: &Path) -> Result<Self, SettingsError> {
        let unreadable = |why| SettingsError::Unreadable { path: path.to_owned(), why };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let layer: Self = toml::from_str(&text).map_err(|e| SettingsError::File {
            path: path.to_owned(),
            place: e.span().map(|span| format!(" in line {}", line_of(&text, span.start))).unwrap_or_default(),
            // The message alone: the full text of the error quotes the line, which may hold a secret.
            message: e.message().to_owned(),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let settled = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        let app = |app: AppEntry| AppEntry { client_secret_file: settled(app.client_secret_file), ..app };
        Ok(Self {
            provider_apps: layer.provider_apps.into_iter().map(app).collect(),
            oidc: layer.oidc.map(|table| table.settled(folder)),
            trusted_proxy: layer.trusted_proxy.map(|table| table.settled(folder)),
            data_dir: settled(layer.data_dir),
            master_key_file: settled(layer.master_key_file),
            extra_ca_file: settled(layer.extra_ca_file),
            ..layer
        })
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// A file in the working directory is not looked for: that may be a cloned repository, and the file names programs to run.
fn config_file(args: &SettingsArgs, env: Environment<'_>) -> Option<PathBuf> {
    let named = args.config.clone().or_else(|| env("VALETKEY_CONFIG").filter(|p| !p.is_empty()).map(PathBuf::from));
    named.or_else(|| {
        let usual = platform_folder(env, "XDG_CONFIG_HOME", ".config")?.join("valetkey").join("valetkey.toml");
        usual.exists().then_some(usual)
    })
}

fn default_data_dir(env: Environment<'_>) -> Option<PathBuf> {
    Some(platform_folder(env, "XDG_DATA_HOME", ".local/share")?.join("valetkey"))
}

/// The folder that `variable` names, else the usual one under HOME.
fn platform_folder(env: Environment<'_>, variable: &str, under_home: &str) -> Option<PathBuf> {
    let home = || env("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let absolute = env(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute.or_else(|| {
        let usual = if cfg!(target_os = "macos") { "Library/Application Support" } else { under_home };
        Some(home()?.join(usual))
    })
}

fn check_public_url(text: &str) -> Result<String, SettingsError> {
    let uri: http::Uri = text.parse().map_err(|_| SettingsError::PublicUrl)?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.query().is_none() && uri.authority().is_some_and(|host| !host.as_str().contains('@'));
    if web && plain { Ok(text.trim_end_matches('/').to_owned()) } else { Err(SettingsError::PublicUrl) }
}

fn check_apps(apps: Vec<AppEntry>) -> Result<Vec<AppEntry>, SettingsError> {
    let mut names = BTreeSet::new();
    for app in &apps {
        let name = app.name();
        if app.client_secret_file.is_some() && app.client_secret_env.is_some() {
            return Err(SettingsError::AppSecret { app: name });
        }
        if !names.insert(name.clone()) {
            return Err(SettingsError::AppTwice { app: name });
        }
    }
    Ok(apps)
}

impl AppEntry {
    /// Which one it is, for people.
    pub(crate) fn name(&self) -> String {
        let instance = self.instance.clone().or_else(|| self.provider.default_instance());
        let place = instance.map_or_else(String::new, |instance| format!(" at {instance}"));
        format!("{}{place}", self.provider)
    }
}

/// A short token could be guessed over the network.
#[expect(clippy::disallowed_methods, reason = "only its form is looked at")]
fn check_admin_token(token: Secret<String>) -> Result<Secret<String>, SettingsError> {
    let fits = token.expose().len() >= 20 && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(token) } else { Err(SettingsError::AdminToken) }
}

/// A command split into words as a shell would; `None` if it is empty or its quotes don't match.
pub(crate) fn words(command: &str) -> Option<Vec<String>> {
    shell_words::split(command).ok().filter(|words| !words.is_empty())
}

fn names(list: &str) -> Option<Vec<String>> {
    let fits =
        |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.starts_with("VALETKEY_");
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| fits(&name).then(|| name.to_owned())).collect()
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
