use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{ProjectName, WebhookEvent, WebhookId, WebhookUrl};

use crate::{
    Store, StoreError,
    record::{Record, millis, to_json},
};

/// Somebody who is told of what happens in a project: everything about them but the signing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Its project.
    pub project: ProjectName,
    /// Where notifications are posted to.
    pub url: WebhookUrl,
    /// What it is for, in a person's words; may be empty.
    pub description: String,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// Whether anything is sent to it.
    pub enabled: bool,
    /// Why it was disabled, if nobody did it.
    pub disabled_reason: Option<String>,
    /// Until when the secret before the last rotation signs too.
    pub previous_until: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What to change of a webhook; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookChange {
    /// Where notifications are posted to.
    pub url: Option<WebhookUrl>,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told of.
    pub events: Option<Vec<WebhookEvent>>,
    /// Whether anything is sent to it.
    pub enabled: Option<bool>,
}

macro_rules! columns {
    () => {
        "id, project, url, description, events, enabled, disabled_reason, previous_until, created_at, updated_at"
    };
}

impl Store {
    /// Stores a new webhook with its signing secret, sealed under generation 1, if its project has fewer than `most`.
    ///
    /// # Errors
    /// `NotFound` when the project does not exist; `Conflict` when it has `most` already.
    pub async fn insert_webhook(&self, webhook: &Webhook, sealed: &[u8], most: u32) -> Result<(), StoreError> {
        let done = sqlx::query(
            "INSERT INTO webhooks (id, project, url, description, events, enabled, disabled_reason, previous_until, \
             created_at, updated_at, generation, sealed) \
             SELECT $1, $2, $3, $4, $5, $6, NULL, NULL, $7, $7, 1, $8 \
             WHERE (SELECT count(*) FROM webhooks WHERE project = $2) < $9",
        )
        .bind(webhook.id.as_str())
        .bind(webhook.project.as_str())
        .bind(webhook.url.as_str())
        .bind(webhook.description.as_str())
        .bind(to_json(&webhook.events))
        .bind(i64::from(webhook.enabled))
        .bind(millis(webhook.created_at))
        .bind(sealed)
        .bind(i64::from(most))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "a webhook with this id exists already", "project"))?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict("the project has as many webhooks as it can have; delete one first"));
        }
        Ok(())
    }

    /// The webhooks of a project, the oldest first. There are few.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn webhooks(&self, project: &ProjectName) -> Result<Vec<Webhook>, StoreError> {
        let query = concat!("SELECT ", columns!(), " FROM webhooks WHERE project = $1 ORDER BY id");
        let query = sqlx::query(query).bind(project.as_str());
        query.fetch_all(&self.reader).await?.iter().map(webhook).collect()
    }

    /// The webhook with this id.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, StoreError> {
        let query = sqlx::query(concat!("SELECT ", columns!(), " FROM webhooks WHERE id = $1")).bind(id.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(webhook).transpose()
    }

    /// Changes a webhook and returns it as it is then; none if the project has no such webhook. Enabling one forgets why it
    /// was disabled.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn change_webhook(
        &self,
        project: &ProjectName,
        id: &WebhookId,
        change: &WebhookChange,
        at: Timestamp,
    ) -> Result<Option<Webhook>, StoreError> {
        let row = sqlx::query(concat!(
            "UPDATE webhooks SET url = coalesce($3, url), description = coalesce($4, description), ",
            "events = coalesce($5, events), enabled = coalesce($6, enabled), ",
            "disabled_reason = CASE WHEN coalesce($6, 0) = 1 THEN NULL ELSE disabled_reason END, updated_at = $7 ",
            "WHERE id = $1 AND project = $2 RETURNING ",
            columns!()
        ))
        .bind(id.as_str())
        .bind(project.as_str())
        .bind(change.url.as_ref().map(WebhookUrl::as_str))
        .bind(change.description.as_deref())
        .bind(change.events.as_ref().map(to_json))
        .bind(change.enabled.map(i64::from))
        .bind(millis(at))
        .fetch_optional(&self.writer)
        .await?;
        row.as_ref().map(webhook).transpose()
    }

    /// Disables a webhook because of what its receiver said, unless it has another URL by now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn disable_webhook(
        &self,
        id: &WebhookId,
        url: &WebhookUrl,
        reason: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE webhooks SET enabled = 0, disabled_reason = $3, updated_at = $4 \
             WHERE id = $1 AND url = $2 AND enabled = 1",
        );
        let query = query.bind(id.as_str()).bind(url.as_str()).bind(reason).bind(millis(at));
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Erases a webhook with its secret and its deliveries; `false` if the project has no such webhook.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_webhook(&self, project: &ProjectName, id: &WebhookId) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM webhooks WHERE id = $1 AND project = $2");
        let query = query.bind(id.as_str()).bind(project.as_str());
        let deleted = query.execute(&self.writer).await?.rows_affected() == 1;
        if deleted {
            self.scrub().await?;
        }
        Ok(deleted)
    }

    /// Puts another secret, sealed under the generation after `generation`, in place of a webhook's; the one before signs
    /// too until `previous_until`.
    ///
    /// # Errors
    /// `Stale` when it was replaced meanwhile.
    pub async fn replace_webhook_secret(
        &self,
        id: &WebhookId,
        generation: i64,
        sealed: &[u8],
        previous_until: Timestamp,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE webhooks SET generation = generation + 1, sealed = $3, previous_until = $4, updated_at = $5 \
             WHERE id = $1 AND generation = $2",
        );
        let query = query.bind(id.as_str()).bind(generation).bind(sealed).bind(millis(previous_until)).bind(millis(at));
        if query.execute(&self.writer).await?.rows_affected() == 0 {
            return Err(StoreError::Stale("webhook"));
        }
        self.scrub().await
    }
}

fn record(row: &AnyRow) -> Record<'_> {
    Record::new(row, "webhook", "id")
}

fn webhook(row: &AnyRow) -> Result<Webhook, StoreError> {
    let record = record(row);
    Ok(Webhook {
        id: record.parsed("id")?,
        project: record.parsed("project")?,
        url: record.parsed("url")?,
        description: record.get("description")?,
        events: record.json("events")?,
        enabled: record.flag("enabled")?,
        disabled_reason: record.get("disabled_reason")?,
        previous_until: record.time_or_none("previous_until")?,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
    })
}
