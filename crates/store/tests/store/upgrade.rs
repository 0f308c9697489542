//! A database of an earlier version is brought up to date with what is in it.

use crate::support::{Database, at};
use sqlx::{
    AnyConnection, AssertSqlSafe, Connection as _, Executor as _, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};
use valetkey_model::Details;
use valetkey_store::Everybodys;

const FIRST_TABLES: &str = include_str!("../../migrations/0001_first_tables.sql");

/// As the first version left it.
async fn first_version() -> (Database, AnyConnection) {
    let database = Database::new().await;
    let (address, sql) = match database.url.file() {
        Some(file) => {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            (format!("{}?mode=rwc", database.raw), FIRST_TABLES.to_owned())
        }
        None => (database.raw.clone(), FIRST_TABLES.replace("BLOB", "BYTEA")),
    };
    let sql = AssertSqlSafe(sql).into_sql_str();
    let first = Migration::new(1, "first tables".into(), MigrationType::Simple, sql, false);
    let mut connection = AnyConnection::connect(&address).await.unwrap();
    Migrator::with_migrations(vec![first]).run_direct(None, &mut connection, false).await.unwrap();
    (database, connection)
}

#[tokio::test]
async fn integrations_of_the_first_version_are_kept_and_due_for_a_check() {
    let (database, mut connection) = first_version().await;
    let insert = r#"INSERT INTO integrations (id, provider, owner, scope, alias, alias_folded, instance_url, account,
        auth_method, granted_scopes, outcome, is_default, removing, created_at, updated_at, last_checked_at, generation,
        sealed) SELECT '0190a0b0-0000-7000-8000-000000000001', 'gitlab', 'admin', 'user_global', 'Old', 'old',
        'https://gitlab.com', '{"id":"7","username":"john"}', 'pat', '["api"]', '{"outcome":"connected"}', 0, 0,
        1000, 1000, 5000, 3, ''"#;
    connection.execute(insert).await.unwrap();
    connection.close().await.unwrap();

    let store = database.open().await;
    let [old] = store.integrations(Everybodys::default()).await.unwrap().try_into().unwrap();
    assert_eq!(
        (old.alias.as_str(), old.generation, old.details, old.refresh_expires_at),
        ("Old", 3, Details::default(), None)
    );
    assert_eq!(store.claim_due_checks(at(4), at(60), 10).await.unwrap(), []);
    assert_eq!(store.claim_due_checks(at(5), at(60), 10).await.unwrap(), [old.id]);
}
