//! What every command is given.

use std::env;

use valetkey_model::{InstanceUrl, Problem, ProblemCode};
use valetkey_redact::Redactor;
use valetkey_seal::Secret;

use crate::{
    cli::{Format, Global, server_url},
    client::Client,
    logging,
    settings::{Layer, Settings, SettingsArgs},
};

/// The arguments of every command, and what hides secrets in what is logged.
pub(crate) struct Context {
    pub(crate) format: Format,
    server: Option<InstanceUrl>,
    args: SettingsArgs,
    pub(crate) redactor: Redactor,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        Self { format: global.output, server: global.server, args: global.settings, redactor: Redactor::new() }
    }

    /// Starts the log; `usual` is what is logged if nobody says otherwise.
    pub(crate) fn log(&self, usual: &str) {
        logging::start(usual, &self.redactor);
    }

    /// The settings, without flags of one command alone.
    pub(crate) fn settings(&self) -> Result<Settings, Problem> {
        self.settings_with(Layer::default())
    }

    /// The settings, with what a command's own flags say.
    pub(crate) fn settings_with(&self, flags: Layer) -> Result<Settings, Problem> {
        let settings = Settings::load(&self.args, flags, &|name| env::var_os(name))
            .map_err(|e| Problem::new(ProblemCode::InvalidInput, format!("Settings: {e}.")))?;
        if let Some(token) = &settings.admin_token {
            self.hide(token);
        }
        Ok(settings)
    }

    /// The API: of the server that was named, else of the data directory.
    pub(crate) async fn client(&self) -> Result<Client, Problem> {
        match self.server()? {
            None => Client::embedded(self.settings()?).await,
            Some(server) => {
                let token = env::var("VALETKEY_TOKEN").ok().filter(|token| !token.is_empty()).ok_or_else(|| {
                    Problem::new(ProblemCode::Unauthenticated, "A server is named, but VALETKEY_TOKEN is not set.")
                        .remedy("Make a token there with `valetkey tokens create` or on its Tokens page.")
                })?;
                let token = Secret::new(token);
                self.hide(&token);
                Client::remote(&self.settings()?, server, token)
            }
        }
    }

    /// The server that --server or VALETKEY_SERVER names.
    pub(crate) fn server(&self) -> Result<Option<InstanceUrl>, Problem> {
        let from_env = || env::var("VALETKEY_SERVER").ok().filter(|url| !url.is_empty());
        match (&self.server, from_env()) {
            (Some(server), _) => Ok(Some(server.clone())),
            (None, Some(url)) => server_url(&url)
                .map(Some)
                .map_err(|e| Problem::new(ProblemCode::InvalidInput, format!("VALETKEY_SERVER: {e}."))),
            (None, None) => Ok(None),
        }
    }

    /// Refuses a command that works where the data is.
    pub(crate) fn only_here(&self, command: &str) -> Result<(), Problem> {
        match self.server()? {
            None => Ok(()),
            Some(_) => Err(Problem::new(
                ProblemCode::InvalidInput,
                format!("`{command}` works on a data directory, not through a server."),
            )
            .remedy("Run it on the server's machine, without --server and VALETKEY_SERVER.")),
        }
    }

    /// Hides a secret in what is logged from now on.
    #[expect(clippy::disallowed_methods, reason = "the redactor must know the values that it hides")]
    pub(crate) fn hide(&self, secret: &Secret<String>) {
        // One that is too short to be hidden is no token of any kind.
        let _ = self.redactor.add(secret.expose());
    }
}
