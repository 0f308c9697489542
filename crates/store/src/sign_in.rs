use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use valetkey_model::UserId;

use crate::{
    Store, StoreError,
    record::{Record, millis},
};

/// What a browser session was begun with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInWay {
    /// A one-time link.
    Link,
    /// An API token.
    Token,
    /// An identity provider.
    IdentityProvider,
}

/// A browser session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSession {
    /// The hash of its cookie.
    pub hash: String,
    /// Whose it is.
    pub owner: UserId,
    /// What it was begun with; not known of those of earlier versions.
    pub way: Option<SignInWay>,
    /// When it was begun; not known of those of earlier versions.
    pub begun_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl SignInWay {
    /// The word in the database and in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Token => "token",
            Self::IdentityProvider => "identity_provider",
        }
    }
}

/// Nobody has more browsers; the rest is not listed.
const MOST_LISTED: i64 = 100;

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

    /// Stores a new browser session.
    ///
    /// # Errors
    /// `Conflict` when it exists already.
    pub async fn insert_web_session(&self, session: &WebSession) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO web_sessions (hash, owner, expires_at, begun_at, way) VALUES ($1, $2, $3, $4, $5)")
            .bind(session.hash.as_str())
            .bind(session.owner.as_str())
            .bind(millis(session.expires_at))
            .bind(session.begun_at.map(millis))
            .bind(session.way.map(SignInWay::as_str))
            .execute(&self.writer)
            .await
            .map_err(|e| StoreError::of_write(e, "this browser session exists already", "user"))?;
        Ok(())
    }

    /// Somebody's browser sessions that have not ended, the newest first; at most 100.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn web_sessions_of(&self, owner: &UserId, now: Timestamp) -> Result<Vec<WebSession>, StoreError> {
        let query = "SELECT hash, owner, way, begun_at, expires_at FROM web_sessions \
                     WHERE owner = $1 AND expires_at > $2 ORDER BY expires_at DESC, hash LIMIT $3";
        let query = sqlx::query(query).bind(owner.as_str()).bind(millis(now)).bind(MOST_LISTED);
        query.fetch_all(&self.reader).await?.iter().map(web_session).collect()
    }

    /// Ends all of somebody's browser sessions; returns how many there were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_web_sessions_of(&self, owner: &UserId) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM web_sessions WHERE owner = $1").bind(owner.as_str());
        Ok(query.execute(&self.writer).await?.rows_affected())
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

fn web_session(row: &AnyRow) -> Result<WebSession, StoreError> {
    let record = Record::new(row, "browser session of", "owner");
    let way = record.get::<Option<String>>("way")?;
    Ok(WebSession {
        hash: record.get("hash")?,
        owner: record.parsed("owner")?,
        way: way.map(|_| record.word("way")).transpose()?,
        begun_at: record.time_or_none("begun_at")?,
        expires_at: record.time("expires_at")?,
    })
}
