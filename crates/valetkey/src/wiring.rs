//! The parts, put together: settings → store, keys, outbound client, integrations → session engine → server.

use std::{
    error::Error, fs, io, net::SocketAddr, os::unix::fs::DirBuilderExt as _, path::Path, sync::Arc, time::Duration,
};

use jiff::Timestamp;
use url::Url;
use valetkey_integrations::Integrations;
use valetkey_model::{Clock, Entropy, Problem, ProblemCode};
use valetkey_providers::{AddressPolicy, Http, HttpConfig};
use valetkey_seal::{KeyFile, Sealer, SystemEntropy, TokenHash};
use valetkey_server::{App, AppConfig};
use valetkey_sessions::{Engine, EngineConfig};
use valetkey_store::Store;

use crate::settings::Settings;

/// How many sessions one process runs at once; others wait.
const SESSIONS_AT_ONCE: usize = 8;

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
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let app = App::new(config, store.clone(), integrations.clone(), engine.clone(), clock, entropy());
        Ok(Self { foundation, engine, app })
    }

    /// Stops the sessions that this process runs, waiting for them no longer than `patience`, and lets go of the database.
    pub(crate) async fn close(&self, patience: Duration) {
        self.engine.shut_down(patience).await;
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
    };
    Http::new(config).map_err(|e| wrong(format!("{e}.")))
}

fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn sealed(error: &dyn Error) -> Problem {
    Problem::new(ProblemCode::SealBroken, format!("{}.", capitalised(&chain(error))))
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

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
