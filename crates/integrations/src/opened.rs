use valetkey_model::{Actor, Integration, Problem, ProjectName, RepoUrl};
use valetkey_providers::{Access, Credential, Forge, Provider, ProviderError, provider};

use crate::{Integrations, credential::repositories_of, refresh::Current};

/// An integration whose credential is open and alive, to ask its provider something.
pub(crate) struct Opened<'a> {
    with: &'a Integrations,
    pub(crate) current: Current,
}

impl Opened<'_> {
    pub(crate) fn provider(&self) -> &'static dyn Provider {
        provider(self.current.integration.provider)
    }

    pub(crate) fn repositories(&self) -> Result<&'static dyn Forge, Problem> {
        repositories_of(self.current.integration.provider)
    }

    pub(crate) fn access(&self) -> Access<'_> {
        self.with.access(&self.current.integration, &self.current.credential)
    }

    pub(crate) fn problem(&self, error: ProviderError) -> Problem {
        error.into_problem(self.current.integration.provider, &self.current.integration.instance_url)
    }
}

impl Integrations {
    pub(crate) async fn opened(&self, integration: &Integration) -> Result<Opened<'_>, Problem> {
        Ok(Opened { with: self, current: self.fresh(integration).await? })
    }

    /// The integration that a session of the caller would use for a repository.
    pub(crate) async fn serving(
        &self,
        by: &Actor,
        project: &ProjectName,
        repo: &RepoUrl,
    ) -> Result<Integration, Problem> {
        Ok(self.resolve(by, project, None, Some(repo.instance()), None).await?.integration)
    }

    pub(crate) fn access<'a>(&'a self, of: &'a Integration, credential: &'a Credential) -> Access<'a> {
        Access { http: &self.http, instance: &of.instance_url, credential, now: self.clock.now() }
    }
}
