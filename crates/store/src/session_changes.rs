use valetkey_model::{RepositoryChanges, SessionId};

use crate::{
    Store, StoreError,
    record::{Record, to_json},
};

impl Store {
    /// Records what a session changed in its `repository`-th repository, in place of what was recorded before. It goes
    /// with the session.
    ///
    /// # Errors
    /// `NotFound` when there is no such session.
    pub async fn set_changes(
        &self,
        session: &SessionId,
        repository: usize,
        changes: &RepositoryChanges,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO session_changes (session, repository, body) VALUES ($1, $2, $3) \
             ON CONFLICT (session, repository) DO UPDATE SET body = excluded.body",
        )
        .bind(session.as_str())
        .bind(i64::try_from(repository).expect("a session has few repositories"))
        .bind(to_json(changes))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "these changes are recorded already", "session"))?;
        Ok(())
    }

    /// What a session changed, in the order of its repositories; those in which nothing changed are left out.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn changes(&self, session: &SessionId) -> Result<Vec<RepositoryChanges>, StoreError> {
        let query = "SELECT session, body FROM session_changes WHERE session = $1 ORDER BY repository";
        let rows = sqlx::query(query).bind(session.as_str()).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Record::new(row, "changes of session", "session").json("body")).collect()
    }
}
