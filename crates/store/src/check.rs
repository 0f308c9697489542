use jiff::Timestamp;
use sqlx::{Any, AssertSqlSafe, Transaction};
use valetkey_model::{Account, CheckOutcome, Details, Integration, IntegrationId};

use crate::{
    Store, StoreError,
    integration::within,
    record::{Record, millis, to_json},
};

/// What came of asking a provider about a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRecord {
    /// The generation of the credential that was checked.
    pub generation: i64,
    /// When.
    pub checked_at: Timestamp,
    /// What the provider said.
    pub finding: Finding,
}

/// What a provider said of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each check, and it is used up at once")]
pub enum Finding {
    /// It knows the credential and described it.
    Described {
        /// Whether it will do.
        outcome: CheckOutcome,
        /// Whose it is.
        account: Account,
        /// Its scopes; empty where the provider does not say.
        granted_scopes: Vec<String>,
        /// Its end, where the provider says so.
        expires_at: Option<Timestamp>,
        /// What else it said, never secret.
        details: Details,
    },
    /// It gave a verdict and no more, as a refusal does; all else stays as it was.
    Judged(CheckOutcome),
    /// It did not answer, for this reason; all else stays as it was.
    Unreachable(String),
}

/// What a recorded check has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The integration as it was the moment before.
    pub before: Integration,
    /// As it is now.
    pub after: Integration,
}

impl Store {
    /// Records what the provider said; none, and nothing changes, if the credential has been replaced or erased since it
    /// was asked. Of several who record at once, each is told what the one before has left.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn record_check(&self, id: &IntegrationId, check: &CheckRecord) -> Result<Option<Recorded>, StoreError> {
        let mut tx = self.begin().await?;
        // Changes nothing: it locks the row until all is written.
        let lock = sqlx::query("UPDATE integrations SET generation = generation WHERE id = $1 AND generation = $2");
        let locked = lock.bind(id.as_str()).bind(check.generation).execute(&mut *tx).await?;
        if locked.rows_affected() == 0 {
            return Ok(None);
        }
        let before = within(&mut tx, id).await?;
        write(&mut tx, id, check).await?;
        let after = within(&mut tx, id).await?;
        tx.commit().await?;
        self.has_changed();
        Ok(Some(Recorded { before, after }))
    }

    /// Up to `limit` integrations whose check is due, the longest due first. They are the caller's until `lease_until`:
    /// then they are due again, unless the caller [schedules](Self::schedule_check) the next check.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn claim_due_checks(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<IntegrationId>, StoreError> {
        let skip_locked = self.dialect.skip_locked();
        let sql = format!(
            "WITH due AS (SELECT id FROM integrations WHERE removing = 0 AND next_check_at <= $1 \
             ORDER BY next_check_at LIMIT $3 {skip_locked}) \
             UPDATE integrations SET next_check_at = $2 WHERE id IN (SELECT id FROM due) RETURNING id"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(millis(now)).bind(millis(lease_until)).bind(i64::from(limit));
        let rows = query.fetch_all(&self.writer).await?;
        rows.iter().map(|row| Record::new(row, "integration", "id").parsed("id")).collect()
    }

    /// Says when an integration is to be checked next; never, with `None`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schedule_check(&self, id: &IntegrationId, at: Option<Timestamp>) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE integrations SET next_check_at = $2 WHERE id = $1");
        query.bind(id.as_str()).bind(at.map(millis)).execute(&self.writer).await?;
        Ok(())
    }

    /// When the next check is due, if one is scheduled.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_check_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = "SELECT 'first' AS id, min(next_check_at) AS due FROM integrations WHERE removing = 0";
        let row = sqlx::query(query).fetch_one(&self.reader).await?;
        Record::new(&row, "check", "id").time_or_none("due")
    }

    /// Whether the caller is the one to tell that an integration is about to expire: nobody has since
    /// `at_most_since`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_expiring(
        &self,
        id: &IntegrationId,
        at: Timestamp,
        at_most_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE integrations SET expiring_noted_at = $2 WHERE id = $1 AND removing = 0 \
             AND (expiring_noted_at IS NULL OR expiring_noted_at <= $3)",
        );
        let query = query.bind(id.as_str()).bind(millis(at)).bind(millis(at_most_since));
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }
}

/// Writes what a provider said of the locked row's credential.
async fn write(tx: &mut Transaction<'_, Any>, id: &IntegrationId, check: &CheckRecord) -> Result<(), StoreError> {
    let query = match &check.finding {
        Finding::Described { outcome, account, granted_scopes, expires_at, details } => sqlx::query(
            "UPDATE integrations SET updated_at = CASE WHEN outcome = $3 AND unreachable IS NULL AND account = $4 \
             AND granted_scopes = $5 AND expires_at IS NOT DISTINCT FROM $6 AND details IS NOT DISTINCT FROM $7 \
             THEN updated_at ELSE $2 END, outcome = $3, unreachable = NULL, account = $4, granted_scopes = $5, \
             expires_at = $6, details = $7, last_checked_at = $2 WHERE id = $1",
        )
        .bind(id.as_str())
        .bind(millis(check.checked_at))
        .bind(to_json(outcome))
        .bind(to_json(account))
        .bind(to_json(granted_scopes))
        .bind(expires_at.map(millis))
        .bind(to_json(details)),
        Finding::Judged(outcome) => sqlx::query(
            "UPDATE integrations SET updated_at = CASE WHEN outcome = $3 AND unreachable IS NULL THEN updated_at \
             ELSE $2 END, outcome = $3, unreachable = NULL, last_checked_at = $2 WHERE id = $1",
        )
        .bind(id.as_str())
        .bind(millis(check.checked_at))
        .bind(to_json(outcome)),
        Finding::Unreachable(reason) => {
            sqlx::query("UPDATE integrations SET unreachable = $3, last_checked_at = $2 WHERE id = $1")
                .bind(id.as_str())
                .bind(millis(check.checked_at))
                .bind(reason.as_str())
        }
    };
    query.execute(&mut **tx).await?;
    Ok(())
}
