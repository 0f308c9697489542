use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;
use valetkey_integrations::Integrations;
use valetkey_model::{Clock, Entropy, ProjectCreation};
use valetkey_seal::TokenHash;
use valetkey_sessions::Engine;
use valetkey_store::Store;

use crate::{events::Followers, metrics::Metrics, sign_in::SignIn};

/// What the server has to be told.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// Where people reach the server: cookies, links and the check of where a form came from depend on it.
    pub public_url: Url,
    /// The hash of the administrator's bearer token, if there is one.
    pub admin_token: Option<TokenHash>,
    /// Who may make projects.
    pub project_creation: ProjectCreation,
    /// The version to report.
    pub version: String,
}

/// Everything a handler works with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) config: Arc<AppConfig>,
    pub(crate) sign_in: Arc<SignIn>,
    pub(crate) store: Store,
    pub(crate) integrations: Integrations,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) followers: Followers,
    pub(crate) closing: CancellationToken,
    /// Tells those who still listen that some token was deleted, somebody signed out, or left a project.
    pub(crate) ended_credentials: watch::Sender<()>,
}

impl App {
    /// Puts the parts together.
    pub fn new(
        config: AppConfig,
        store: Store,
        integrations: Integrations,
        engine: Engine,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let metrics = Arc::new(Metrics::new(&config.version, &engine, &integrations));
        Self {
            config: Arc::new(config),
            sign_in: Arc::default(),
            store,
            integrations,
            engine,
            clock,
            entropy,
            metrics,
            followers: Followers::default(),
            closing: CancellationToken::new(),
            ended_credentials: watch::Sender::new(()),
        }
    }

    /// Lets people come in by an identity provider too.
    #[must_use]
    pub fn with_sign_in(mut self, sign_in: SignIn) -> Self {
        self.sign_in = Arc::new(sign_in);
        self
    }

    /// Ends the event streams that are open, so that a server that shuts down need not wait for their sessions.
    pub fn close_streams(&self) {
        self.closing.cancel();
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The address of a path of this server, for people.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.public_url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}
