use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use crate::{Store, StoreError, record::millis};

/// How many rows one transaction deletes: few enough that nobody waits for it for long.
const BATCH: u64 = 500;

impl Store {
    /// Forgets the authorizations, sign-in links and browser sessions whose end has passed, and the integration events
    /// from before `events_before`; returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self, now: Timestamp, events_before: Timestamp) -> Result<u64, StoreError> {
        Ok(self.purge_sign_ins(now).await?
            + self.purge_table("oauth_attempts", "id", "expires_at", now).await?
            + self.purge_table("integration_events", "id", "at", events_before).await?)
    }

    /// Forgets the sign-in links and browser sessions whose end has passed; returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge_sign_ins(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.purge_table("sign_in_links", "hash", "expires_at", now).await?
            + self.purge_table("web_sessions", "hash", "expires_at", now).await?)
    }

    /// Forgets the notifications that were delivered or given up before then; returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge_deliveries(&self, finished_before: Timestamp) -> Result<u64, StoreError> {
        self.purge_table("webhook_deliveries", "id", "finished_at", finished_before).await
    }

    async fn purge_table(
        &self,
        table: &'static str,
        key: &'static str,
        time: &'static str,
        end: Timestamp,
    ) -> Result<u64, StoreError> {
        let skip_locked = self.dialect.skip_locked();
        let sql = format!(
            "WITH past AS (SELECT {key} FROM {table} WHERE {time} <= $1 ORDER BY {time} LIMIT {BATCH} {skip_locked}) \
             DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM past)"
        );
        let mut total = 0;
        loop {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(millis(end));
            let deleted = query.execute(&self.writer).await?.rows_affected();
            total += deleted;
            if deleted < BATCH {
                return Ok(total);
            }
        }
    }
}
