use std::fmt;

use valetkey_model::{IntegrationId, Problem, SecretId, WebhookId};
use valetkey_seal::{Identity, Sealed};
use valetkey_store::{ProviderAppKey, StoreError, StoredCredential};

use crate::{Integrations, apps::app_identity, connect::identity, credential::seal_problem, secrets::secret_identity};

/// What a rotation of the master key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationReport {
    /// Credentials now under the new key; those of registered applications, of webhooks, and secrets are among them.
    pub rewrapped: usize,
}

/// Whose credential it is. In the order in which they are passed.
#[derive(Debug, Clone)]
pub(crate) enum Keeper {
    Integration(IntegrationId),
    App(ProviderAppKey),
    Webhook(WebhookId),
    Secret(SecretId),
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integration(id) => id.fmt(f),
            Self::App(key) => key.fmt(f),
            Self::Webhook(id) => write!(f, "webhook {id}"),
            Self::Secret(id) => write!(f, "secret {id}"),
        }
    }
}

impl Keeper {
    /// The identity under which its credential of `generation` is sealed.
    pub(crate) fn identity(&self, generation: i64) -> Identity {
        match self {
            Self::Integration(id) => identity(id, generation),
            Self::App(key) => app_identity(key, generation),
            Self::Webhook(id) => valetkey_webhooks::secret_identity(id, generation),
            Self::Secret(id) => secret_identity(id, generation),
        }
    }
}

impl Integrations {
    /// Makes a new master key, puts every credential under it and forgets the old one. Others may go on serving meanwhile.
    ///
    /// # Errors
    /// When a credential does not open: then both keys stay and nothing is lost.
    pub async fn rotate_master_key(&self) -> Result<RotationReport, Problem> {
        let rotation = self.sealer.begin_rotation().map_err(|e| seal_problem(&e))?;
        let mut report = RotationReport { rewrapped: 0 };
        let mut after = None;
        loop {
            let page = self.sealed_page(after.as_ref()).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (keeper, stored) in page {
                report.rewrapped += usize::from(self.rewrap(&keeper, stored).await?);
            }
        }
        rotation.finish().map_err(|e| seal_problem(&e))?;
        Ok(report)
    }

    /// Some of everything that is sealed, from what comes after `after`: the integrations' credentials, then the registered
    /// applications' secrets, those of webhooks, and the secrets that sessions are given. Empty at the end.
    pub(crate) async fn sealed_page(&self, after: Option<&Keeper>) -> Result<Vec<(Keeper, StoredCredential)>, Problem> {
        const LIMIT: u32 = 100;
        if matches!(after, None | Some(Keeper::Integration(_))) {
            let id = if let Some(Keeper::Integration(id)) = after { Some(id) } else { None };
            let page = self.store.credentials_page(LIMIT, id).await?;
            if !page.is_empty() {
                return Ok(kept_by(Keeper::Integration, page));
            }
        }
        if matches!(after, None | Some(Keeper::Integration(_) | Keeper::App(_))) {
            let key = if let Some(Keeper::App(key)) = after { Some(key) } else { None };
            let page = self.store.provider_app_credentials_page(LIMIT, key).await?;
            if !page.is_empty() {
                return Ok(kept_by(Keeper::App, page));
            }
        }
        if !matches!(after, Some(Keeper::Secret(_))) {
            let id = if let Some(Keeper::Webhook(id)) = after { Some(id) } else { None };
            let page = self.store.webhook_secrets_page(LIMIT, id).await?;
            if !page.is_empty() {
                return Ok(kept_by(Keeper::Webhook, page));
            }
        }
        let id = if let Some(Keeper::Secret(id)) = after { Some(id) } else { None };
        Ok(kept_by(Keeper::Secret, self.store.secret_values_page(LIMIT, id).await?))
    }

    /// Puts one credential under the newest key. One that was replaced meanwhile is looked at again.
    async fn rewrap(&self, keeper: &Keeper, mut stored: StoredCredential) -> Result<bool, Problem> {
        loop {
            let StoredCredential { generation, sealed } = stored;
            let old = Sealed::from_bytes(sealed);
            let newer = self.sealer.rewrap(&keeper.identity(generation), &old).map_err(|e| seal_problem(&e))?;
            let Some(newer) = newer else { return Ok(false) };
            if self.put_rewrapped(keeper, generation, &old, &newer).await? {
                return Ok(true);
            }
            let current = match keeper {
                Keeper::Integration(id) => self.store.credential(id).await?,
                Keeper::App(key) => self.store.provider_app_credential(key).await?,
                Keeper::Webhook(id) => self.store.webhook_secret(id).await?,
                Keeper::Secret(id) => self.store.secret_value(id).await?,
            };
            let Some(current) = current else { return Ok(false) };
            stored = current;
        }
    }

    async fn put_rewrapped(
        &self,
        keeper: &Keeper,
        generation: i64,
        old: &Sealed,
        new: &Sealed,
    ) -> Result<bool, StoreError> {
        let (old, new) = (old.as_bytes(), new.as_bytes());
        match keeper {
            Keeper::Integration(id) => self.store.rewrap_credential(id, generation, old, new).await,
            Keeper::App(key) => self.store.rewrap_provider_app(key, generation, old, new).await,
            Keeper::Webhook(id) => self.store.rewrap_webhook(id, generation, old, new).await,
            Keeper::Secret(id) => self.store.rewrap_secret(id, generation, old, new).await,
        }
    }
}

fn kept_by<T>(keeper: fn(T) -> Keeper, page: Vec<(T, StoredCredential)>) -> Vec<(Keeper, StoredCredential)> {
    page.into_iter().map(|(id, stored)| (keeper(id), stored)).collect()
}
