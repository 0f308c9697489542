use jiff::Timestamp;
use serde_json::Value;
use sqlx::any::AnyRow;
use valetkey_model::{IntegrationEventId, IntegrationId, UserId};

use crate::{
    Store, StoreError,
    record::{AFTER_ALL_IDS, Record, millis, to_json},
};

/// Something that happened to an integration. It outlives the integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationEvent {
    /// Its id; later ones sort behind.
    pub id: IntegrationEventId,
    /// What it happened to.
    pub integration: IntegrationId,
    /// Whose it is.
    pub owner: UserId,
    /// When.
    pub at: Timestamp,
    /// What, in a word: `connected`, `refreshed` …
    pub kind: String,
    /// The rest, in the form that goes with `kind`.
    pub body: Value,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, integration, owner, at, kind, body FROM integration_events ", $rest)
    };
}

impl Store {
    /// Adds an event.
    ///
    /// # Errors
    /// `Conflict` when its id exists already.
    pub async fn append_integration_event(&self, event: &IntegrationEvent) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO integration_events (id, integration, owner, at, kind, body) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(event.id.as_str())
        .bind(event.integration.as_str())
        .bind(event.owner.as_str())
        .bind(millis(event.at))
        .bind(event.kind.as_str())
        .bind(to_json(&event.body))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this event exists already", "integration"))?;
        Ok(())
    }

    /// Up to `limit` events of one owner, of one integration or all, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn integration_events_page(
        &self,
        owner: &UserId,
        integration: Option<&IntegrationId>,
        before: Option<&IntegrationEventId>,
        limit: u32,
    ) -> Result<Vec<IntegrationEvent>, StoreError> {
        let query = match integration {
            Some(_) => {
                select!("WHERE owner = $1 AND id < $2 AND integration = $4 ORDER BY id DESC LIMIT $3")
            }
            None => select!("WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3"),
        };
        let mut query = sqlx::query(query)
            .bind(owner.as_str())
            .bind(before.map_or(AFTER_ALL_IDS, IntegrationEventId::as_str))
            .bind(i64::from(limit));
        if let Some(id) = integration {
            query = query.bind(id.as_str());
        }
        query.fetch_all(&self.reader).await?.iter().map(event).collect()
    }
}

fn event(row: &AnyRow) -> Result<IntegrationEvent, StoreError> {
    let record = Record::new(row, "integration event", "id");
    Ok(IntegrationEvent {
        id: record.parsed("id")?,
        integration: record.parsed("integration")?,
        owner: record.parsed("owner")?,
        at: record.time("at")?,
        kind: record.get("kind")?,
        body: record.json("body")?,
    })
}
