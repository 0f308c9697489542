use valetkey_model::{Actor, Problem, ProjectName, RepoUrl};
use valetkey_providers::BranchInfo;

use crate::Integrations;

impl Integrations {
    /// All branches of a repository, asked with the integration that a session would use.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), or the provider's refusal.
    pub async fn branches(
        &self,
        by: &Actor,
        project: &ProjectName,
        repo: &RepoUrl,
    ) -> Result<Vec<BranchInfo>, Problem> {
        let opened = self.opened(&self.serving(by, project, repo).await?).await?;
        opened.repositories()?.branches(opened.access(), repo).await.map_err(|e| opened.problem(e))
    }
}
