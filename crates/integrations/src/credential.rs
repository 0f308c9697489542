use valetkey_model::{IntegrationId, Problem, ProblemCode};
use valetkey_seal::{SealError, Sealed, Secret};

use crate::{Integrations, connect::identity};

impl Integrations {
    /// Opens an integration's credential: the value and its generation.
    pub(crate) async fn open(&self, id: &IntegrationId) -> Result<(Secret<String>, i64), Problem> {
        let stored = self.store.credential(id).await?.ok_or_else(|| {
            Problem::new(ProblemCode::IntegrationUnusable, "The integration was disconnected; its credential is gone.")
        })?;
        let sealed = Sealed::from_bytes(stored.sealed);
        let token = self.sealer.open(&identity(id, stored.generation), &sealed).map_err(|e| {
            tracing::error!(integration = %id, error = %e, "a stored credential does not open");
            seal_problem(&e)
        })?;
        Ok((token, stored.generation))
    }
}

pub(crate) fn seal_problem(error: &SealError) -> Problem {
    Problem::new(ProblemCode::SealBroken, format!("A stored credential can't be used: {error}."))
        .remedy("`valetkey doctor` checks the master key file.")
}
