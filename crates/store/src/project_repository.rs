use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{BranchName, IntegrationId, ProblemCode, ProjectName, ProviderKind, RepoUrl, UserId};

use crate::{
    Store, StoreError,
    conditions::{Conditions, like},
    record::{Record, millis},
};

/// A repository of a project, with what the account that was asked last may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRepository {
    /// Which.
    pub url: RepoUrl,
    /// What was found.
    pub checked: RepositoryCheck,
    /// When it became one of the project's.
    pub added_at: Timestamp,
    /// Who added it.
    pub added_by: UserId,
}

/// What a provider said of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryCheck {
    /// Whose it is.
    pub provider: ProviderKind,
    /// With which integration it was asked; none if that is no more. Not for everybody: it may be somebody's own.
    pub integration: Option<IntegrationId>,
    /// The default branch; none while the repository is empty.
    pub default_branch: Option<BranchName>,
    /// Whether it is read-only for everybody.
    pub archived: bool,
    /// Why the account may not push, as half a sentence; none if it may.
    pub why_not_push: Option<String>,
    /// Why nothing was shown this time; the rest is then as it was before.
    pub refusal: Option<ProblemCode>,
    /// When.
    pub at: Timestamp,
    /// For whom.
    pub by: UserId,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT url, provider, integration, default_branch, archived, why_not_push, refusal, checked_at, checked_by, ",
            "added_at, added_by FROM project_repositories ",
            $rest
        )
    };
}

impl Store {
    /// The repositories that were asked about with an integration the last time, by project.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn repositories_asked_with(
        &self,
        integration: &IntegrationId,
    ) -> Result<Vec<(ProjectName, RepoUrl)>, StoreError> {
        let query = "SELECT project, url FROM project_repositories WHERE integration = $1 ORDER BY project, url";
        let rows = sqlx::query(query).bind(integration.as_str()).fetch_all(&self.reader).await?;
        let pair = |row: &AnyRow| {
            let record = Record::new(row, "repository", "url");
            Ok((record.parsed("project")?, record.parsed("url")?))
        };
        rows.iter().map(pair).collect()
    }

    /// Adds a repository to a project.
    ///
    /// # Errors
    /// `Conflict` when it is one of the project's already; `NotFound` when there is no such project, or the integration
    /// was disconnected meanwhile.
    pub async fn insert_repository(&self, project: &ProjectName, new: &ProjectRepository) -> Result<(), StoreError> {
        let checked = &new.checked;
        sqlx::query(
            "INSERT INTO project_repositories (project, url, provider, integration, default_branch, archived, \
             why_not_push, refusal, checked_at, checked_by, added_at, added_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(project.as_str())
        .bind(new.url.to_string())
        .bind(checked.provider.slug())
        .bind(checked.integration.as_ref().map(IntegrationId::as_str))
        .bind(checked.default_branch.as_ref().map(BranchName::as_str))
        .bind(i64::from(checked.archived))
        .bind(checked.why_not_push.as_deref())
        .bind(checked.refusal.map(ProblemCode::as_str))
        .bind(millis(checked.at))
        .bind(checked.by.as_str())
        .bind(millis(new.added_at))
        .bind(new.added_by.as_str())
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this repository is one of the project's already", "project"))?;
        Ok(())
    }

    /// Records what was found of a repository anew.
    ///
    /// # Errors
    /// `NotFound` when it is not one of the project's, or the integration was disconnected meanwhile.
    pub async fn record_repository(
        &self,
        project: &ProjectName,
        url: &RepoUrl,
        checked: &RepositoryCheck,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE project_repositories SET provider = $3, integration = $4, default_branch = $5, archived = $6, \
             why_not_push = $7, refusal = $8, checked_at = $9, checked_by = $10 WHERE project = $1 AND url = $2",
        )
        .bind(project.as_str())
        .bind(url.to_string())
        .bind(checked.provider.slug())
        .bind(checked.integration.as_ref().map(IntegrationId::as_str))
        .bind(checked.default_branch.as_ref().map(BranchName::as_str))
        .bind(i64::from(checked.archived))
        .bind(checked.why_not_push.as_deref())
        .bind(checked.refusal.map(ProblemCode::as_str))
        .bind(millis(checked.at))
        .bind(checked.by.as_str())
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this repository is one of the project's already", "integration"))?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound("repository in this project")) } else { Ok(()) }
    }

    /// One of a project's repositories.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn repository(
        &self,
        project: &ProjectName,
        url: &RepoUrl,
    ) -> Result<Option<ProjectRepository>, StoreError> {
        let query =
            sqlx::query(select!("WHERE project = $1 AND url = $2")).bind(project.as_str()).bind(url.to_string());
        query.fetch_optional(&self.reader).await?.as_ref().map(repository).transpose()
    }

    /// Up to `limit` of a project's repositories that have `text` in their address, ignoring case; by address, from the
    /// one behind `after`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn repositories_page(
        &self,
        project: &ProjectName,
        text: Option<&str>,
        after: Option<&RepoUrl>,
        limit: u32,
    ) -> Result<Vec<ProjectRepository>, StoreError> {
        let mut query = Conditions::new(concat!(select!(""), "WHERE url IS NOT NULL"));
        query.and("project =", project.as_str());
        query.and_if("url >", after.map(ToString::to_string));
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
            query.and("lower(url) LIKE", like(text));
            query.push(" ESCAPE '!'");
        }
        let limit = query.bind(i64::from(limit));
        query.push(&format!(" ORDER BY url LIMIT {limit}"));
        query.fetch(&self.reader).await?.iter().map(repository).collect()
    }

    /// Takes a repository out of a project; `false` if it was not in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_repository(&self, project: &ProjectName, url: &RepoUrl) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM project_repositories WHERE project = $1 AND url = $2");
        let done = query.bind(project.as_str()).bind(url.to_string()).execute(&self.writer).await?;
        Ok(done.rows_affected() == 1)
    }
}

fn repository(row: &AnyRow) -> Result<ProjectRepository, StoreError> {
    let record = Record::new(row, "repository", "url");
    let refusal = record.get::<Option<&str>>("refusal")?.map(|_| record.word("refusal")).transpose()?;
    Ok(ProjectRepository {
        url: record.parsed("url")?,
        checked: RepositoryCheck {
            provider: record.parsed("provider")?,
            integration: record.parsed_or_none("integration")?,
            default_branch: record.parsed_or_none("default_branch")?,
            archived: record.flag("archived")?,
            why_not_push: record.get("why_not_push")?,
            refusal,
            at: record.time("checked_at")?,
            by: record.parsed("checked_by")?,
        },
        added_at: record.time("added_at")?,
        added_by: record.parsed("added_by")?,
    })
}
