use valetkey_model::{IntegrationId, Problem};
use valetkey_seal::Sealed;
use valetkey_store::StoredCredential;

use crate::{Integrations, connect::identity, credential::seal_problem};

/// What a rotation of the master key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationReport {
    /// Credentials now under the new key.
    pub rewrapped: usize,
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
            let page = self.store.credentials_page(100, after.as_ref()).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (id, stored) in page {
                report.rewrapped += usize::from(self.rewrap(&id, stored).await?);
            }
        }
        rotation.finish().map_err(|e| seal_problem(&e))?;
        Ok(report)
    }

    /// Puts one credential under the newest key. One that was replaced meanwhile is looked at again.
    async fn rewrap(&self, id: &IntegrationId, mut stored: StoredCredential) -> Result<bool, Problem> {
        loop {
            let StoredCredential { generation, sealed } = stored;
            let old = Sealed::from_bytes(sealed);
            let newer = self.sealer.rewrap(&identity(id, generation), &old).map_err(|e| seal_problem(&e))?;
            let Some(newer) = newer else { return Ok(false) };
            if self.store.rewrap_credential(id, generation, old.as_bytes(), newer.as_bytes()).await? {
                return Ok(true);
            }
            let Some(current) = self.store.credential(id).await? else { return Ok(false) };
            stored = current;
        }
    }
}
