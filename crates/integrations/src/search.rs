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
    /// Whether one of the accounts has more behind these.
    pub more: bool,
}

/// Which of the repositories that an account sees are wanted: providers list them in an order of their own, the latest
/// first where they can, and have no place in it to come back to. So a later part is asked for from the beginning.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    /// How many of each account to leave out.
    pub skip: usize,
    /// At most how many of each to give.
    pub limit: usize,
}

impl Portion {
    /// How far into an account's repositories a search goes: whoever looks further is better served by a longer text.
    pub const FARTHEST: usize = 1000;
}

impl Integrations {
    /// Finds repositories by name, through every account that the caller may use in the project, or the one that is named.
    /// A portion of each. An account that can't be asked does not hide what the others see.
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
        portion: Portion,
    ) -> Result<Found, Problem> {
        let all = match integration {
            Some(which) => vec![self.get(by, which).await?],
            None => self.store.integrations_for(&by.user, project).await?,
        };
        let wanted = |of: &Integration| provider.is_none_or(|provider| of.provider == provider);
        let asked = all.iter().filter(|of| of.provider.is_forge() && wanted(of) && by.uses(of, project));
        let answers = join_all(asked.map(async |of| (of.id.clone(), self.search_in(of, text, portion).await))).await;
        let mut found = Found::default();
        for (id, answer) in answers {
            match answer {
                Ok(repositories) => {
                    found.more |= repositories.len() > portion.skip + portion.limit;
                    let some = repositories.into_iter().skip(portion.skip).take(portion.limit);
                    found.repositories.extend(some.map(|it| (id.clone(), it)));
                }
                Err(problem) => found.failures.push((id, problem)),
            }
        }
        Ok(found)
    }

    /// Everything up to the end of a portion, and one more if there is one.
    async fn search_in(&self, of: &Integration, text: &str, portion: Portion) -> Result<Vec<RepositoryInfo>, Problem> {
        let opened = self.opened(of).await?;
        let limit = portion.skip + portion.limit + 1;
        opened.repositories()?.search(opened.access(), text, limit).await.map_err(|e| opened.problem(e))
    }
}
