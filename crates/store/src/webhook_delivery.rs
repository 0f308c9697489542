use jiff::Timestamp;
use sqlx::{Any, AssertSqlSafe, Transaction, any::AnyRow};
use valetkey_model::{DeliveryState, WebhookDeliveryId, WebhookId};

use crate::{
    Store, StoreError,
    record::{AFTER_ALL_IDS, Record, millis},
};

/// A notification that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id; later ones sort behind.
    pub id: WebhookDeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// Of what, in a word.
    pub event: &'static str,
    /// The body of the request, exactly as it is sent and signed.
    pub body: String,
    /// When it was made; it is due at once.
    pub created_at: Timestamp,
    /// Until when its maker sends it themselves; nobody else does before.
    pub leased_until: Option<Timestamp>,
}

/// A notification, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// Of what, in a word.
    pub event: String,
    /// The body of the request.
    pub body: String,
    /// Where it is on its way.
    pub state: DeliveryState,
    /// How often it was sent since it was last wanted, the attempt under way included.
    pub attempts: i64,
    /// When it is due, while it is pending.
    pub next_attempt_at: Timestamp,
    /// Until when whoever claimed it has it alone.
    pub leased_until: Option<Timestamp>,
    /// The status that the last attempt was answered with.
    pub last_status: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    pub duration: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration: i64,
    /// What follows.
    pub then: Afterwards,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It was taken.
    Delivered,
    /// It is given up.
    Failed,
    /// It is tried again then.
    Again(Timestamp),
}

macro_rules! columns {
    () => {
        "id, webhook, event, body, state, attempts, next_attempt_at, leased_until, last_status, last_error, duration, \
         created_at, finished_at"
    };
}

impl Store {
    /// Puts notifications into the outbox. Those to a webhook that is gone are left out.
    ///
    /// # Errors
    /// `Conflict` when an id exists already.
    pub async fn insert_deliveries(&self, new: &[NewDelivery]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, new).await?;
        tx.commit().await?;
        self.has_changed();
        Ok(())
    }

    /// Up to `limit` notifications that are due, the longest due first. They are the caller's alone until `lease_until`:
    /// then they are due again, unless the caller has [recorded](Self::record_attempt) what came of them.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn claim_due_deliveries(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let skip_locked = self.dialect.skip_locked();
        let columns = columns!();
        let sql = format!(
            "WITH due AS (SELECT id FROM webhook_deliveries WHERE state = 'pending' AND next_attempt_at <= $1 \
             AND (leased_until IS NULL OR leased_until <= $1) ORDER BY next_attempt_at LIMIT $3 {skip_locked}) \
             UPDATE webhook_deliveries SET leased_until = $2, attempts = attempts + 1 \
             WHERE id IN (SELECT id FROM due) RETURNING {columns}"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(millis(now)).bind(millis(lease_until)).bind(i64::from(limit));
        let claimed = query.fetch_all(&self.writer).await?;
        if !claimed.is_empty() {
            self.has_changed();
        }
        claimed.iter().map(delivery).collect()
    }

    /// Records what came of the attempt that `claimed` was claimed for. `false`, and nothing changes, when somebody else has
    /// claimed it since, or it is gone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_attempt(
        &self,
        claimed: &Delivery,
        attempt: &AttemptRecord,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (state, next, finished) = match attempt.then {
            Afterwards::Delivered => (DeliveryState::Delivered, claimed.next_attempt_at, Some(at)),
            Afterwards::Failed => (DeliveryState::Failed, claimed.next_attempt_at, Some(at)),
            Afterwards::Again(next) => (DeliveryState::Pending, next, None),
        };
        let done = sqlx::query(
            "UPDATE webhook_deliveries SET state = $4, next_attempt_at = $5, leased_until = NULL, last_status = $6, \
             last_error = $7, duration = $8, finished_at = $9 \
             WHERE id = $1 AND attempts = $2 AND leased_until = $3 AND state = 'pending'",
        )
        .bind(claimed.id.as_str())
        .bind(claimed.attempts)
        .bind(claimed.leased_until.map(millis))
        .bind(state.as_str())
        .bind(millis(next))
        .bind(attempt.status.map(i64::from))
        .bind(attempt.error.as_deref())
        .bind(attempt.duration)
        .bind(finished.map(millis))
        .execute(&self.writer)
        .await?;
        self.has_changed();
        Ok(done.rows_affected() == 1)
    }

    /// When the next notification is due, if there is one: one that is being sent when its lease ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_delivery_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = "SELECT 'first' AS id, min(CASE WHEN leased_until > next_attempt_at THEN leased_until \
                     ELSE next_attempt_at END) AS due FROM webhook_deliveries WHERE state = 'pending'";
        let row = sqlx::query(query).fetch_one(&self.reader).await?;
        Record::new(&row, "delivery", "id").time_or_none("due")
    }

    /// Makes a notification due at once, as if it had never been sent, and returns it.
    ///
    /// # Errors
    /// `NotFound` when the webhook has no such notification; `Conflict` while it is being sent.
    pub async fn redeliver(
        &self,
        webhook: &WebhookId,
        id: &WebhookDeliveryId,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        let row = sqlx::query(concat!(
            "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_attempt_at = $3, leased_until = NULL, ",
            "finished_at = NULL WHERE id = $1 AND webhook = $2 AND (leased_until IS NULL OR leased_until <= $3) ",
            "RETURNING ",
            columns!()
        ))
        .bind(id.as_str())
        .bind(webhook.as_str())
        .bind(millis(now))
        .fetch_optional(&self.writer)
        .await?;
        match row {
            Some(row) => {
                self.has_changed();
                delivery(&row)
            }
            None if self.delivery(webhook, id).await?.is_some() => {
                Err(StoreError::Conflict("the notification is being sent at this moment"))
            }
            None => Err(StoreError::NotFound("notification")),
        }
    }

    /// A notification to a webhook.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn delivery(&self, webhook: &WebhookId, id: &WebhookDeliveryId) -> Result<Option<Delivery>, StoreError> {
        let query = concat!("SELECT ", columns!(), " FROM webhook_deliveries WHERE id = $1 AND webhook = $2");
        let query = sqlx::query(query).bind(id.as_str()).bind(webhook.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(delivery).transpose()
    }

    /// Up to `limit` notifications to a webhook, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn deliveries_page(
        &self,
        webhook: &WebhookId,
        limit: u32,
        before: Option<&WebhookDeliveryId>,
    ) -> Result<Vec<Delivery>, StoreError> {
        let query = concat!(
            "SELECT ",
            columns!(),
            " FROM webhook_deliveries WHERE webhook = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let before = before.map_or(AFTER_ALL_IDS, WebhookDeliveryId::as_str);
        let query = sqlx::query(query).bind(webhook.as_str()).bind(before).bind(i64::from(limit));
        query.fetch_all(&self.reader).await?.iter().map(delivery).collect()
    }
}

/// Writes new notifications with what they tell of, so that neither is without the other.
pub(crate) async fn insert(tx: &mut Transaction<'_, Any>, new: &[NewDelivery]) -> Result<(), StoreError> {
    for delivery in new {
        // Changes nothing: it locks the webhook, so that nobody deletes it before the notification is written.
        let lock = sqlx::query("UPDATE webhooks SET enabled = enabled WHERE id = $1").bind(delivery.webhook.as_str());
        if lock.execute(&mut **tx).await?.rows_affected() == 0 {
            continue;
        }
        sqlx::query(
            "INSERT INTO webhook_deliveries (id, webhook, event, body, state, attempts, next_attempt_at, leased_until, \
             created_at) VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $6)",
        )
        .bind(delivery.id.as_str())
        .bind(delivery.webhook.as_str())
        .bind(delivery.event)
        .bind(delivery.body.as_str())
        .bind(i64::from(delivery.leased_until.is_some()))
        .bind(millis(delivery.created_at))
        .bind(delivery.leased_until.map(millis))
        .execute(&mut **tx)
        .await
        .map_err(|e| StoreError::of_write(e, "a notification with this id exists already", "webhook"))?;
    }
    Ok(())
}

fn delivery(row: &AnyRow) -> Result<Delivery, StoreError> {
    let record = Record::new(row, "delivery", "id");
    Ok(Delivery {
        id: record.parsed("id")?,
        webhook: record.parsed("webhook")?,
        event: record.get("event")?,
        body: record.get("body")?,
        state: record.word("state")?,
        attempts: record.get("attempts")?,
        next_attempt_at: record.time("next_attempt_at")?,
        leased_until: record.time_or_none("leased_until")?,
        last_status: record.get("last_status")?,
        last_error: record.get("last_error")?,
        duration: record.get("duration")?,
        created_at: record.time("created_at")?,
        finished_at: record.time_or_none("finished_at")?,
    })
}
