use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{EventBody, SessionEvent, SessionId};

use crate::{
    Store, StoreError,
    record::{Record, millis, to_json},
};

impl Store {
    /// Adds a batch to a session's event log, all of it or nothing, and returns the number of the last event. Numbers
    /// count from 1 without gaps, whoever appends at the same time.
    ///
    /// # Errors
    /// `NotFound` when there is no such session.
    pub async fn append_events(
        &self,
        session: &SessionId,
        batch: &[(Timestamp, EventBody)],
    ) -> Result<i64, StoreError> {
        let count = i64::try_from(batch.len()).expect("a batch fits in memory");
        let mut tx = self.begin().await?;
        let row = sqlx::query("UPDATE sessions SET last_seq = last_seq + $2 WHERE id = $1 RETURNING id, last_seq")
            .bind(session.as_str())
            .bind(count)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(StoreError::NotFound("session"))?;
        let last: i64 = Record::new(&row, "session", "id").get("last_seq")?;
        for (seq, (at, body)) in (last - count + 1..).zip(batch) {
            sqlx::query("INSERT INTO events (session, seq, at, body) VALUES ($1, $2, $3, $4)")
                .bind(session.as_str())
                .bind(seq)
                .bind(millis(*at))
                .bind(to_json(body))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(last)
    }

    /// Up to `limit` events of a session with numbers above `seq`, in order.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn events_after(
        &self,
        session: &SessionId,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<SessionEvent>, StoreError> {
        let query = "SELECT session, seq, at, body FROM events WHERE session = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let query = sqlx::query(query).bind(session.as_str()).bind(seq).bind(i64::from(limit));
        query.fetch_all(&self.reader).await?.iter().map(event).collect()
    }

    /// The number of a session's last event, 0 if there is none.
    ///
    /// # Errors
    /// `NotFound` when there is no such session.
    pub async fn last_seq(&self, session: &SessionId) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT id, last_seq FROM sessions WHERE id = $1").bind(session.as_str());
        let row = query.fetch_optional(&self.reader).await?.ok_or(StoreError::NotFound("session"))?;
        Record::new(&row, "session", "id").get("last_seq")
    }
}

fn event(row: &AnyRow) -> Result<SessionEvent, StoreError> {
    let record = Record::new(row, "event of session", "session");
    Ok(SessionEvent { seq: record.get("seq")?, at: record.time("at")?, body: record.json("body")? })
}
