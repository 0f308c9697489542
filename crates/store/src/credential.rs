use std::fmt;

use jiff::Timestamp;
use sqlx::{Any, Transaction, any::AnyRow};
use valetkey_model::{AuthMethod, IntegrationId};

use crate::{
    Store, StoreError,
    record::{BEFORE_ALL_IDS, Record, millis},
    refresh,
};

/// A credential as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Which one of its integration it is; part of the identity under which it is sealed.
    pub generation: i64,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredCredential(generation {}, {} bytes)", self.generation, self.sealed.len())
    }
}

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
    /// The credential of an integration, also while it is being removed: sessions may still hold it.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn credential(&self, id: &IntegrationId) -> Result<Option<StoredCredential>, StoreError> {
        let query = sqlx::query("SELECT id, generation, sealed FROM integrations WHERE id = $1").bind(id.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(credential).transpose()
    }

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
        self.scrub().await?;
        Ok(generation)
    }

    /// Up to `limit` credentials, from that of the integration after `after`: for the rotation of master keys.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn credentials_page(
        &self,
        limit: u32,
        after: Option<&IntegrationId>,
    ) -> Result<Vec<(IntegrationId, StoredCredential)>, StoreError> {
        let rows = sqlx::query("SELECT id, generation, sealed FROM integrations WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after.map_or(BEFORE_ALL_IDS, IntegrationId::as_str))
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        let with_id = |row: &AnyRow| Ok((Record::new(row, "credential", "id").parsed("id")?, credential(row)?));
        rows.iter().map(with_id).collect()
    }

    /// Puts `new` in place of `old`, the same credential under another master key; `false` if it is no longer `old`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rewrap_credential(
        &self,
        id: &IntegrationId,
        generation: i64,
        old: &[u8],
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE integrations SET sealed = $4 WHERE id = $1 AND generation = $2 AND sealed = $3")
            .bind(id.as_str())
            .bind(generation)
            .bind(old)
            .bind(new)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() == 1)
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

fn credential(row: &AnyRow) -> Result<StoredCredential, StoreError> {
    let record = Record::new(row, "credential", "id");
    Ok(StoredCredential { generation: record.get("generation")?, sealed: record.get("sealed")? })
}
