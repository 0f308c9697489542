use valetkey_model::{Problem, ProjectName, RepoUrl, UserId};
use valetkey_providers::{Access, BranchInfo};

use crate::{Integrations, credential::repositories_of};

impl Integrations {
    /// All branches of a repository, asked with the integration that a session would use.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), or the provider's refusal.
    pub async fn branches(
        &self,
        caller: &UserId,
        project: &ProjectName,
        repo: &RepoUrl,
    ) -> Result<Vec<BranchInfo>, Problem> {
        let instance = repo.instance();
        let integration = self.resolve(caller, project, None, Some(instance), None).await?.integration;
        let (credential, _) = self.usable(&integration).await?;
        let access = Access { http: &self.http, instance, credential: &credential, now: self.clock.now() };
        let answer = repositories_of(integration.provider)?.branches(access, repo).await;
        answer.map_err(|e| e.into_problem(integration.provider, instance))
    }
}
