use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{Limits, ProjectName, TokenId, UserId};

use crate::{
    Store, StoreError,
    record::{Record, USE_GRANULARITY_MS, millis},
};

/// An API token of ours: everything about it but the token, of which only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id.
    pub id: TokenId,
    /// What its owner calls it.
    pub name: String,
    /// Who it speaks for.
    pub owner: UserId,
    /// What it may do less than they.
    pub limits: Limits,
    /// The token's hash.
    pub hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// When it was last presented.
    pub last_used_at: Option<Timestamp>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, owner, project, read_only, hash, created_at, expires_at, last_used_at FROM tokens ",
            $rest
        )
    };
}

impl Store {
    /// Stores a new token.
    ///
    /// # Errors
    /// `Conflict` when its id or hash exists already.
    pub async fn insert_token(&self, token: &TokenRecord) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO tokens (id, name, owner, hash, created_at, expires_at, last_used_at, project, read_only) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(token.id.as_str())
        .bind(token.name.as_str())
        .bind(token.owner.as_str())
        .bind(token.hash.as_str())
        .bind(millis(token.created_at))
        .bind(token.expires_at.map(millis))
        .bind(token.last_used_at.map(millis))
        .bind(token.limits.project.as_ref().map(ProjectName::as_str))
        .bind(i64::from(token.limits.read_only))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this token exists already", "project"))?;
        Ok(())
    }

    /// The token with this hash. Whether it has ended is for the caller's clock.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<TokenRecord>, StoreError> {
        let query = sqlx::query(select!("WHERE hash = $1")).bind(hash);
        query.fetch_optional(&self.reader).await?.as_ref().map(token).transpose()
    }

    /// The tokens of one owner, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn tokens(&self, owner: &UserId) -> Result<Vec<TokenRecord>, StoreError> {
        let query = sqlx::query(select!("WHERE owner = $1 ORDER BY id")).bind(owner.as_str());
        query.fetch_all(&self.reader).await?.iter().map(token).collect()
    }

    /// Deletes a token; `false` if there is none with this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_token(&self, id: &TokenId) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM tokens WHERE id = $1").bind(id.as_str());
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Records that a token was presented, to the minute.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn touch_token(&self, id: &TokenId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
        )
        .bind(id.as_str())
        .bind(millis(at))
        .bind(millis(at) - USE_GRANULARITY_MS)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

fn token(row: &AnyRow) -> Result<TokenRecord, StoreError> {
    let record = Record::new(row, "token", "id");
    Ok(TokenRecord {
        id: record.parsed("id")?,
        name: record.get("name")?,
        owner: record.parsed("owner")?,
        limits: Limits { project: record.parsed_or_none("project")?, read_only: record.flag("read_only")? },
        hash: record.get("hash")?,
        created_at: record.time("created_at")?,
        expires_at: record.time_or_none("expires_at")?,
        last_used_at: record.time_or_none("last_used_at")?,
    })
}
