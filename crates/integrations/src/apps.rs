//! The applications that the administrator registered with providers: they stand for Valetkey when people consent.

use std::fmt;

use serde::{Deserialize, Serialize};
use valetkey_model::{AuthMethod, InstanceUrl, Problem, ProblemCode, ProviderKind};
use valetkey_providers::oauth::OAuthApp;
use valetkey_seal::{Identity, Sealed, Secret};
use valetkey_store::{AppOrigin, ProviderApp, ProviderAppKey, StoredCredential};

use crate::{Integrations, connect::instance_of, credential::seal_problem};

/// What an administrator gives to register an application.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Where; the provider's public service if none.
    pub instance_url: Option<InstanceUrl>,
    /// Its public id.
    pub client_id: String,
    /// Its secrets.
    pub secrets: AppSecrets,
    /// What else is known of it.
    pub facts: AppFacts,
}

/// What must be kept of an application.
#[derive(Clone, Default)]
pub struct AppSecrets {
    /// The client secret; a public client has none.
    pub client_secret: Option<Secret<String>>,
    /// The private key of a GitHub App, in PEM form.
    pub private_key: Option<Secret<String>>,
    /// The secret that signs a GitHub App's webhooks.
    pub webhook_secret: Option<Secret<String>>,
}

/// What else is known of an application. Nothing of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppFacts {
    /// Its name at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number of a GitHub App.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<u64>,
    /// The short name of a GitHub App, in the address of its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
}

/// A registered application with its secrets.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) secrets: AppSecrets,
    pub(crate) facts: AppFacts,
}

impl App {
    /// As the OAuth client wants it.
    pub(crate) fn oauth<'a>(&'a self, redirect_uri: &'a str) -> OAuthApp<'a> {
        OAuthApp { client_id: &self.client_id, client_secret: self.secrets.client_secret.as_ref(), redirect_uri }
    }
}

/// A registered application as people see it.
#[derive(Debug, Clone)]
pub struct RegisteredApp {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Where it is registered.
    pub instance_url: InstanceUrl,
    /// Its public id.
    pub client_id: String,
    /// Whether it is fixed by the settings file.
    pub from_settings: bool,
    /// What else is known of it.
    pub facts: AppFacts,
}

/// The stored form of [`AppSecrets`].
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret: Option<String>,
}

impl AppSecrets {
    #[expect(clippy::disallowed_methods, reason = "the secrets are written out to be sealed")]
    fn to_text(&self) -> Secret<String> {
        let plain = |secret: &Option<Secret<String>>| secret.as_ref().map(|secret| secret.expose().clone());
        let stored = Stored {
            client_secret: plain(&self.client_secret),
            private_key: plain(&self.private_key),
            webhook_secret: plain(&self.webhook_secret),
        };
        Secret::new(serde_json::to_string(&stored).expect("plain strings are JSON"))
    }

    #[expect(clippy::disallowed_methods, reason = "what was opened is read")]
    fn from_text(text: &Secret<String>) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text.expose()).ok()?;
        Some(Self {
            client_secret: stored.client_secret.map(Secret::new),
            private_key: stored.private_key.map(Secret::new),
            webhook_secret: stored.webhook_secret.map(Secret::new),
        })
    }
}

impl fmt::Debug for AppSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecrets(***)")
    }
}

/// The identity under which an application's secrets are sealed.
pub(crate) fn app_identity(key: &ProviderAppKey, generation: i64) -> Identity {
    Identity::new("provider app", key.as_str(), generation)
}

impl Integrations {
    /// Registers an application, in place of the one of the same provider and instance.
    ///
    /// # Errors
    /// `invalid_input`; `conflict` when the settings file fixes it, or somebody else changes it at this moment.
    pub async fn register_app(&self, new: NewApp, origin: AppOrigin) -> Result<RegisteredApp, Problem> {
        let instance_url = instance_of(new.provider, new.instance_url)?;
        let client_id = new.client_id.trim().to_owned();
        if client_id.is_empty() || client_id.len() > 512 || client_id.chars().any(char::is_control) {
            return Err(Problem::new(
                ProblemCode::InvalidInput,
                "The client id is what the provider shows for the app.",
            ));
        }
        let known = self.store.provider_app(new.provider, &instance_url).await?;
        if origin == AppOrigin::Ui && known.as_ref().is_some_and(|known| known.origin == AppOrigin::Settings) {
            return Err(fixed_by_settings(new.provider, &instance_url));
        }
        let generation = known.as_ref().map_or(1, |known| known.credential.generation + 1);
        let now = self.clock.now();
        let key = ProviderAppKey::new(new.provider, &instance_url);
        let sealed = self.sealer.seal(&app_identity(&key, generation), &new.secrets.to_text());
        let app = ProviderApp {
            provider: new.provider,
            instance_url,
            client_id,
            origin,
            details: serde_json::to_value(&new.facts).expect("plain strings are JSON"),
            credential: StoredCredential { generation, sealed: sealed.as_bytes().to_vec() },
            created_at: known.map_or(now, |known| known.created_at),
            updated_at: now,
        };
        self.store.put_provider_app(&app).await?;
        if !self.sealer.is_current(&sealed).map_err(|e| seal_problem(&e))? {
            // The master key was rotated in between.
            let again = self.sealer.seal(&app_identity(&key, generation), &new.secrets.to_text());
            self.store.rewrap(&key, generation, sealed.as_bytes(), again.as_bytes()).await?;
        }
        tracing::info!(app = %key, "provider application registered");
        Ok(registered(app))
    }

    /// All registered applications.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn registered_apps(&self) -> Result<Vec<RegisteredApp>, Problem> {
        Ok(self.store.provider_apps().await?.into_iter().map(registered).collect())
    }

    /// Forgets an application. What was connected by it can be used until it would have to be refreshed.
    ///
    /// # Errors
    /// `not_found`; `conflict` when the settings file fixes it.
    pub async fn remove_app(&self, provider: ProviderKind, instance: &InstanceUrl) -> Result<(), Problem> {
        let known = self.store.provider_app(provider, instance).await?;
        match known {
            None => {
                Err(Problem::new(ProblemCode::NotFound, format!("No app is registered for {provider} at {instance}.")))
            }
            Some(known) if known.origin == AppOrigin::Settings => Err(fixed_by_settings(provider, instance)),
            Some(_) => {
                self.store.remove_provider_app(provider, instance).await?;
                tracing::info!(provider = provider.slug(), %instance, "provider application removed");
                Ok(())
            }
        }
    }

    /// How people consent unless they say otherwise: to the app that is installed on accounts where one is registered.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn usual_consent(
        &self,
        provider: ProviderKind,
        instance: Option<&InstanceUrl>,
    ) -> Result<AuthMethod, Problem> {
        let Some(instance) = instance.cloned().or_else(|| provider.default_instance()) else {
            return Ok(AuthMethod::OAuth);
        };
        let app = self.store.provider_app(provider, &instance).await?.map(registered);
        let installable = app.is_some_and(|app| app.facts.slug.is_some());
        Ok(if installable { AuthMethod::App } else { AuthMethod::OAuth })
    }

    /// The application at an instance, opened.
    ///
    /// # Errors
    /// `oauth_not_configured` if there is none; `seal_broken` if it does not open.
    pub(crate) async fn app(&self, provider: ProviderKind, instance: &InstanceUrl) -> Result<App, Problem> {
        let Some(app) = self.store.provider_app(provider, instance).await? else {
            return Err(not_configured(provider, instance));
        };
        let StoredCredential { generation, sealed } = app.credential;
        let key = ProviderAppKey::new(provider, instance);
        let text = self
            .sealer
            .open(&app_identity(&key, generation), &Sealed::from_bytes(sealed))
            .map_err(|e| seal_problem(&e))?;
        let secrets = AppSecrets::from_text(&text)
            .ok_or_else(|| Problem::new(ProblemCode::SealBroken, "A registered app's stored secrets are damaged."))?;
        let facts = serde_json::from_value(app.details).unwrap_or_default();
        Ok(App { client_id: app.client_id, secrets, facts })
    }
}

fn registered(app: ProviderApp) -> RegisteredApp {
    RegisteredApp {
        provider: app.provider,
        instance_url: app.instance_url,
        client_id: app.client_id,
        from_settings: app.origin == AppOrigin::Settings,
        facts: serde_json::from_value(app.details).unwrap_or_default(),
    }
}

fn fixed_by_settings(provider: ProviderKind, instance: &InstanceUrl) -> Problem {
    let detail = format!("The app for {provider} at {instance} is fixed by the settings file.");
    Problem::new(ProblemCode::Conflict, detail).remedy("Change it there, then start the server again.")
}

/// What to say where nobody registered an application yet.
pub(crate) fn not_configured(provider: ProviderKind, instance: &InstanceUrl) -> Problem {
    let detail = format!("{provider} OAuth is not configured: no app is registered for {instance}.");
    Problem::new(ProblemCode::OauthNotConfigured, detail)
        .remedy("An administrator registers one under Settings, or in the settings file; a token works without.")
        .by(provider)
}
