use futures_util::future::join_all;
use valetkey_model::{Actor, Integration, IntegrationId, IntegrationRef, Problem, ProjectName, ProviderKind};
use valetkey_providers::RepositoryInfo;

use crate::Integrations;

/// Repositories that were found.
#[derive(Debug, Default)]
pub struct Found {
    /// Each with the integration that sees it.
    pub repositories: Vec<(IntegrationId, RepositoryInfo)>,
    /// What could not be asked, and why.
    pub failures: Vec<(IntegrationId, Problem)>,
}

impl Integrations {
    /// Finds repositories by name, through every account that the caller may use in the project, or the one that is named.
    /// At most `limit` of each. An account that can't be asked does not hide what the others see.
    ///
    /// # Errors
    /// `not_found` for an integration that is named and not the caller's.
    pub async fn search(
        &self,
        by: &Actor,
        project: &ProjectName,
        provider: Option<ProviderKind>,
        integration: Option<&IntegrationRef>,
        text: &str,
        limit: usize,
    ) -> Result<Found, Problem> {
        let all = match integration {
            Some(which) => vec![self.get(by, which).await?],
            None => self.store.integrations_for(&by.user, project).await?,
        };
        let wanted = |of: &Integration| provider.is_none_or(|provider| of.provider == provider);
        let asked = all.iter().filter(|of| of.provider.is_forge() && wanted(of) && by.uses(of, project));
        let answers = join_all(asked.map(async |of| (of.id.clone(), self.search_in(of, text, limit).await))).await;
        let mut found = Found::default();
        for (id, answer) in answers {
            match answer {
                Ok(repositories) => found.repositories.extend(repositories.into_iter().map(|it| (id.clone(), it))),
                Err(problem) => found.failures.push((id, problem)),
            }
        }
        Ok(found)
    }

    async fn search_in(&self, of: &Integration, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, Problem> {
        let opened = self.opened(of).await?;
        opened.repositories()?.search(opened.access(), text, limit).await.map_err(|e| opened.problem(e))
    }
}
