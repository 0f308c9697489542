//! The parts, put together: settings → store, keys, outbound client, integrations → session engine → server.

use std::{
    error::Error, fs, io, net::SocketAddr, os::unix::fs::DirBuilderExt as _, path::Path, sync::Arc, time::Duration,
};

use jiff::Timestamp;
use tokio::time::timeout;
use url::Url;
use valetkey_integrations::{AppFacts, AppSecrets, FixedApps, Integrations, NewApp};
use valetkey_model::{Clock, Entropy, Problem, ProblemCode, sentence};
use valetkey_providers::{AddressPolicy, Http, HttpConfig, ProxySettings};
use valetkey_seal::{KeyFile, Sealer, SystemEntropy, TokenHash};
use valetkey_server::{App, AppConfig};
use valetkey_sessions::{Engine, EngineConfig};
use valetkey_store::Store;

use crate::{
    settings::{AppEntry, Settings},
    sign_in::{self, read_secret},
};

/// How many sessions one process runs at once; others wait.
const SESSIONS_AT_ONCE: usize = 8;

/// How long renewals of access tokens that are under way get in the end: one call and the storing of its answer.
const RENEWALS_END_WITHIN: Duration = Duration::from_secs(35);

/// How long the last notifications get in the end. What is left is sent by the next process.
const NOTIFICATIONS_END_WITHIN: Duration = Duration::from_secs(5);

/// The machine's clock, to the millisecond: that is what the store keeps, and an answer must not change once it is read back.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is passed in")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// The present moment, for words such as "5 min ago".
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// What works without a session engine.
#[derive(Debug, Clone)]
pub(crate) struct Foundation {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) http: Http,
    pub(crate) integrations: Integrations,
}

impl Foundation {
    /// Opens the data directory, the database and the master key; makes what is missing.
    pub(crate) async fn lay(settings: Settings) -> Result<Self, Problem> {
        make_private(&settings.data_dir).map_err(|e| {
            let detail = format!("The data directory {} can't be made: {e}.", settings.data_dir.display());
            Problem::new(ProblemCode::Internal, detail).remedy("Name another with --data-dir or VALETKEY_DATA_DIR.")
        })?;
        let keys = KeyFile::open_or_create(&settings.master_key_file, &SystemEntropy).map_err(|e| sealed(&e))?;
        let sealer = Sealer::new(keys, Arc::new(SystemEntropy)).map_err(|e| sealed(&e))?;
        let http = outbound(&settings)?;
        let store = Store::open(&settings.database_url).await?;
        let integrations =
            Integrations::new(store.clone(), Arc::new(sealer), http.clone(), Arc::new(SystemClock), entropy());
        Ok(Self { settings, store, http, integrations })
    }

    /// Makes the provider applications in the store those of the settings file. For the server alone: another command may
    /// run with another file, or without the variables that hold the secrets.
    pub(crate) async fn fix_apps(&self) -> Result<(), Problem> {
        let FixedApps { stored, unchanged, removed } = self.integrations.fix_apps(self.read_apps()?).await?;
        if stored + unchanged + removed > 0 {
            tracing::info!(stored, unchanged, removed, "the provider apps of the settings file are in place");
        }
        Ok(())
    }

    /// The provider applications of the settings file, with their secrets.
    pub(crate) fn read_apps(&self) -> Result<Vec<NewApp>, Problem> {
        self.settings.provider_apps.iter().map(fixed_app).collect()
    }
}

/// A whole Valetkey in this process. Clones are the same one.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) foundation: Foundation,
    pub(crate) engine: Engine,
    pub(crate) app: App,
}

impl House {
    /// Starts a session engine and the server's insides; `address` is where people reach it, if it is to listen.
    pub(crate) async fn build(foundation: Foundation, address: SocketAddr) -> Result<Self, Problem> {
        let Foundation { settings, store, http, integrations } = &foundation;
        let (clock, public_url) = (Arc::new(SystemClock), settings.public_url(address));
        let engine = EngineConfig {
            data_dir: settings.data_dir.clone(),
            public_url: public_url.clone(),
            agent: settings.agent.clone(),
            environment: std::env::vars_os().collect(),
            agent_env: settings.agent_env.clone(),
            at_once: SESSIONS_AT_ONCE,
        };
        let engine =
            Engine::start(engine, store.clone(), integrations.clone(), http.clone(), clock.clone(), entropy()).await?;
        let config = AppConfig {
            public_url: Url::parse(&public_url).map_err(|e| Problem::new(ProblemCode::InvalidInput, e.to_string()))?,
            admin_token: settings.admin_token.as_ref().map(TokenHash::of_secret),
            project_creation: settings.project_creation,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        integrations.webhooks().start();
        let app = App::new(config, store.clone(), integrations.clone(), engine.clone(), clock, entropy());
        Ok(Self { foundation, engine, app })
    }

    /// The same, with the ways to sign in that the settings name. For the server alone: other commands need no secret of it.
    pub(crate) fn with_sign_in(self) -> Result<Self, Problem> {
        let sign_in = sign_in::read(&self.foundation.settings)?;
        Ok(Self { app: self.app.with_sign_in(sign_in), ..self })
    }

    /// Stops the sessions that this process runs, waiting for them no longer than `patience`, and lets go of the database.
    pub(crate) async fn close(&self, patience: Duration) {
        self.engine.shut_down(patience).await;
        // A renewal that is cut off may cost a person a new consent.
        let _ = timeout(RENEWALS_END_WITHIN, self.foundation.integrations.finish_refreshes()).await;
        self.foundation.integrations.webhooks().finish(NOTIFICATIONS_END_WITHIN).await;
        self.foundation.store.close().await;
    }
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

/// The one outbound client, as the settings allow it.
pub(crate) fn outbound(settings: &Settings) -> Result<Http, Problem> {
    client(settings, AddressPolicy::new(settings.listen.ip().is_loopback(), &settings.outbound_allow))
}

/// The outbound client for what an administrator set: it may reach this host too.
pub(crate) fn outbound_to(settings: &Settings, host: &str) -> Result<Http, Problem> {
    let allowed = format!("{},{host}", settings.outbound_allow);
    client(settings, AddressPolicy::new(settings.listen.ip().is_loopback(), &allowed))
}

/// A client for the one server that the person named, wherever it is.
pub(crate) fn outbound_to_server(settings: &Settings) -> Result<Http, Problem> {
    client(settings, AddressPolicy::new(true, ""))
}

fn client<E: Error>(settings: &Settings, addresses: Result<AddressPolicy, E>) -> Result<Http, Problem> {
    let wrong = |detail: String| Problem::new(ProblemCode::InvalidInput, detail);
    let read = |path: &std::path::PathBuf| {
        fs::read(path).map_err(|e| wrong(format!("`extra_ca_file` {} can't be read: {e}.", path.display())))
    };
    let config = HttpConfig {
        extra_ca_pem: settings.extra_ca_file.as_ref().map(read).transpose()?,
        addresses: addresses.map_err(|e| wrong(format!("{e}.")))?,
        proxy: ProxySettings::from_environment(|name| std::env::var(name).ok()).map_err(|e| wrong(format!("{e}.")))?,
    };
    Http::new(config).map_err(|e| wrong(format!("{e}.")))
}

/// An application of the settings file with its secret, which is read here.
fn fixed_app(entry: &AppEntry) -> Result<NewApp, Problem> {
    let refused = |why: String| {
        let detail = format!("The client secret of the provider app for {} {why}.", entry.name());
        Problem::new(ProblemCode::InvalidInput, detail).remedy("See [[provider_app]] in the settings file.")
    };
    let secret =
        read_secret(entry.client_secret_file.as_deref(), entry.client_secret_env.as_deref()).map_err(refused)?;
    Ok(NewApp {
        provider: entry.provider,
        instance_url: entry.instance.clone(),
        client_id: entry.client_id.clone(),
        secrets: AppSecrets { client_secret: secret, ..AppSecrets::default() },
        facts: AppFacts::default(),
    })
}

fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn sealed(error: &dyn Error) -> Problem {
    Problem::new(ProblemCode::SealBroken, sentence(&chain(error)))
        .remedy("`valetkey doctor` checks the master key file.")
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}
