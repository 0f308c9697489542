use serde::{Deserialize, Serialize};
use valetkey_model::{Entropy, Problem, ProblemCode, WebhookId};
use valetkey_seal::{Identity, SealError, Sealed, Secret};
use valetkey_store::StoredCredential;

use crate::{Webhooks, signature};

/// The signing secrets of a webhook.
pub(crate) struct Secrets {
    pub(crate) current: Secret<String>,
    /// The one before the last rotation. It signs too for a while.
    pub(crate) previous: Option<Secret<String>>,
}

/// Their stored form.
#[derive(Serialize, Deserialize)]
struct Stored {
    current: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

impl Secrets {
    /// Those of a new webhook.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        Self { current: signature::new_secret(entropy), previous: None }
    }

    /// Those after a rotation.
    pub(crate) fn rotated(self, entropy: &dyn Entropy) -> Self {
        Self { previous: Some(self.current), ..Self::new(entropy) }
    }

    #[expect(clippy::disallowed_methods, reason = "the secrets are written out to be sealed")]
    fn to_text(&self) -> Secret<String> {
        let previous = self.previous.as_ref().map(|secret| secret.expose().clone());
        let stored = Stored { current: self.current.expose().clone(), previous };
        Secret::new(serde_json::to_string(&stored).expect("plain strings are JSON"))
    }

    #[expect(clippy::disallowed_methods, reason = "what was opened is read")]
    fn from_text(text: &Secret<String>) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text.expose()).ok()?;
        Some(Self { current: Secret::new(stored.current), previous: stored.previous.map(Secret::new) })
    }
}

/// The identity under which a webhook's signing secrets are sealed.
pub fn secret_identity(id: &WebhookId, generation: i64) -> Identity {
    Identity::new("webhook", id.as_str(), generation)
}

impl Webhooks {
    pub(crate) fn seal(&self, id: &WebhookId, generation: i64, secrets: &Secrets) -> Sealed {
        self.sealer.seal(&secret_identity(id, generation), &secrets.to_text())
    }

    /// Opens a webhook's secrets; none if it is gone.
    pub(crate) async fn open(&self, id: &WebhookId) -> Result<Option<(Secrets, i64)>, Problem> {
        let Some(StoredCredential { generation, sealed }) = self.store.sealed(id).await? else {
            return Ok(None);
        };
        let text = self.sealer.open(&secret_identity(id, generation), &Sealed::from_bytes(sealed));
        let secrets = Secrets::from_text(&text.map_err(|e| unusable(&e))?)
            .ok_or_else(|| Problem::new(ProblemCode::SealBroken, "A webhook's stored signing secret is damaged."))?;
        Ok(Some((secrets, generation)))
    }

    /// Seals what was just stored once more if the master key was rotated in between.
    pub(crate) async fn settle_seal(
        &self,
        id: &WebhookId,
        generation: i64,
        secrets: &Secrets,
        sealed: &Sealed,
    ) -> Result<(), Problem> {
        if !self.sealer.is_current(sealed).map_err(|e| unusable(&e))? {
            let again = self.seal(id, generation, secrets);
            self.store.rewrap(id, generation, sealed.as_bytes(), again.as_bytes()).await?;
        }
        Ok(())
    }
}

fn unusable(error: &SealError) -> Problem {
    Problem::new(ProblemCode::SealBroken, format!("A webhook's signing secret can't be used: {error}."))
        .remedy("`valetkey doctor` checks the master key file.")
}
