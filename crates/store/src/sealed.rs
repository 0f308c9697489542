//! Everything that is sealed under the master keys, whatever it belongs to.

use std::fmt;

use sqlx::{AssertSqlSafe, any::AnyRow};
use valetkey_model::{IntegrationId, SecretId, WebhookId};

use crate::{
    ProviderAppKey, Store, StoreError,
    record::{BEFORE_ALL_IDS, Record},
};

/// A credential, or what else is secret, as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Which one of its keeper it is; part of the identity under which it is sealed.
    pub generation: i64,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredCredential(generation {}, {} bytes)", self.generation, self.sealed.len())
    }
}

/// What keeps something sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// An integration: its credential.
    Integration(IntegrationId),
    /// A registered application: its secrets.
    ProviderApp(ProviderAppKey),
    /// A webhook: its signing secrets.
    Webhook(WebhookId),
    /// A secret: its value.
    Secret(SecretId),
}

/// A table with a column `sealed`.
struct Table {
    name: &'static str,
    key: &'static str,
    /// What a record of it is called in errors.
    what: &'static str,
    keeper: fn(&Record<'_>) -> Result<Keeper, StoreError>,
}

/// In the order in which they are passed.
const TABLES: [Table; 4] = [
    Table {
        name: "integrations",
        key: "id",
        what: "credential",
        keeper: |record| record.parsed("id").map(Keeper::Integration),
    },
    Table {
        name: "provider_apps",
        key: "key",
        what: "provider application",
        keeper: |record| ProviderAppKey::of(record).map(Keeper::ProviderApp),
    },
    Table { name: "webhooks", key: "id", what: "webhook", keeper: |record| record.parsed("id").map(Keeper::Webhook) },
    Table { name: "secrets", key: "id", what: "secret", keeper: |record| record.parsed("id").map(Keeper::Secret) },
];

impl Keeper {
    /// The place of its table among [`TABLES`].
    fn table(&self) -> usize {
        match self {
            Self::Integration(_) => 0,
            Self::ProviderApp(_) => 1,
            Self::Webhook(_) => 2,
            Self::Secret(_) => 3,
        }
    }

    fn key(&self) -> &str {
        match self {
            Self::Integration(id) => id.as_str(),
            Self::ProviderApp(key) => key.as_str(),
            Self::Webhook(id) => id.as_str(),
            Self::Secret(id) => id.as_str(),
        }
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integration(id) => id.fmt(f),
            Self::ProviderApp(key) => key.fmt(f),
            Self::Webhook(id) => write!(f, "webhook {id}"),
            Self::Secret(id) => write!(f, "secret {id}"),
        }
    }
}

macro_rules! keeper {
    ($($id:ty => $variant:ident),* $(,)?) => {
        $(impl From<&$id> for Keeper {
            fn from(id: &$id) -> Self {
                Self::$variant(id.clone())
            }
        })*
    };
}
keeper!(IntegrationId => Integration, ProviderAppKey => ProviderApp, WebhookId => Webhook, SecretId => Secret);

impl From<&Keeper> for Keeper {
    fn from(keeper: &Keeper) -> Self {
        keeper.clone()
    }
}

impl Store {
    /// What is sealed for a keeper; for an integration also while it is being removed, as sessions may still hold it.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn sealed(&self, of: impl Into<Keeper>) -> Result<Option<StoredCredential>, StoreError> {
        let keeper = of.into();
        let Table { name, key, what, .. } = &TABLES[keeper.table()];
        let query = format!("SELECT {key}, generation, sealed FROM {name} WHERE {key} = $1");
        let row = sqlx::query(AssertSqlSafe(query)).bind(keeper.key()).fetch_optional(&self.reader).await?;
        row.map(|row| stored(&Record::new(&row, what, key))).transpose()
    }

    /// Up to `limit` of all that is sealed, from what comes after `after`; empty at the end. For the rotation of master
    /// keys.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn sealed_page(
        &self,
        limit: u32,
        after: Option<&Keeper>,
    ) -> Result<Vec<(Keeper, StoredCredential)>, StoreError> {
        let first = after.map_or(0, Keeper::table);
        let mut after = after.map_or(BEFORE_ALL_IDS, Keeper::key);
        for Table { name, key, what, keeper } in &TABLES[first..] {
            let query =
                format!("SELECT {key}, generation, sealed FROM {name} WHERE {key} > $1 ORDER BY {key} LIMIT $2");
            let query = sqlx::query(AssertSqlSafe(query)).bind(after).bind(i64::from(limit));
            let with_keeper = |row: &AnyRow| {
                let record = Record::new(row, what, key);
                Ok((keeper(&record)?, stored(&record)?))
            };
            let page: Vec<_> =
                query.fetch_all(&self.reader).await?.iter().map(with_keeper).collect::<Result<_, StoreError>>()?;
            if !page.is_empty() {
                return Ok(page);
            }
            after = BEFORE_ALL_IDS;
        }
        Ok(Vec::new())
    }

    /// Puts `new` in place of `old`, the same value under another master key; `false` if it is no longer `old`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rewrap(
        &self,
        of: impl Into<Keeper>,
        generation: i64,
        old: &[u8],
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let keeper = of.into();
        let Table { name, key, .. } = &TABLES[keeper.table()];
        let query = format!("UPDATE {name} SET sealed = $4 WHERE {key} = $1 AND generation = $2 AND sealed = $3");
        let query = sqlx::query(AssertSqlSafe(query)).bind(keeper.key()).bind(generation).bind(old).bind(new);
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }
}

/// The sealed value of a record.
pub(crate) fn stored(record: &Record<'_>) -> Result<StoredCredential, StoreError> {
    Ok(StoredCredential { generation: record.get("generation")?, sealed: record.get("sealed")? })
}
