use jiff::Timestamp;
use sqlx::{Any, Transaction, any::AnyRow};
use valetkey_model::{Actor, Project, ProjectName, Projects};

use crate::{
    Member, Store, StoreError,
    conditions::{Conditions, like},
    member::insert_member,
    record::{Record, millis, to_json},
};

/// What a project holds, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProjectContents {
    /// Sessions that are not over.
    pub running: i64,
    /// Sessions that are over, with their logs.
    pub sessions: i64,
    /// Integrations that the project owns.
    pub integrations: i64,
    /// Integrations that people connected for themselves in it.
    pub private_integrations: i64,
    /// Repositories.
    pub repositories: i64,
    /// Memberships.
    pub members: i64,
    /// API tokens that are good for it alone.
    pub tokens: i64,
    /// Secrets.
    pub secrets: i64,
    /// Webhooks.
    pub webhooks: i64,
    /// Assistants.
    pub assistants: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT name, description, settings, created_at FROM projects ", $rest)
    };
}

const TAKEN: &str = "a project with this name exists already; choose another name";

impl Store {
    /// All projects, by name.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn projects(&self) -> Result<Vec<ProjectName>, StoreError> {
        let rows = sqlx::query("SELECT name FROM projects ORDER BY name").fetch_all(&self.reader).await?;
        rows.iter().map(|row| Record::new(row, "project", "name").parsed("name")).collect()
    }

    /// Stores a new project that nobody is in.
    ///
    /// # Errors
    /// `Conflict` when there is one of this name.
    pub async fn insert_project(&self, name: &ProjectName, at: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("INSERT INTO projects (name, created_at) VALUES ($1, $2)");
        let done = query.bind(name.as_str()).bind(millis(at)).execute(&self.writer).await;
        done.map_err(|e| StoreError::of_write(e, TAKEN, "project"))?;
        Ok(())
    }

    /// Whether there is such a project.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn project_exists(&self, name: &ProjectName) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT name FROM projects WHERE name = $1").bind(name.as_str());
        Ok(query.fetch_optional(&self.reader).await?.is_some())
    }

    /// The project of this name.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn project(&self, name: &ProjectName) -> Result<Option<Project>, StoreError> {
        let query = sqlx::query(select!("WHERE name = $1")).bind(name.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(project).transpose()
    }

    /// Up to `limit` of the projects that somebody is in, and that have `text` in their name or description, ignoring
    /// case; by name, from the one behind `after`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn projects_page(
        &self,
        by: &Actor,
        text: Option<&str>,
        after: Option<&ProjectName>,
        limit: u32,
    ) -> Result<Vec<Project>, StoreError> {
        let mut query = Conditions::new(concat!(select!(""), "WHERE name IS NOT NULL"));
        query.and_if("name >", after.map(ProjectName::as_str));
        if let Projects::These(names) = by.projects() {
            query.and_in("name", names.into_iter().map(ProjectName::as_str));
        }
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
            let text = query.bind(like(text));
            query.push(&format!(" AND (name LIKE {text} ESCAPE '!' OR lower(description) LIKE {text} ESCAPE '!')"));
        }
        let limit = query.bind(i64::from(limit));
        query.push(&format!(" ORDER BY name LIMIT {limit}"));
        query.fetch(&self.reader).await?.iter().map(project).collect()
    }

    /// Stores a new project with its first member.
    ///
    /// # Errors
    /// `Conflict` when the name is taken.
    pub async fn create_project(&self, new: &Project, first: &Member) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO projects (name, description, settings, created_at) VALUES ($1, $2, $3, $4)")
            .bind(new.name.as_str())
            .bind(new.description.as_str())
            .bind(to_json(&new.settings))
            .bind(millis(new.created_at))
            .execute(&mut *tx)
            .await
            .map_err(|e| StoreError::of_write(e, TAKEN, "project"))?;
        insert_member(&mut tx, &new.name, first).await?;
        Ok(tx.commit().await?)
    }

    /// Changes a project's description and settings as `change` says, seeing them as nobody else changes them meanwhile.
    ///
    /// # Errors
    /// `NotFound` when there is no such project.
    pub async fn change_project(
        &self,
        name: &ProjectName,
        change: impl FnOnce(&mut Project) + Send,
    ) -> Result<Project, StoreError> {
        let mut tx = self.begin().await?;
        lock(&mut tx, name).await?;
        let query = sqlx::query(select!("WHERE name = $1")).bind(name.as_str());
        let mut changed = project(&query.fetch_one(&mut *tx).await?)?;
        change(&mut changed);
        sqlx::query("UPDATE projects SET description = $2, settings = $3 WHERE name = $1")
            .bind(name.as_str())
            .bind(changed.description.as_str())
            .bind(to_json(&changed.settings))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// What a project holds; nothing if there is none of this name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn project_contents(&self, name: &ProjectName) -> Result<ProjectContents, StoreError> {
        let row = sqlx::query(
            "SELECT CAST($1 AS TEXT) AS name, \
             (SELECT count(*) FROM sessions WHERE project = $1 AND finished = 0) AS running, \
             (SELECT count(*) FROM sessions WHERE project = $1 AND finished = 1) AS sessions, \
             (SELECT count(*) FROM integrations WHERE project = $1 AND scope = 'project') AS integrations, \
             (SELECT count(*) FROM integrations WHERE project = $1 AND scope = 'user') AS private_integrations, \
             (SELECT count(*) FROM project_repositories WHERE project = $1) AS repositories, \
             (SELECT count(*) FROM project_members WHERE project = $1) AS members, \
             (SELECT count(*) FROM tokens WHERE project = $1) AS tokens, \
             (SELECT count(*) FROM secrets WHERE project = $1) AS secrets, \
             (SELECT count(*) FROM webhooks WHERE project = $1) AS webhooks, \
             (SELECT count(*) FROM assistants WHERE project = $1) AS assistants",
        )
        .bind(name.as_str())
        .fetch_one(&self.reader)
        .await?;
        let record = Record::new(&row, "project", "name");
        Ok(ProjectContents {
            running: record.get("running")?,
            sessions: record.get("sessions")?,
            integrations: record.get("integrations")?,
            private_integrations: record.get("private_integrations")?,
            repositories: record.get("repositories")?,
            members: record.get("members")?,
            tokens: record.get("tokens")?,
            secrets: record.get("secrets")?,
            webhooks: record.get("webhooks")?,
            assistants: record.get("assistants")?,
        })
    }

    /// Deletes a project that holds neither sessions nor integrations, with everything else of it: its secrets and the
    /// signing secrets of its webhooks are erased. `false` if there is none of this name.
    ///
    /// # Errors
    /// `Conflict` when it holds some.
    pub async fn delete_project(&self, name: &ProjectName) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM projects WHERE name = $1").bind(name.as_str());
        match query.execute(&self.writer).await {
            Ok(done) => {
                self.scrub().await?;
                Ok(done.rows_affected() == 1)
            }
            Err(sqlx::Error::Database(refusal)) if refusal.is_foreign_key_violation() => {
                Err(StoreError::Conflict("the project still holds sessions or integrations"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes those who change the same project wait for this transaction's end.
pub(crate) async fn lock(tx: &mut Transaction<'_, Any>, name: &ProjectName) -> Result<(), StoreError> {
    let query = sqlx::query("UPDATE projects SET name = name WHERE name = $1").bind(name.as_str());
    match query.execute(&mut **tx).await?.rows_affected() {
        0 => Err(StoreError::NotFound("project")),
        _ => Ok(()),
    }
}

fn project(row: &AnyRow) -> Result<Project, StoreError> {
    let record = Record::new(row, "project", "name");
    Ok(Project {
        name: record.parsed("name")?,
        description: record.parsed("description")?,
        settings: record.json_or_none("settings")?.unwrap_or_default(),
        created_at: record.time("created_at")?,
    })
}
