//! The repositories of projects: asked for with the integration of whoever adds them.

use valetkey_model::{Actor, Integration, IntegrationRef, Problem, ProblemCode, ProjectName, RepoUrl, Role};
use valetkey_providers::RepositoryAccess;
use valetkey_store::{ProjectRepository, RepositoryCheck};

use crate::{Integrations, list::Resolved};

/// A repository of a project as it was just found.
#[derive(Debug, Clone)]
pub struct CheckedRepository {
    /// The repository.
    pub repository: ProjectRepository,
    /// The integration with which the provider was asked, and why that one: for the eyes of who asked only.
    pub with: Resolved,
}

impl Integrations {
    /// Adds a repository to a project, once its provider has shown it to the integration that a session of the caller's
    /// would use, or to the one that they name.
    ///
    /// # Errors
    /// `not_found`, `forbidden`; `conflict` for one that the project has; as [`resolve`](Self::resolve); the provider's
    /// refusal. A repository that the account may only read is none.
    pub async fn add_repository(
        &self,
        by: &Actor,
        project: &ProjectName,
        url: &RepoUrl,
        named: Option<&IntegrationRef>,
    ) -> Result<CheckedRepository, Problem> {
        self.require_admin(by, project).await?;
        let resolved = self.resolve(by, project, None, Some(url.instance()), named).await?;
        let access = self.repository(&resolved.integration, url).await?;
        let now = self.clock.now();
        let checked = self.finding(by, &resolved.integration, &access);
        let repository =
            ProjectRepository { url: spelled(url, &access), checked, added_at: now, added_by: by.user.clone() };
        self.store.insert_repository(project, &repository).await?;
        tracing::info!(%project, repository = %repository.url, "added to the project");
        Ok(CheckedRepository { repository, with: resolved })
    }

    /// Asks a repository's provider anew, and records what it says.
    ///
    /// # Errors
    /// As [`add_repository`](Self::add_repository), and `not_found` for one that the project does not have. A provider
    /// that refuses to show it is recorded, too; one that does not answer is not.
    pub async fn recheck_repository(
        &self,
        by: &Actor,
        project: &ProjectName,
        url: &RepoUrl,
        named: Option<&IntegrationRef>,
    ) -> Result<CheckedRepository, Problem> {
        self.require_admin(by, project).await?;
        let mut known = self.store.repository(project, url).await?.ok_or_else(|| not_in(project))?;
        let resolved = self.resolve(by, project, None, Some(url.instance()), named).await?;
        let answer = self.repository(&resolved.integration, url).await;
        known.checked = match &answer {
            Ok(access) => self.finding(by, &resolved.integration, access),
            Err(problem) if is_about_the_repository(problem.code) => RepositoryCheck {
                integration: Some(resolved.integration.id.clone()),
                refusal: Some(problem.code),
                at: self.clock.now(),
                by: by.user.clone(),
                ..known.checked
            },
            Err(_) => known.checked,
        };
        self.store.record_repository(project, url, &known.checked).await?;
        answer.map(|_| CheckedRepository { repository: known, with: resolved })
    }

    /// Takes a repository out of a project. Sessions that work on it go on.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn remove_repository(&self, by: &Actor, project: &ProjectName, url: &RepoUrl) -> Result<(), Problem> {
        self.require_admin(by, project).await?;
        if self.store.delete_repository(project, url).await? { Ok(()) } else { Err(not_in(project)) }
    }

    async fn require_admin(&self, by: &Actor, project: &ProjectName) -> Result<(), Problem> {
        by.require(Role::Admin, project)?;
        // To an administrator of the instance every name is a project that they administer.
        if self.store.project_exists(project).await? { Ok(()) } else { Err(Actor::no_project(project)) }
    }

    fn finding(&self, by: &Actor, with: &Integration, access: &RepositoryAccess) -> RepositoryCheck {
        RepositoryCheck {
            provider: with.provider,
            integration: Some(with.id.clone()),
            default_branch: access.default_branch.as_deref().and_then(|name| name.parse().ok()),
            archived: access.archived,
            why_not_push: access.why_not_push.clone(),
            refusal: None,
            at: self.clock.now(),
            by: by.user.clone(),
        }
    }
}

/// The address as the provider spells it, where only capitals differ: a repository is in a project once.
fn spelled(url: &RepoUrl, access: &RepositoryAccess) -> RepoUrl {
    let same = access.path.eq_ignore_ascii_case(url.path());
    let told = format!("{}/{}", url.instance(), access.path).parse().ok();
    told.filter(|_| same).unwrap_or_else(|| url.clone())
}

fn is_about_the_repository(code: ProblemCode) -> bool {
    matches!(code, ProblemCode::RepositoryNotFound | ProblemCode::InsufficientScope | ProblemCode::SsoRequired)
}

fn not_in(project: &ProjectName) -> Problem {
    Problem::new(ProblemCode::NotFound, format!("This repository is not one of the project '{project}'."))
}
