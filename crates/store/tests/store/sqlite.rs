//! What is promised of the database file: private, shared between processes, crash-safe, and free of what was erased.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    secrets::secret,
    support::{at, connected, engine, integration, session},
    webhooks::webhook,
};
use tempfile::TempDir;
use valetkey_model::{CheckOutcome, EventBody, LogStream, ProjectName, SecretOwner, SessionId};
use valetkey_store::{CheckRecord, DatabaseUrl, Everybodys, Finding, Removal, RemovalMode, Store, StoreError, Webhook};

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a folder, 100% new?#").join("valetkey.db");
    (folder, file)
}

async fn open(file: &Path) -> Store {
    Store::open(&DatabaseUrl::sqlite(file)).await.unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The names of the files in the database's folder.
fn names(file: &Path) -> Vec<String> {
    let entries = fs::read_dir(file.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whether the bytes are anywhere in the database's folder.
fn on_disk(file: &Path, bytes: &[u8]) -> bool {
    let holds = |name: &String| {
        let content = fs::read(file.parent().unwrap().join(name)).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    };
    names(file).iter().any(holds)
}

#[tokio::test]
async fn it_is_private_with_all_that_lies_beside_it() {
    let (_folder, file) = place();
    let store = open(&file).await;
    store.ready().await.unwrap();
    connected(&store, "a").await;
    assert_eq!(names(&file), ["valetkey.db", "valetkey.db-shm", "valetkey.db-wal"]);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for name in names(&file) {
        assert_eq!(mode(&file.with_file_name(&name)), 0o600, "{name}");
    }
    store.close().await;
    assert_eq!(names(&file), ["valetkey.db"]);
}

#[tokio::test]
async fn a_place_that_can_not_be_is_an_error_that_names_it() {
    let (_folder, file) = place();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "no database at all, only some text that is long enough to be read as a header of one").unwrap();
    assert!(matches!(Store::open(&DatabaseUrl::sqlite(&file)).await, Err(StoreError::Unavailable(_))));
    let below_a_file = file.join("valetkey.db");
    let error = Store::open(&DatabaseUrl::sqlite(&below_a_file)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Location { path, .. } if *path == below_a_file), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_first_starts_at_once_make_one_database() {
    let (_folder, file) = place();
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let file = file.clone();
            tokio::spawn(async move {
                let store = open(&file).await;
                connected(&store, &format!("of {n}")).await;
                store
            })
        })
        .collect();
    let mut stores = Vec::new();
    for task in tasks {
        stores.push(task.await.unwrap());
    }
    for store in &stores {
        assert_eq!(store.integrations(Everybodys::default()).await.unwrap().len(), 10);
    }
    assert_eq!(names(&file), ["valetkey.db", "valetkey.db-shm", "valetkey.db-wal"], "nothing else is left");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let (_folder, file) = place();
    open(&file).await.close().await;
    let raw = format!("sqlite:{}", url_path(&file));
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&raw).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', TRUE, x'00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    assert!(matches!(Store::open(&DatabaseUrl::sqlite(&file)).await, Err(StoreError::Migration(_))));
}

fn url_path(file: &Path) -> String {
    file.to_str().unwrap().replace('%', "%25").replace('?', "%3F").replace('#', "%23").replace(' ', "%20")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_and_read_at_the_same_time() {
    let (_folder, file) = place();
    let stores = [open(&file).await, open(&file).await];
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                let mine = connected(&store, &format!("task {n}")).await;
                for second in 0..5 {
                    let finding = Finding::Judged(CheckOutcome::Connected);
                    let check = CheckRecord { generation: 1, checked_at: at(second), finding };
                    assert!(store.record_check(&mine.id, &check).await.unwrap().is_some());
                    store.set_default(&mine.id, true, at(second)).await.unwrap();
                    store.integrations(Everybodys::default()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for store in stores {
        let all = store.integrations(Everybodys::default()).await.unwrap();
        assert_eq!(all.len(), 16);
        assert_eq!(all.iter().filter(|i| i.is_default).count(), 1);
    }
}

#[tokio::test]
async fn an_erased_or_replaced_credential_leaves_the_disk() {
    let (_folder, file) = place();
    let store = open(&file).await;
    let sealed = |n: usize, generation: usize| format!("<sealed {n}.{generation} {}>", "x".repeat(n % 700));
    let mut all = Vec::new();
    for n in 0..60 {
        let new = integration(&format!("integration {n}"));
        store.insert_integration(&new, sealed(n, 1).as_bytes()).await.unwrap();
        all.push(new);
    }
    // Rows that grow and shrink move within and between pages.
    for (n, it) in all.iter().enumerate() {
        let finding = Finding::Unreachable("no answer ".repeat(n % 50));
        let check = CheckRecord { generation: 1, checked_at: at(2_000), finding };
        store.record_check(&it.id, &check).await.unwrap();
        store.touch_used(&it.id, at(2_000)).await.unwrap();
    }
    let reader = open(&file).await;
    for (n, it) in all.iter().enumerate() {
        assert!(on_disk(&file, sealed(n, 1).as_bytes()));
        store.replace_credential(&it.id, 1, sealed(n, 2).as_bytes(), at(3_000)).await.unwrap();
        assert!(!on_disk(&file, sealed(n, 1).as_bytes()), "replaced {n}");
        assert!(on_disk(&file, sealed(n, 2).as_bytes()));
        reader.ready().await.unwrap();
    }
    for (n, it) in all.iter().enumerate() {
        let removal = store.begin_removal(&it.id, RemovalMode::WhenFree, at(4_000)).await.unwrap();
        assert_eq!(removal, Removal::Erased);
        assert!(!on_disk(&file, sealed(n, 2).as_bytes()), "erased {n}");
    }
}

#[tokio::test]
async fn a_deleted_project_s_secrets_leave_the_disk() {
    let (_folder, file) = place();
    let store = open(&file).await;
    let shop: ProjectName = "shop".parse().unwrap();
    store.insert_project(&shop, at(100)).await.unwrap();
    let owner = SecretOwner::Project(shop.clone());
    store.insert_secret(&secret(owner, "DEPLOY_KEY"), b"<sealed secret>").await.unwrap();
    let webhook = Webhook { project: shop.clone(), ..webhook() };
    store.insert_webhook(&webhook, b"<sealed signing secret>", 1).await.unwrap();
    assert!(on_disk(&file, b"<sealed secret>") && on_disk(&file, b"<sealed signing secret>"));
    assert!(store.delete_project(&shop).await.unwrap());
    assert!(!on_disk(&file, b"<sealed secret>") && !on_disk(&file, b"<sealed signing secret>"));
}

/// A process is killed while it writes; whatever it had been told is stored is there.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test kills a process")]
async fn what_was_acknowledged_survives_a_kill() {
    let (_folder, file) = place();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::appends_until_killed", "--ignored", "--nocapture"])
        .env("DATABASE_FILE", &file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut told = lines.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned));
    let last = told.by_ref().nth(20).expect("it goes on until killed");
    child.kill().unwrap();
    child.wait().unwrap();
    let last = told.last().unwrap_or(last);
    let (id, seq) = last.split_once(' ').unwrap();
    let (id, seq): (SessionId, i64) = (id.parse().unwrap(), seq.parse().unwrap());

    let store = open(&file).await;
    let kept = store.last_seq(&id).await.unwrap();
    assert!(kept >= seq, "{seq} was acknowledged, {kept} is there");
    assert_eq!(kept % 3, 0, "a batch is there whole or not at all");
    let events = store.events_after(&id, 0, u32::MAX).await.unwrap();
    assert!(events.iter().map(|e| e.seq).eq(1..=kept));
}

#[tokio::test]
#[ignore = "the process that the test above kills"]
#[expect(clippy::print_stdout, reason = "the test above reads it")]
async fn appends_until_killed() {
    let store = open(Path::new(&std::env::var_os("DATABASE_FILE").unwrap())).await;
    let session = session();
    store.insert_session(&session, &engine()).await.unwrap();
    let line = EventBody::Log { stream: LogStream::Stdout, text: "line\n".repeat(50) };
    let batch = [line.clone(), line.clone(), line].map(|line| (at(1), line));
    println!();
    loop {
        let last = store.append_events(&session.id, &batch).await.unwrap();
        println!("acknowledged {} {last}", session.id);
    }
}
