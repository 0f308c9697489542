use std::{fmt, sync::Arc};

use sqlx::{
    Any, AnyPool, ConnectOptions as _, Row as _, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use tokio::sync::watch;
use url::Url;

use crate::{DatabaseUrl, StoreError, audit_appends::Appends, database_url::Place, migrations, sqlite};

/// A handle on the database; clones share it.
#[derive(Clone)]
pub struct Store {
    /// For everything that changes something. With SQLite one connection: writers of this process queue here, in order,
    /// instead of polling for the file's lock.
    pub(crate) writer: AnyPool,
    /// For everything else.
    pub(crate) reader: AnyPool,
    pub(crate) dialect: Dialect,
    /// Entries of the audit trail that wait to be written.
    pub(crate) appends: Arc<Appends>,
    changed: watch::Sender<()>,
}

/// Where the two databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A write transaction takes SQLite's lock at once: one that began as a reader would fail instead of waiting.
    /// PostgreSQL locks rows; transactions here touch the rows that they rely on with an `UPDATE` before they look.
    fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Goes behind a `SELECT` that picks rows to change: what somebody else is changing is left to them, not waited for.
    pub(crate) fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }
}

const POSTGRES_CONNECTIONS: u32 = 16;

impl Store {
    /// Opens the database, brings its tables up to date, and makes it first if it is a file that does not exist: with
    /// mode 0600, in folders of mode 0700.
    ///
    /// # Errors
    /// When it can't be made or reached, or was used by a newer version.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (appends, changed) = (Arc::default(), watch::Sender::new(()));
        let store = match &url.0 {
            Place::Sqlite(path) => {
                let url = sqlite::prepare(path).await?;
                Self {
                    writer: sqlite::writer(&url)?,
                    reader: sqlite::readers(&url)?,
                    dialect: Dialect::Sqlite,
                    appends,
                    changed,
                }
            }
            Place::Postgres(url) => {
                let pool = postgres(url)?;
                Self { writer: pool.clone(), reader: pool, dialect: Dialect::Postgres, appends, changed }
            }
        };
        migrations::run(&store).await?;
        Ok(store)
    }

    /// Asks the database for a row that is always there.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ready(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT name FROM projects WHERE name = 'default'").fetch_one(&self.reader).await?;
        Ok(())
    }

    /// Closes the connections once they are free. Dropping the last clone does too, but nobody can wait for it.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Takes what was erased or replaced out of SQLite's write-ahead log too. Erasing an integration, ending a grant and
    /// replacing a credential do it themselves; it is for the end of a key rotation.
    ///
    /// # Errors
    /// When the database does not answer. A reader that blocks it for long is only logged: the log is emptied later.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        if self.dialect == Dialect::Sqlite {
            let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await?;
            if row.try_get::<i64, _>(0)? != 0 {
                tracing::warn!("the write-ahead log is in use; erased data stays in it until it is next emptied");
            }
        }
        Ok(())
    }

    /// Wakes when this process has changed a session, an integration or the log of a webhook. What other processes change
    /// in the same database is not noticed.
    pub fn listen(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Wakes those who [listen](Self::listen).
    pub(crate) fn has_changed(&self) {
        self.changed.send_replace(());
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.writer.begin_with(self.dialect.begin()).await?)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

fn postgres(url: &Url) -> sqlx::Result<AnyPool> {
    let pool = AnyPoolOptions::new().max_connections(POSTGRES_CONNECTIONS);
    Ok(pool.connect_lazy_with(AnyConnectOptions::from_url(url)?))
}
