use jiff::Timestamp;
use valetkey_model::UserId;

use crate::{
    Store, StoreError,
    record::{Record, millis},
};

impl Store {
    /// Stores the hash of a one-time sign-in link.
    ///
    /// # Errors
    /// `Conflict` when it exists already.
    pub async fn insert_sign_in_link(&self, hash: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO sign_in_links (hash, expires_at) VALUES ($1, $2)")
            .bind(hash)
            .bind(millis(expires_at))
            .execute(&self.writer)
            .await
            .map_err(|e| StoreError::of_write(e, "this sign-in link exists already", "user"))?;
        Ok(())
    }

    /// Uses a sign-in link up; true for one caller only, and only before its end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consume_sign_in_link(&self, hash: &str, now: Timestamp) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM sign_in_links WHERE hash = $1 AND expires_at > $2");
        Ok(query.bind(hash).bind(millis(now)).execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Stores the hash of a browser session's cookie.
    ///
    /// # Errors
    /// `Conflict` when it exists already.
    pub async fn insert_web_session(
        &self,
        hash: &str,
        owner: &UserId,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO web_sessions (hash, owner, expires_at) VALUES ($1, $2, $3)")
            .bind(hash)
            .bind(owner.as_str())
            .bind(millis(expires_at))
            .execute(&self.writer)
            .await
            .map_err(|e| StoreError::of_write(e, "this browser session exists already", "user"))?;
        Ok(())
    }

    /// Whose browser session it is, until its end.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn web_session(&self, hash: &str, now: Timestamp) -> Result<Option<UserId>, StoreError> {
        let query = sqlx::query("SELECT owner FROM web_sessions WHERE hash = $1 AND expires_at > $2");
        let row = query.bind(hash).bind(millis(now)).fetch_optional(&self.reader).await?;
        row.map(|row| Record::new(&row, "browser session of", "owner").parsed("owner")).transpose()
    }

    /// Ends a browser session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_web_session(&self, hash: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM web_sessions WHERE hash = $1").bind(hash).execute(&self.writer).await?;
        Ok(())
    }
}
