use std::borrow::Cow;

use sqlx::{
    AssertSqlSafe, Row as _, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{Store, StoreError, store::Dialect};

/// The one migration that the two databases are told in different words: its triggers.
const AUDIT: i64 = 7;
const AUDIT_SQLITE: &str =
    concat!(include_str!("../migrations/0007_audit.sql"), include_str!("../migrations/0007_audit_sqlite.sql"));
const AUDIT_POSTGRES: &str =
    concat!(include_str!("../migrations/0007_audit.sql"), include_str!("../migrations/0007_audit_postgres.sql"));

/// Forward only. The checksum of each is stored with it: a released one never changes.
const ALL: &[(i64, &str, &str)] = &[
    (1, "first tables", include_str!("../migrations/0001_first_tables.sql")),
    (2, "lives of credentials", include_str!("../migrations/0002_lives_of_credentials.sql")),
    (3, "lists by owner and project", include_str!("../migrations/0003_lists_by_owner_and_project.sql")),
    (4, "people and projects", include_str!("../migrations/0004_people_and_projects.sql")),
    (5, "sign in", include_str!("../migrations/0005_sign_in.sql")),
    (6, "webhooks", include_str!("../migrations/0006_webhooks.sql")),
    (AUDIT, "audit", AUDIT_SQLITE),
    (8, "projects", include_str!("../migrations/0008_projects.sql")),
    (9, "secrets", include_str!("../migrations/0009_secrets.sql")),
    (10, "session changes", include_str!("../migrations/0010_session_changes.sql")),
    (11, "assistants", include_str!("../migrations/0011_assistants.sql")),
];

/// Brings the tables up to date.
pub(crate) async fn run(store: &Store) -> Result<(), StoreError> {
    let migrator = Migrator::with_migrations(
        ALL.iter().map(|(version, name, sql)| migration(store, *version, name, sql)).collect(),
    );
    if is_done(store, &migrator).await? {
        return Ok(());
    }
    // `run` does the same, but its future is not `Send` (an `Acquire` that is "not general enough").
    match store.dialect {
        // The migrator has no lock of its own here. Its transactions become savepoints of this one.
        Dialect::Sqlite => {
            let mut tx = store.begin().await?;
            migrator.run_direct(None, &mut *tx, false).await?;
            tx.commit().await?;
        }
        Dialect::Postgres => migrator.run_direct(None, &mut *store.writer.acquire().await?, false).await?,
    }
    Ok(())
}

fn migration(store: &Store, version: i64, name: &'static str, sql: &'static str) -> Migration {
    let sql = match store.dialect {
        Dialect::Sqlite => sql.into_sql_str(),
        Dialect::Postgres if version == AUDIT => AUDIT_POSTGRES.into_sql_str(),
        Dialect::Postgres => AssertSqlSafe(sql.replace("BLOB", "BYTEA")).into_sql_str(),
    };
    Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
}

/// Whether exactly the migrations of this version were applied: one read, so that an ordinary start takes no lock.
async fn is_done(store: &Store, migrator: &Migrator) -> Result<bool, StoreError> {
    let query = "SELECT version, checksum FROM _sqlx_migrations WHERE success = TRUE ORDER BY version";
    let rows = match sqlx::query(query).fetch_all(&store.writer).await {
        Ok(rows) => rows,
        Err(sqlx::Error::Database(_)) => return Ok(false), // no such table yet
        Err(error) => return Err(error.into()),
    };
    let applied = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(i64, Vec<u8>)>, sqlx::Error>>()?;
    Ok(applied
        .iter()
        .map(|(v, sum)| (*v, sum.as_slice()))
        .eq(migrator.iter().map(|m| (m.version, m.checksum.as_ref()))))
}
