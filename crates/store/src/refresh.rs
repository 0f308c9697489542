use jiff::Timestamp;
use sqlx::{Any, Executor, Transaction};
use valetkey_model::{CheckOutcome, IntegrationId};

use crate::{
    Store, StoreError,
    record::{Record, millis, to_json},
};

/// What a caller must hold to refresh a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshLease {
    /// Whose credential.
    pub integration: IntegrationId,
    /// The generation of the credential that is to be replaced.
    pub generation: i64,
    /// Random text that nobody else has.
    pub holder: String,
}

/// Whether a caller may refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Yes: the lease is the caller's.
    Won,
    /// The lease is the caller's, but somebody who held it before sent the refresh token and stored no answer: the
    /// provider may have used it up.
    WonStale {
        /// When that one began.
        since: Timestamp,
    },
    /// Somebody else holds it.
    Busy {
        /// When it may be claimed from them.
        until: Timestamp,
    },
    /// The credential is of another generation by now: it was refreshed or replaced.
    Superseded,
    /// The grant behind this credential has ended, so refreshing is over until somebody reconnects.
    Ended(CheckOutcome),
}

/// What a refresh brought. All of it holds from now on.
#[derive(Clone)]
pub struct Refreshed<'a> {
    /// The credential, sealed under the next generation.
    pub sealed: &'a [u8],
    /// The end of the access token.
    pub expires_at: Option<Timestamp>,
    /// The end of the refresh token or the grant.
    pub refresh_expires_at: Option<Timestamp>,
    /// Its scopes; where the provider does not say, they stay.
    pub granted_scopes: Option<&'a [String]>,
}

impl Store {
    /// Asks for the right to refresh the credential of `lease.generation`, until `until`. Of any number of callers one
    /// has it at a time.
    ///
    /// # Errors
    /// `NotFound` when there is no such integration.
    pub async fn claim_refresh(
        &self,
        lease: &RefreshLease,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, StoreError> {
        // Most callers come while somebody else refreshes. They are answered without a lock.
        if let Some(refusal) = refusal(&self.reader, lease, now).await? {
            return Ok(refusal);
        }
        let mut tx = self.begin().await?;
        // Changes nothing: it locks the generation until the lease is written.
        let query = "UPDATE integrations SET generation = generation WHERE id = $1 AND generation = $2";
        let locked = sqlx::query(query).bind(lease.integration.as_str()).bind(lease.generation);
        if locked.execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(refusal(&mut *tx, lease, now).await?.unwrap_or(Claim::Superseded));
        }
        match take(&mut tx, lease, now, until).await? {
            Some(won) => {
                tx.commit().await?;
                Ok(won)
            }
            // It may be free again by now; the caller will see when it asks again, which is at once.
            None => Ok(refusal(&mut *tx, lease, now).await?.unwrap_or(Claim::Busy { until: now })),
        }
    }

    /// To be called before the refresh token is sent. `false` when the lease was lost: then it must not be.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark_refresh_sent(&self, lease: &RefreshLease, until: Timestamp) -> Result<bool, StoreError> {
        let query = "UPDATE refresh_leases SET phase = 'sent', until = $4 \
                     WHERE integration = $1 AND generation = $2 AND holder = $3 AND phase = 'held'";
        let query = sqlx::query(query)
            .bind(lease.integration.as_str())
            .bind(lease.generation)
            .bind(lease.holder.as_str())
            .bind(millis(until));
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Stores the new credential, releases the lease, and returns the credential's generation, one higher. An integration
    /// that was disconnected is connected again: the provider has just said so.
    ///
    /// # Errors
    /// `Stale` when the lease was lost or the credential replaced; then nothing is stored.
    pub async fn complete_refresh(
        &self,
        lease: &RefreshLease,
        new: &Refreshed<'_>,
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        let generation = lease.generation + 1;
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "UPDATE integrations SET generation = $3, sealed = $4, expires_at = $5, refresh_expires_at = $6, \
             granted_scopes = coalesce($7, granted_scopes), unreachable = NULL, updated_at = $8 \
             WHERE id = $1 AND generation = $2 RETURNING id, outcome",
        )
        .bind(lease.integration.as_str())
        .bind(lease.generation)
        .bind(generation)
        .bind(new.sealed)
        .bind(new.expires_at.map(millis))
        .bind(new.refresh_expires_at.map(millis))
        .bind(new.granted_scopes.map(|scopes| to_json(&scopes)))
        .bind(millis(at))
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::Stale("credential"))?;
        let query = "DELETE FROM refresh_leases \
                     WHERE integration = $1 AND generation = $2 AND holder = $3 AND phase = 'sent'";
        let release =
            sqlx::query(query).bind(lease.integration.as_str()).bind(lease.generation).bind(lease.holder.as_str());
        if release.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(StoreError::Stale("refresh"));
        }
        let outcome = Record::new(&row, "integration", "id").json("outcome");
        if !matches!(outcome, Ok(CheckOutcome::Connected | CheckOutcome::InsufficientScope { .. })) {
            sqlx::query("UPDATE integrations SET outcome = $2 WHERE id = $1")
                .bind(lease.integration.as_str())
                .bind(to_json(&CheckOutcome::Connected))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        // The new credential is stored: an error here would say that it is not.
        if let Err(error) = self.scrub().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the write-ahead log could not be emptied");
        }
        Ok(generation)
    }

    /// Releases the lease after nothing was sent, or the provider certainly did not act on it. `false` when it was lost.
    /// What was left behind [stale](Claim::WonStale) before stays so for the next.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn abandon_refresh(&self, lease: &RefreshLease) -> Result<bool, StoreError> {
        let mut released = 0;
        let mut tx = self.begin().await?;
        for query in [
            "UPDATE refresh_leases SET phase = 'held', holder = '', until = 0 WHERE integration = $1 \
             AND generation = $2 AND holder = $3 AND phase <> 'ended' AND unanswered_since IS NOT NULL",
            "DELETE FROM refresh_leases WHERE integration = $1 \
             AND generation = $2 AND holder = $3 AND phase <> 'ended' AND unanswered_since IS NULL",
        ] {
            let query =
                sqlx::query(query).bind(lease.integration.as_str()).bind(lease.generation).bind(lease.holder.as_str());
            released += query.execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(released == 1)
    }

    /// Records that the grant has ended, or may have and nobody can tell. From then on every claim of this generation is
    /// answered [`Claim::Ended`]. `false`, and nothing changes, when the lease was lost.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fail_refresh(
        &self,
        lease: &RefreshLease,
        outcome: &CheckOutcome,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let outcome = to_json(outcome);
        let mut tx = self.begin().await?;
        let judged = sqlx::query(
            "UPDATE integrations SET outcome = $3, unreachable = NULL, updated_at = $4, last_checked_at = $4 \
             WHERE id = $1 AND generation = $2",
        )
        .bind(lease.integration.as_str())
        .bind(lease.generation)
        .bind(outcome.as_str())
        .bind(millis(at));
        let judged = judged.execute(&mut *tx).await?.rows_affected();
        let ended = sqlx::query(
            "UPDATE refresh_leases SET phase = 'ended', outcome = $4 \
             WHERE integration = $1 AND generation = $2 AND holder = $3 AND phase <> 'ended'",
        )
        .bind(lease.integration.as_str())
        .bind(lease.generation)
        .bind(lease.holder.as_str())
        .bind(outcome.as_str());
        let ended = ended.execute(&mut *tx).await?.rows_affected();
        if judged + ended < 2 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Forgets who refreshed the credential, and how that ended: there is another credential now.
pub(crate) async fn forget(tx: &mut Transaction<'_, Any>, id: &IntegrationId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM refresh_leases WHERE integration = $1").bind(id.as_str()).execute(&mut **tx).await?;
    Ok(())
}

/// Why the lease can't be had now, if so.
async fn refusal<'e>(
    from: impl Executor<'e, Database = Any>,
    lease: &RefreshLease,
    now: Timestamp,
) -> Result<Option<Claim>, StoreError> {
    let row = sqlx::query(
        "SELECT id, integrations.generation AS generation, phase, until, refresh_leases.outcome AS outcome \
         FROM integrations LEFT JOIN refresh_leases ON integration = id WHERE id = $1",
    )
    .bind(lease.integration.as_str())
    .fetch_optional(from)
    .await?
    .ok_or(StoreError::NotFound("integration"))?;
    let record = Record::new(&row, "refresh of integration", "id");
    if record.get::<i64>("generation")? != lease.generation {
        return Ok(Some(Claim::Superseded));
    }
    if record.get::<Option<String>>("phase")?.as_deref() == Some("ended") {
        return Ok(Some(Claim::Ended(record.json("outcome")?)));
    }
    Ok(record.time_or_none("until")?.filter(|until| *until > now).map(|until| Claim::Busy { until }))
}

/// Writes the lease, if nobody has it or the time of who has it is up.
async fn take(
    tx: &mut Transaction<'_, Any>,
    lease: &RefreshLease,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Claim>, StoreError> {
    let row = sqlx::query(
        "INSERT INTO refresh_leases (integration, generation, holder, phase, started_at, until) \
         VALUES ($1, $2, $3, 'held', $4, $5) ON CONFLICT (integration) DO UPDATE SET \
         unanswered_since = CASE WHEN refresh_leases.phase = 'sent' \
         THEN coalesce(refresh_leases.unanswered_since, refresh_leases.started_at) \
         ELSE refresh_leases.unanswered_since END, \
         generation = excluded.generation, holder = excluded.holder, phase = 'held', \
         started_at = excluded.started_at, until = excluded.until \
         WHERE refresh_leases.phase <> 'ended' AND refresh_leases.until <= excluded.started_at \
         RETURNING integration, unanswered_since",
    )
    .bind(lease.integration.as_str())
    .bind(lease.generation)
    .bind(lease.holder.as_str())
    .bind(millis(now))
    .bind(millis(until))
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let since = Record::new(&row, "refresh of integration", "integration").time_or_none("unanswered_since")?;
    Ok(Some(since.map_or(Claim::Won, |since| Claim::WonStale { since })))
}
