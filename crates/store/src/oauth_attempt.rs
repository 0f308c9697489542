use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sqlx::any::AnyRow;
use valetkey_model::{InstanceUrl, OAuthAttemptId, ProviderKind, UserId};

use crate::{
    Store, StoreError,
    record::{Record, millis, to_json},
};

/// An authorization that a person was sent to give at a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthAttempt {
    /// Its id.
    pub id: OAuthAttemptId,
    /// How the answer will come.
    pub way: AttemptWay,
    /// The hash of the browser session, or of the command line's secret, that started it: nobody else may end it.
    pub browser_hash: String,
    /// Who connects.
    pub owner: UserId,
    /// The kind of service.
    pub provider: ProviderKind,
    /// Where the person was sent.
    pub instance_url: InstanceUrl,
    /// What the caller wants to know when the answer comes.
    pub body: Value,
    /// The sealed PKCE verifier or device code; empty once there is an outcome.
    pub sealed: Vec<u8>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it ends, answered or not.
    pub expires_at: Timestamp,
    /// What came of it; in the caller's form.
    pub outcome: Option<Value>,
}

impl fmt::Debug for OAuthAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OAuthAttempt({} at {}, outcome {:?})", self.id, self.instance_url, self.outcome)
    }
}

/// How the answer to an [`OAuthAttempt`] comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptWay {
    /// The browser brings it.
    Web {
        /// The hash of the `state` that it must bring too.
        state_hash: String,
    },
    /// The provider is asked until it has one.
    Device {
        /// When it may next be asked.
        poll_after: Timestamp,
        /// How long to wait between two questions.
        interval: SignedDuration,
    },
}

impl AttemptWay {
    fn kind(&self) -> &'static str {
        match self {
            Self::Web { .. } => "web",
            Self::Device { .. } => "device",
        }
    }
}

/// What a `state` was good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The attempt that it belongs to; nobody else gets it.
    Attempt(Box<OAuthAttempt>),
    /// There is none, or no longer.
    Unknown,
    /// It was used before.
    AlreadyUsed,
    /// It came too late.
    Expired,
}

macro_rules! columns {
    () => {
        "id, kind, state_hash, browser_hash, owner, provider, instance_url, body, sealed, created_at, expires_at, \
         poll_after, poll_interval, outcome"
    };
}

impl Store {
    /// Stores a new attempt. Its outcome is not looked at: it has none yet.
    ///
    /// # Errors
    /// `Conflict` when its id or state exists already.
    pub async fn insert_oauth_attempt(&self, new: &OAuthAttempt) -> Result<(), StoreError> {
        let (state_hash, poll_after, interval) = match &new.way {
            AttemptWay::Web { state_hash } => (Some(state_hash.as_str()), None, None),
            AttemptWay::Device { poll_after, interval } => (None, Some(*poll_after), Some(*interval)),
        };
        sqlx::query(concat!(
            "INSERT INTO oauth_attempts (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL)"
        ))
        .bind(new.id.as_str())
        .bind(new.way.kind())
        .bind(state_hash)
        .bind(new.browser_hash.as_str())
        .bind(new.owner.as_str())
        .bind(new.provider.slug())
        .bind(new.instance_url.to_string())
        .bind(to_json(&new.body))
        .bind(new.sealed.as_slice())
        .bind(millis(new.created_at))
        .bind(millis(new.expires_at))
        .bind(poll_after.map(millis))
        .bind(interval.map(duration))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this authorization exists already; start again", "owner"))?;
        Ok(())
    }

    /// Uses a `state` up: exactly one caller gets its attempt, and only before its end.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn take_oauth_attempt(&self, state_hash: &str, now: Timestamp) -> Result<Taken, StoreError> {
        let taken = sqlx::query(concat!(
            "UPDATE oauth_attempts SET used = 1 WHERE state_hash = $1 AND used = 0 AND expires_at > $2 RETURNING ",
            columns!()
        ))
        .bind(state_hash)
        .bind(millis(now))
        .fetch_optional(&self.writer)
        .await?;
        if let Some(row) = taken {
            return Ok(Taken::Attempt(Box::new(oauth_attempt(&row)?)));
        }
        let query = sqlx::query("SELECT id, used FROM oauth_attempts WHERE state_hash = $1").bind(state_hash);
        let Some(row) = query.fetch_optional(&self.writer).await? else { return Ok(Taken::Unknown) };
        Ok(if record(&row).flag("used")? { Taken::AlreadyUsed } else { Taken::Expired })
    }

    /// Binds an attempt to another browser; `false`, and nothing changes, unless it is bound to `from`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rebind_oauth_attempt(&self, id: &OAuthAttemptId, from: &str, to: &str) -> Result<bool, StoreError> {
        let query = "UPDATE oauth_attempts SET browser_hash = $3 WHERE id = $1 AND browser_hash = $2 AND used = 0";
        let query = sqlx::query(query).bind(id.as_str()).bind(from).bind(to);
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// The attempt with this id, taken or not, until it is purged.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn oauth_attempt(&self, id: &OAuthAttemptId) -> Result<Option<OAuthAttempt>, StoreError> {
        let query = concat!("SELECT ", columns!(), " FROM oauth_attempts WHERE id = $1");
        let row = sqlx::query(query).bind(id.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(oauth_attempt).transpose()
    }

    /// Writes down what came of an attempt, for whoever waits for it, and erases what was sealed in it. The first outcome
    /// counts: `false` if there is one, or no such attempt.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish_oauth_attempt(&self, id: &OAuthAttemptId, outcome: &Value) -> Result<bool, StoreError> {
        let query = "UPDATE oauth_attempts SET used = 1, outcome = $2, sealed = $3 WHERE id = $1 AND outcome IS NULL";
        let query = sqlx::query(query).bind(id.as_str()).bind(to_json(outcome)).bind(b"".as_slice());
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Whether the caller may ask the provider now. If so, nobody else may before the attempt's interval has passed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_device_poll(&self, id: &OAuthAttemptId, now: Timestamp) -> Result<bool, StoreError> {
        let query = "UPDATE oauth_attempts SET poll_after = $2 + poll_interval WHERE id = $1 AND kind = 'device' \
                     AND poll_after <= $2 AND expires_at > $2 AND outcome IS NULL";
        let query = sqlx::query(query).bind(id.as_str()).bind(millis(now));
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Lengthens the attempt's interval, as the provider demanded, and lets it pass from `now`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn slow_device_polls(
        &self,
        id: &OAuthAttemptId,
        by: SignedDuration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let query = "UPDATE oauth_attempts SET poll_interval = poll_interval + $2, \
                     poll_after = $3 + poll_interval + $2 WHERE id = $1 AND kind = 'device'";
        sqlx::query(query).bind(id.as_str()).bind(duration(by)).bind(millis(now)).execute(&self.writer).await?;
        Ok(())
    }
}

fn duration(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn record(row: &AnyRow) -> Record<'_> {
    Record::new(row, "authorization", "id")
}

fn oauth_attempt(row: &AnyRow) -> Result<OAuthAttempt, StoreError> {
    let record = record(row);
    let way = match (record.get("state_hash")?, record.time_or_none("poll_after")?, record.get("poll_interval")?) {
        (Some(state_hash), None, None) => AttemptWay::Web { state_hash },
        (None, Some(poll_after), Some(interval)) => {
            AttemptWay::Device { poll_after, interval: SignedDuration::from_millis(interval) }
        }
        _ => return Err(record.damaged("kind")),
    };
    Ok(OAuthAttempt {
        id: record.parsed("id")?,
        way,
        browser_hash: record.get("browser_hash")?,
        owner: record.parsed("owner")?,
        provider: record.parsed("provider")?,
        instance_url: record.parsed("instance_url")?,
        body: record.json("body")?,
        sealed: record.get("sealed")?,
        created_at: record.time("created_at")?,
        expires_at: record.time("expires_at")?,
        outcome: record.json_or_none("outcome")?,
    })
}
