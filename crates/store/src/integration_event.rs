use jiff::Timestamp;
use serde_json::Value;
use sqlx::any::AnyRow;
use valetkey_model::{Actor, IntegrationEventId, IntegrationId, ProjectName, UserId};

use crate::{
    Store, StoreError,
    conditions::Conditions,
    record::{AFTER_ALL_IDS, Record, millis, to_json},
};

/// Something that happened to an integration. It outlives the integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationEvent {
    /// Its id; later ones sort behind.
    pub id: IntegrationEventId,
    /// What it happened to.
    pub integration: IntegrationId,
    /// Who connected it.
    pub owner: UserId,
    /// The project that it belongs to; none if it is a person's own.
    pub project: Option<ProjectName>,
    /// When.
    pub at: Timestamp,
    /// What, in a word: `connected`, `refreshed` …
    pub kind: String,
    /// The rest, in the form that goes with `kind`.
    pub body: Value,
}

impl Store {
    /// Adds an event.
    ///
    /// # Errors
    /// `Conflict` when its id exists already.
    pub async fn append_integration_event(&self, event: &IntegrationEvent) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO integration_events (id, integration, owner, at, kind, body, project) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(event.id.as_str())
        .bind(event.integration.as_str())
        .bind(event.owner.as_str())
        .bind(millis(event.at))
        .bind(event.kind.as_str())
        .bind(to_json(&event.body))
        .bind(event.project.as_ref().map(ProjectName::as_str))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this event exists already", "integration"))?;
        Ok(())
    }

    /// Up to `limit` events of somebody's own integrations and their projects', of one or all, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn integration_events_page(
        &self,
        by: &Actor,
        integration: Option<&IntegrationId>,
        before: Option<&IntegrationEventId>,
        limit: u32,
    ) -> Result<Vec<IntegrationEvent>, StoreError> {
        let mut query = Conditions::new(
            "SELECT id, integration, owner, project, at, kind, body FROM integration_events WHERE id IS NOT NULL",
        );
        query.and("id <", before.map_or(AFTER_ALL_IDS, IntegrationEventId::as_str));
        query.and_if("integration =", integration.map(IntegrationId::as_str));
        let shared = query.one_of_projects("project", by.projects());
        if by.limits().project.is_some() {
            query.push(&format!(" AND {shared}"));
        } else {
            let user = query.bind(by.user.as_str());
            query.push(&format!(" AND ((project IS NULL AND owner = {user}) OR {shared})"));
        }
        let limit = query.bind(i64::from(limit));
        query.push(&format!(" ORDER BY id DESC LIMIT {limit}"));
        query.fetch(&self.reader).await?.iter().map(event).collect()
    }
}

fn event(row: &AnyRow) -> Result<IntegrationEvent, StoreError> {
    let record = Record::new(row, "integration event", "id");
    Ok(IntegrationEvent {
        id: record.parsed("id")?,
        integration: record.parsed("integration")?,
        owner: record.parsed("owner")?,
        project: record.parsed_or_none("project")?,
        at: record.time("at")?,
        kind: record.get("kind")?,
        body: record.json("body")?,
    })
}
