//! What sessions are given: a person's own, and a project's.

use crate::support::{Counter, Database, at, store, user};
use valetkey_model::{ProjectName, SecretId, SecretName, SecretOwner};
use valetkey_store::{SecretRecord, Store, StoreError, StoredCredential};

pub(crate) fn mine() -> SecretOwner {
    SecretOwner::Person(user("admin"))
}

fn the_project_s() -> SecretOwner {
    SecretOwner::Project(ProjectName::default_project())
}

pub(crate) fn secret(owner: SecretOwner, name: &str) -> SecretRecord {
    SecretRecord {
        id: SecretId::new(at(1), &Counter),
        owner,
        name: name.parse().unwrap(),
        description: "For <i>this</i>".to_owned(),
        created_by: user("admin"),
        created_at: at(1),
        updated_at: at(1),
        generation: 1,
    }
}

pub(crate) async fn stored(store: &Store, owner: SecretOwner, name: &str) -> SecretRecord {
    let secret = secret(owner, name);
    store.insert_secret(&secret, name.as_bytes()).await.unwrap();
    secret
}

#[tokio::test]
async fn a_name_is_used_once_per_owner_and_case_counts() {
    let (_database, store) = store().await;
    let own = stored(&store, mine(), "TOKEN").await;
    let shared = stored(&store, the_project_s(), "TOKEN").await;
    let other_case = stored(&store, mine(), "Token").await;
    for owner in [mine(), the_project_s()] {
        let again = store.insert_secret(&secret(owner, "TOKEN"), b"x").await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    let found = async |owner: SecretOwner, name: &SecretName| store.secret(&owner, name).await.unwrap();
    assert_eq!(found(mine(), &own.name).await, Some(own.clone()));
    assert_eq!(found(the_project_s(), &own.name).await, Some(shared));
    assert_eq!(found(the_project_s(), &other_case.name).await, None);
    assert!(store.delete_secret(&mine(), &own.name).await.unwrap());
    assert!(!store.delete_secret(&mine(), &own.name).await.unwrap());
    assert_eq!(store.secrets_page(&mine(), 10, None).await.unwrap(), [other_case]);
    assert_eq!(store.secrets_page(&the_project_s(), 10, None).await.unwrap().len(), 1, "another owner's stays");
}

#[tokio::test]
async fn an_owner_exists() {
    let (_database, store) = store().await;
    for owner in [SecretOwner::Person(user("nobody")), SecretOwner::Project("nowhere".parse().unwrap())] {
        let refused = store.insert_secret(&secret(owner, "TOKEN"), b"x").await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn what_a_project_or_a_person_had_goes_with_them() {
    let (database, store) = store().await;
    database
        .tamper("INSERT INTO users (id, name, administrator, disabled, created_at) VALUES ('eve', 'Eve', 0, 0, 0)")
        .await;
    database.tamper("INSERT INTO projects (name) VALUES ('gone')").await;
    stored(&store, SecretOwner::Person(user("eve")), "TOKEN").await;
    stored(&store, SecretOwner::Project("gone".parse().unwrap()), "TOKEN").await;
    for (sql, left) in [("DELETE FROM users WHERE id = 'eve'", 1), ("DELETE FROM projects WHERE name = 'gone'", 0)] {
        with_foreign_keys(&database, sql).await;
        assert_eq!(store.sealed_page(10, None).await.unwrap().len(), left, "{sql}");
    }
}

/// Connections of the store enforce them; a test's own must ask for it.
async fn with_foreign_keys(database: &Database, sql: &'static str) {
    use sqlx::{AnyConnection, Connection as _, Executor as _};
    let mut connection = AnyConnection::connect(&database.raw).await.unwrap();
    if database.raw.starts_with("sqlite:") {
        connection.execute("PRAGMA foreign_keys = ON").await.unwrap();
    }
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn one_value_takes_the_place_of_the_generation_before_it_only() {
    let (_database, store) = store().await;
    let first = stored(&store, mine(), "TOKEN").await;
    let newer =
        |generation| SecretRecord { description: String::new(), updated_at: at(5), generation, ..first.clone() };
    for wrong in [1, 3] {
        let refused = store.replace_secret(&newer(wrong), b"new").await;
        assert!(matches!(refused, Err(StoreError::Stale(_))), "{wrong}");
    }
    store.replace_secret(&newer(2), b"new").await.unwrap();
    assert_eq!(store.secret(&mine(), &first.name).await.unwrap(), Some(newer(2)));
    let value = StoredCredential { generation: 2, sealed: b"new".to_vec() };
    assert_eq!(store.sealed(&first.id).await.unwrap(), Some(value));
}

#[tokio::test]
async fn sixty_at_once_are_sixty() {
    let (_database, store) = store().await;
    let writes = (0..60).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let owner = if n % 2 == 0 { mine() } else { the_project_s() };
            store.insert_secret(&secret(owner, &format!("S{n}")), format!("value {n}").as_bytes()).await.unwrap();
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let all = store.secrets_of_session(&user("admin"), Some(&ProjectName::default_project())).await.unwrap();
    assert_eq!(all.len(), 60);
    for (record, value) in all {
        let n = record.name.as_str().trim_start_matches('S');
        assert_eq!(value.sealed, format!("value {n}").into_bytes());
    }
}

#[tokio::test]
async fn a_session_gets_its_person_s_and_its_project_s_and_nobody_else_s() {
    let (database, store) = store().await;
    database
        .tamper("INSERT INTO users (id, name, administrator, disabled, created_at) VALUES ('eve', 'Eve', 0, 0, 0)")
        .await;
    database.tamper("INSERT INTO projects (name) VALUES ('other')").await;
    for owner in
        [mine(), the_project_s(), SecretOwner::Person(user("eve")), SecretOwner::Project("other".parse().unwrap())]
    {
        stored(&store, owner, "TOKEN").await;
    }
    let owners = async |person: &str, project: Option<&str>| {
        let project = project.map(|name| name.parse().unwrap());
        let all = store.secrets_of_session(&user(person), project.as_ref()).await.unwrap();
        all.into_iter().map(|(record, _)| record.owner).collect::<Vec<_>>()
    };
    assert_eq!(owners("admin", Some("default")).await, [mine(), the_project_s()]);
    assert_eq!(owners("admin", None).await, [mine()]);
    assert_eq!(owners("eve", Some("nowhere")).await, [SecretOwner::Person(user("eve"))]);
}

#[tokio::test]
async fn what_is_kept_is_counted_without_the_one_that_is_set() {
    let (_database, store) = store().await;
    let name = |text: &str| text.parse::<SecretName>().unwrap();
    let kept = async |owner: SecretOwner, besides: &str| {
        let kept = store.secrets_kept(&owner, &name(besides)).await.unwrap();
        (kept.count, kept.bytes)
    };
    assert_eq!(kept(mine(), "A").await, (0, 0));
    for name in ["A", "BB", "CCC"] {
        stored(&store, mine(), name).await;
    }
    assert_eq!(kept(mine(), "D").await, (3, 6));
    assert_eq!(kept(mine(), "BB").await, (2, 4));
    assert_eq!(kept(the_project_s(), "A").await, (0, 0));
}

#[tokio::test]
async fn a_list_passes_every_secret_once() {
    let (_database, store) = store().await;
    let mut all = Vec::new();
    for n in 0..7 {
        all.push(stored(&store, mine(), &format!("S{n}")).await);
    }
    for size in [1, 3, 7, 100] {
        let mut names: Vec<SecretName> = Vec::new();
        loop {
            let page = store.secrets_page(&mine(), size, names.last()).await.unwrap();
            assert!(page.len() <= size as usize);
            if page.is_empty() {
                break;
            }
            names.extend(page.into_iter().map(|secret| secret.name));
        }
        assert!(names.iter().eq(all.iter().map(|secret| &secret.name)), "pages of {size}");
    }
    let id = &all[0].id;
    assert!(!store.rewrap(id, 1, b"other", b"new").await.unwrap());
    assert!(!store.rewrap(id, 2, b"S0", b"new").await.unwrap());
    assert!(store.rewrap(id, 1, b"S0", b"new").await.unwrap());
    let after = StoredCredential { generation: 1, sealed: b"new".to_vec() };
    assert_eq!(store.sealed(id).await.unwrap(), Some(after));
}
