use jiff::Timestamp;
use valetkey_model::{
    Actor, InstanceUrl, Integration, IntegrationRef, Problem, ProblemCode, ProjectName, ProviderKind,
};
use valetkey_providers::{Credential, Forge, GitAuth, forge};
use valetkey_seal::{SealError, Sealed};

use crate::{
    Integrations,
    connect::identity,
    master_key::{PAGE, identity_of},
    refresh::Current,
};

/// What a person's own git is given to reach a host, outside of sessions.
#[derive(Debug)]
pub struct GitCredential {
    /// The credential.
    pub credential: Credential,
    /// How git presents it.
    pub auth: GitAuth,
    /// When it ends, where the provider says so.
    pub expires_at: Option<Timestamp>,
}

impl Integrations {
    /// The credential with which the owner's own git reaches `instance`: of the integration that a session in `project`
    /// would use there, or, where `account` names one of several accounts, of that one. It is recorded before it is given.
    ///
    /// # Errors
    /// As [`Integrations::resolve`]; `seal_broken` when it does not open.
    pub async fn credential_for(
        &self,
        by: &Actor,
        project: &ProjectName,
        instance: &InstanceUrl,
        account: Option<&str>,
    ) -> Result<GitCredential, Problem> {
        let usable = self.store.integrations_for(&by.user, project).await?;
        let named = |i: &&Integration| i.instance_url == *instance && Some(&*i.account.username) == account;
        let mut named = usable.iter().filter(named).filter(|i| by.uses(i, project));
        let chosen = match (named.next(), named.next()) {
            (Some(only), None) => Some(IntegrationRef::Id(only.id.clone())),
            _ => None,
        };
        let found = self.resolve(by, project, None, Some(instance), chosen.as_ref()).await?.integration;
        let Current { integration: found, credential } = self.fresh(&found).await?;
        let auth = git_auth(found.provider, &credential)?;
        self.record_own_use(by, project, &found).await?;
        self.store.touch_used(&found.id, self.clock.now()).await?;
        tracing::info!(integration = %found.id, "gave a credential to git outside of sessions");
        Ok(GitCredential { credential, auth, expires_at: found.expires_at })
    }

    /// What does not open with the master keys at hand: the ids of integrations and secrets, and of registered applications
    /// their provider and instance. Nothing is changed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unopenable(&self) -> Result<Vec<String>, Problem> {
        let (mut broken, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.sealed_page(PAGE, after.as_ref()).await?;
            let Some((last, _)) = page.last() else { return Ok(broken) };
            after = Some(last.clone());
            for (keeper, stored) in page {
                let sealed = Sealed::from_bytes(stored.sealed);
                if self.sealer.open(&identity_of(&keeper, stored.generation), &sealed).is_err() {
                    broken.push(keeper.to_string());
                }
            }
        }
    }

    /// Opens an integration's credential: the value and its generation.
    pub(crate) async fn open(&self, of: &Integration) -> Result<(Credential, i64), Problem> {
        let stored = self.store.sealed(&of.id).await?.ok_or_else(|| {
            Problem::new(ProblemCode::IntegrationUnusable, "The integration was disconnected; its credential is gone.")
        })?;
        let sealed = Sealed::from_bytes(stored.sealed);
        let text = self.sealer.open(&identity(&of.id, stored.generation), &sealed).map_err(|e| {
            tracing::error!(integration = %of.id, error = %e, "a stored credential does not open");
            seal_problem(&e)
        })?;
        let credential = Credential::from_text(of.auth_method, text).ok_or_else(|| {
            Problem::new(ProblemCode::SealBroken, "A stored credential is damaged.")
                .remedy("Connect the account again.")
        })?;
        Ok((credential, stored.generation))
    }
}

/// How git presents a credential of this kind.
pub(crate) fn git_auth(kind: ProviderKind, credential: &Credential) -> Result<GitAuth, Problem> {
    Ok(repositories_of(kind)?.git_auth(credential))
}

/// The repositories of a kind, which must have some.
pub(crate) fn repositories_of(kind: ProviderKind) -> Result<&'static dyn Forge, Problem> {
    forge(kind).ok_or_else(|| Problem::new(ProblemCode::IntegrationUnusable, format!("{kind} hosts no repositories.")))
}

pub(crate) fn seal_problem(error: &SealError) -> Problem {
    Problem::new(ProblemCode::SealBroken, format!("A stored credential can't be used: {error}."))
        .remedy("`valetkey doctor` checks the master key file.")
}
