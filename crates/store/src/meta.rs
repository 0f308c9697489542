use jiff::Timestamp;

use crate::{Store, StoreError, record::millis};

impl Store {
    /// Whether this is the first start on this database; true exactly once, whoever asks.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_start(&self, now: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query("INSERT INTO meta (key, value) VALUES ('first_start', $1) ON CONFLICT (key) DO NOTHING")
            .bind(millis(now).to_string())
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
