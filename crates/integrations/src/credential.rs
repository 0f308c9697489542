use jiff::Timestamp;
use valetkey_model::{InstanceUrl, IntegrationId, IntegrationRef, Problem, ProblemCode, ProjectName, UserId};
use valetkey_providers::provider;
use valetkey_seal::{SealError, Sealed, Secret};

use crate::{Integrations, connect::identity};

/// What a person's own git is given to reach a host, outside of sessions.
#[derive(Debug)]
pub struct GitCredential {
    /// The user name that goes with the token over git.
    pub git_user: &'static str,
    /// The credential.
    pub token: Secret<String>,
    /// When it ends, where the provider says so.
    pub expires_at: Option<Timestamp>,
}

impl Integrations {
    /// The credential with which the owner's own git reaches `instance`: of the integration that a session in `project`
    /// would use there, or, where `account` names one of several accounts, of that one.
    ///
    /// # Errors
    /// As [`Integrations::resolve`]; `seal_broken` when it does not open.
    pub async fn credential_for(
        &self,
        owner: &UserId,
        project: &ProjectName,
        instance: &InstanceUrl,
        account: Option<&str>,
    ) -> Result<GitCredential, Problem> {
        let own = self.list(owner, None).await?;
        let mut named = own.iter().filter(|i| i.instance_url == *instance && Some(&*i.account.username) == account);
        let chosen = match (named.next(), named.next()) {
            (Some(only), None) => Some(IntegrationRef::Id(only.id.clone())),
            _ => None,
        };
        let found = self.resolve(owner, project, None, Some(instance), chosen.as_ref()).await?.integration;
        let (token, _) = self.open(&found.id).await?;
        self.store.touch_used(&found.id, self.clock.now()).await?;
        tracing::info!(integration = %found.id, "gave a credential to git outside of sessions");
        Ok(GitCredential { git_user: provider(found.provider).git_user(), token, expires_at: found.expires_at })
    }

    /// The integrations whose credential does not open with the master keys at hand. Nothing is changed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unopenable(&self) -> Result<Vec<IntegrationId>, Problem> {
        let (mut broken, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.credentials_page(100, after.as_ref()).await?;
            let Some((last, _)) = page.last() else { return Ok(broken) };
            after = Some(last.clone());
            for (id, stored) in page {
                let sealed = Sealed::from_bytes(stored.sealed);
                if self.sealer.open(&identity(&id, stored.generation), &sealed).is_err() {
                    broken.push(id);
                }
            }
        }
    }

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
