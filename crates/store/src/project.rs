use valetkey_model::ProjectName;

use crate::{Store, StoreError, record::Record};

impl Store {
    /// All projects, by name.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn projects(&self) -> Result<Vec<ProjectName>, StoreError> {
        let rows = sqlx::query("SELECT name FROM projects ORDER BY name").fetch_all(&self.reader).await?;
        rows.iter().map(|row| Record::new(row, "project", "name").parsed("name")).collect()
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
