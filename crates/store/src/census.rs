use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use valetkey_model::{ProviderKind, Status};

use crate::{
    Store, StoreError,
    record::{Record, millis},
};

/// How many integrations of one provider are in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// The kind of service.
    pub provider: ProviderKind,
    /// The state.
    pub status: Status,
    /// How many; never none.
    pub count: u64,
}

impl Store {
    /// Counts the integrations as of `now`, in one query. Those that are being removed are left out.
    ///
    /// The states are those of [`Integration::status`](valetkey_model::Integration::status), said once more in SQL; a
    /// test holds the two together.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn census(&self, now: Timestamp, expiring_before: Timestamp) -> Result<Vec<Census>, StoreError> {
        let sql = format!(
            "SELECT provider, status, count(*) AS count FROM (SELECT provider, {} AS status FROM integrations \
             WHERE removing = 0) AS one GROUP BY 1, 2 ORDER BY 1, 2",
            status_sql("$1", "$2")
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(millis(now))
            .bind(millis(expiring_before))
            .fetch_all(&self.reader)
            .await?;
        let counted = |row| {
            let record = Record::new(row, "count of integrations", "provider");
            let count = u64::try_from(record.get::<i64>("count")?).map_err(|_| record.damaged("count"))?;
            Ok(Census { provider: record.parsed("provider")?, status: record.word("status")?, count })
        };
        rows.iter().map(counted).collect()
    }
}

/// An integration's state as of the moment at the place `now`, where `soon` is the end of what counts as expiring.
pub(crate) fn status_sql(now: &str, soon: &str) -> String {
    let ends_at = "(CASE WHEN auth_method IN ('oauth', 'app') THEN refresh_expires_at ELSE expires_at END)";
    format!(
        r#"(CASE
            WHEN outcome LIKE '{{"outcome":"disconnected"%' OR {ends_at} <= {now} THEN 'disconnected'
            WHEN unreachable IS NOT NULL THEN 'unreachable'
            WHEN outcome LIKE '{{"outcome":"insufficient_scope"%' THEN 'insufficient_scope'
            WHEN {ends_at} < {soon} THEN 'expiring'
            ELSE 'connected' END)"#
    )
}
