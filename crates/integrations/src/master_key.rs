use valetkey_model::Problem;
use valetkey_seal::{Identity, Sealed};
use valetkey_store::{Keeper, StoredCredential};

use crate::{Integrations, apps::app_identity, connect::identity, credential::seal_problem, secrets::secret_identity};

/// What a rotation of the master key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationReport {
    /// Credentials now under the new key; those of registered applications, of webhooks, and secrets are among them.
    pub rewrapped: usize,
}

/// The identity under which what a keeper has is sealed in this `generation`.
pub(crate) fn identity_of(keeper: &Keeper, generation: i64) -> Identity {
    match keeper {
        Keeper::Integration(id) => identity(id, generation),
        Keeper::ProviderApp(key) => app_identity(key, generation),
        Keeper::Webhook(id) => valetkey_webhooks::secret_identity(id, generation),
        Keeper::Secret(id) => secret_identity(id, generation),
    }
}

/// How many sealed values are passed at once.
pub(crate) const PAGE: u32 = 100;

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
            let page = self.store.sealed_page(PAGE, after.as_ref()).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (keeper, stored) in page {
                report.rewrapped += usize::from(self.rewrap(&keeper, stored).await?);
            }
        }
        rotation.finish().map_err(|e| seal_problem(&e))?;
        Ok(report)
    }

    /// Puts one credential under the newest key. One that was replaced meanwhile is looked at again.
    async fn rewrap(&self, keeper: &Keeper, mut stored: StoredCredential) -> Result<bool, Problem> {
        loop {
            let StoredCredential { generation, sealed } = stored;
            let old = Sealed::from_bytes(sealed);
            let newer = self.sealer.rewrap(&identity_of(keeper, generation), &old).map_err(|e| seal_problem(&e))?;
            let Some(newer) = newer else { return Ok(false) };
            if self.store.rewrap(keeper, generation, old.as_bytes(), newer.as_bytes()).await? {
                return Ok(true);
            }
            let Some(current) = self.store.sealed(keeper).await? else { return Ok(false) };
            stored = current;
        }
    }
}
