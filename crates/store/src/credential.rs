use jiff::Timestamp;
use sqlx::{Any, Transaction};
use valetkey_model::{AuthMethod, IntegrationId};

use crate::{Store, StoreError, record::millis, refresh};

/// What a person brings who connects again.
#[derive(Clone)]
pub struct Reconnection<'a> {
    /// The credential, sealed under the next generation.
    pub sealed: &'a [u8],
    /// How it was got.
    pub auth_method: AuthMethod,
    /// The end of the credential, or of its access token.
    pub expires_at: Option<Timestamp>,
    /// The end of its refresh token or grant.
    pub refresh_expires_at: Option<Timestamp>,
}

impl Store {
    /// Puts another credential in place of the one of `expected_generation`, and returns its generation, one higher. It
    /// must be sealed under that. Who was about to refresh the one before is too late.
    ///
    /// # Errors
    /// `Stale` when somebody else replaced or erased it meanwhile.
    pub async fn replace_credential(
        &self,
        id: &IntegrationId,
        expected_generation: i64,
        sealed: &[u8],
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        let generation = replace(&mut tx, id, expected_generation, sealed, at).await?;
        tx.commit().await?;
        self.has_changed();
        self.scrub().await?;
        Ok(generation)
    }

    /// As [`replace_credential`](Self::replace_credential), for one that was got in another way or under another grant.
    ///
    /// # Errors
    /// `Stale` when somebody else replaced or erased it meanwhile.
    pub async fn reconnect(
        &self,
        id: &IntegrationId,
        expected_generation: i64,
        new: &Reconnection<'_>,
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        let mut tx = self.begin().await?;
        let generation = replace(&mut tx, id, expected_generation, new.sealed, at).await?;
        sqlx::query("UPDATE integrations SET auth_method = $2, expires_at = $3, refresh_expires_at = $4 WHERE id = $1")
            .bind(id.as_str())
            .bind(new.auth_method.as_str())
            .bind(new.expires_at.map(millis))
            .bind(new.refresh_expires_at.map(millis))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.has_changed();
        self.scrub().await?;
        Ok(generation)
    }
}

async fn replace(
    tx: &mut Transaction<'_, Any>,
    id: &IntegrationId,
    expected_generation: i64,
    sealed: &[u8],
    at: Timestamp,
) -> Result<i64, StoreError> {
    let generation = expected_generation + 1;
    let done = sqlx::query(
        "UPDATE integrations SET generation = $3, sealed = $4, updated_at = $5 WHERE id = $1 AND generation = $2",
    )
    .bind(id.as_str())
    .bind(expected_generation)
    .bind(generation)
    .bind(sealed)
    .bind(millis(at))
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Stale("credential"));
    }
    refresh::forget(tx, id).await?;
    Ok(generation)
}
