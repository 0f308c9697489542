use jiff::Timestamp;
use valetkey_model::ProjectName;

use crate::{
    Store, StoreError,
    record::{Record, millis},
};

impl Store {
    /// All projects, by name.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn projects(&self) -> Result<Vec<ProjectName>, StoreError> {
        let rows = sqlx::query("SELECT name FROM projects ORDER BY name").fetch_all(&self.reader).await?;
        rows.iter().map(|row| Record::new(row, "project", "name").parsed("name")).collect()
    }

    /// Makes a project.
    ///
    /// # Errors
    /// `Conflict` when there is one of this name.
    pub async fn insert_project(&self, name: &ProjectName, at: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("INSERT INTO projects (name, created_at) VALUES ($1, $2)");
        let done = query.bind(name.as_str()).bind(millis(at)).execute(&self.writer).await;
        done.map_err(|e| StoreError::of_write(e, "a project of this name exists already", "project"))?;
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
}
