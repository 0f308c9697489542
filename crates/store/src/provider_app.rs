use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::any::AnyRow;
use valetkey_model::{InstanceUrl, ProviderKind};

use crate::{
    Store, StoreError, StoredCredential,
    record::{Record, millis, to_json},
    sealed::stored,
};

/// The application that an administrator registered at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderApp {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Where it is registered.
    pub instance_url: InstanceUrl,
    /// Its public id in the OAuth protocol.
    pub client_id: String,
    /// Where the administrator wrote it down.
    pub origin: AppOrigin,
    /// What else is known of it, never secret: its name, its pages …
    pub details: Value,
    /// Its secrets.
    pub credential: StoredCredential,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When it was last stored.
    pub updated_at: Timestamp,
}

impl ProviderApp {
    /// What tells it from the others.
    pub fn key(&self) -> ProviderAppKey {
        ProviderAppKey::new(self.provider, &self.instance_url)
    }
}

/// Where an administrator wrote a [`ProviderApp`] down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppOrigin {
    /// In the settings file.
    Settings,
    /// In the web UI.
    Ui,
}

impl AppOrigin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Ui => "ui",
        }
    }
}

/// Tells one [`ProviderApp`] from another, for as long as it exists: there is one per provider and instance. Also the
/// identity under which its secrets are sealed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderAppKey(String);

impl ProviderAppKey {
    /// The key of the application at `instance`.
    pub fn new(provider: ProviderKind, instance: &InstanceUrl) -> Self {
        Self(format!("{} {instance}", provider.slug()))
    }

    pub(crate) fn of(record: &Record<'_>) -> Result<Self, StoreError> {
        record.get("key").map(Self)
    }

    /// The text form: `github https://github.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderAppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT key, provider, instance_url, client_id, origin, details, created_at, updated_at, generation, sealed ",
            "FROM provider_apps ",
            $rest
        )
    };
}

impl Store {
    /// Stores an application, in place of the one of the same provider and instance if there is one. Its credential is of
    /// the generation after that one's; where there is none any will do.
    ///
    /// # Errors
    /// `Stale` when somebody else stored it meanwhile.
    pub async fn put_provider_app(&self, app: &ProviderApp) -> Result<(), StoreError> {
        let done = sqlx::query(
            "INSERT INTO provider_apps (key, provider, instance_url, client_id, origin, details, created_at, updated_at, \
             generation, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (key) DO UPDATE SET \
             client_id = excluded.client_id, origin = excluded.origin, details = excluded.details, \
             updated_at = excluded.updated_at, generation = excluded.generation, sealed = excluded.sealed \
             WHERE provider_apps.generation = excluded.generation - 1",
        )
        .bind(app.key().as_str())
        .bind(app.provider.slug())
        .bind(app.instance_url.to_string())
        .bind(app.client_id.as_str())
        .bind(app.origin.as_str())
        .bind(to_json(&app.details))
        .bind(millis(app.created_at))
        .bind(millis(app.updated_at))
        .bind(app.credential.generation)
        .bind(app.credential.sealed.as_slice())
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Stale("provider application"));
        }
        self.scrub().await
    }

    /// The application at this instance.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn provider_app(
        &self,
        provider: ProviderKind,
        instance: &InstanceUrl,
    ) -> Result<Option<ProviderApp>, StoreError> {
        let key = ProviderAppKey::new(provider, instance);
        let query = sqlx::query(select!("WHERE key = $1")).bind(key.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(provider_app).transpose()
    }

    /// All applications, by provider and instance.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn provider_apps(&self) -> Result<Vec<ProviderApp>, StoreError> {
        let query = sqlx::query(select!("ORDER BY provider, instance_url"));
        query.fetch_all(&self.reader).await?.iter().map(provider_app).collect()
    }

    /// Erases an application with its secrets; `false` if there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove_provider_app(
        &self,
        provider: ProviderKind,
        instance: &InstanceUrl,
    ) -> Result<bool, StoreError> {
        let key = ProviderAppKey::new(provider, instance);
        let query = sqlx::query("DELETE FROM provider_apps WHERE key = $1").bind(key.as_str());
        let removed = query.execute(&self.writer).await?.rows_affected() == 1;
        self.scrub().await?;
        Ok(removed)
    }
}

fn record(row: &AnyRow) -> Record<'_> {
    Record::new(row, "provider application", "key")
}

fn provider_app(row: &AnyRow) -> Result<ProviderApp, StoreError> {
    let record = record(row);
    Ok(ProviderApp {
        provider: record.parsed("provider")?,
        instance_url: record.parsed("instance_url")?,
        client_id: record.get("client_id")?,
        origin: record.word("origin")?,
        details: record.json("details")?,
        credential: stored(&record)?,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
    })
}
