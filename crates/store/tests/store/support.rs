//! A database of its own for every test, and nouns to put in it.
//!
//! SQLite in a temporary folder; with `VALETKEY_TEST_POSTGRES=postgres://…` a fresh database on that server instead, so
//! that the same tests run on both.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use sqlx::{AnyConnection, Connection as _, Executor as _};
use tempfile::TempDir;
use valetkey_model::{
    Account, AuthMethod, CheckOutcome, Details, EngineId, Entropy, Grant, GrantId, GrantedAccess, GrantedIntegration,
    GrantedRepository, Integration, IntegrationId, Limits, OwnerScope, Phase, ProjectName, ProviderKind, PushPolicy,
    RepositorySpec, Session, SessionId, SessionSpec, TokenId, UserId,
};
use valetkey_store::{DatabaseUrl, SignInWay, Store, TokenRecord, WebSession};

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// Counts: every id is another one, and later ids sort behind.
pub(crate) struct Counter;

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.fill(0);
        let end = bytes.len();
        bytes[end - 8..].copy_from_slice(&count);
    }
}

pub(crate) struct Database {
    _folder: TempDir,
    pub(crate) url: DatabaseUrl,
    pub(crate) raw: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let raw = match std::env::var("VALETKEY_TEST_POSTGRES") {
            Ok(server) => {
                let name = format!("test_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
                let mut connection = AnyConnection::connect(&format!("{server}/postgres")).await.unwrap();
                connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
                format!("{server}/{name}")
            }
            Err(_) => format!("sqlite:{}", folder.path().join("data").join("valetkey.db").display()),
        };
        Self { url: raw.parse().unwrap(), _folder: folder, raw }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// Runs SQL of the test's own, as a person with a database shell might.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        self.try_tamper(sql).await.unwrap();
    }

    pub(crate) async fn try_tamper(&self, sql: &'static str) -> sqlx::Result<()> {
        let mut connection = AnyConnection::connect(&self.raw).await?;
        connection.execute(sql).await?;
        connection.close().await
    }
}

pub(crate) async fn store() -> (Database, Store) {
    let database = Database::new().await;
    let store = database.open().await;
    (database, store)
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(crate) fn integration(alias: &str) -> Integration {
    Integration {
        id: IntegrationId::new(at(1000), &Counter),
        provider: ProviderKind::GitLab,
        scope: OwnerScope::UserGlobal,
        owner: UserId::admin(),
        alias: alias.parse().unwrap(),
        instance_url: "https://gitlab.example:8443".parse().unwrap(),
        account: Account { id: "7".into(), username: "john".into(), name: Some("John Ö".into()), email: None },
        auth_method: AuthMethod::Pat,
        granted_scopes: vec!["api".into()],
        expires_at: Some(at(9_000)),
        outcome: CheckOutcome::Connected,
        unreachable: None,
        is_default: false,
        generation: 1,
        removing: false,
        created_at: at(1_000),
        updated_at: at(1_000),
        last_checked_at: at(1_000),
        last_used_at: None,
        details: Details::default(),
        refresh_expires_at: None,
    }
}

/// Stores an integration that is named after its alias, and its credential.
pub(crate) async fn connected(store: &Store, alias: &str) -> Integration {
    let integration = integration(alias);
    store.insert_integration(&integration, alias.as_bytes()).await.unwrap();
    integration
}

pub(crate) fn engine() -> EngineId {
    EngineId::new(at(1), &Counter)
}

pub(crate) fn session() -> Session {
    let repository = RepositorySpec {
        url: "https://gitlab.example:8443/team/repo".parse().unwrap(),
        branch: None,
        push_branch: "feature/x".parse().unwrap(),
        integration: None,
        allow_force: false,
    };
    let spec = SessionSpec {
        task: "Add feature X\nand 'quote' \"it\"".into(),
        repositories: vec![repository],
        agent: vec!["agent".into(), "{task}".into()],
        assistant: None,
        timeout_seconds: 3600,
        pull_request: false,
        keep_workspace: false,
    };
    Session::new(SessionId::new(at(2_000), &Counter), ProjectName::default_project(), UserId::admin(), spec, at(2_000))
}

pub(crate) async fn started(store: &Store) -> Session {
    let session = session();
    store.insert_session(&session, &engine()).await.unwrap();
    session
}

/// Takes a stored session to its end.
pub(crate) async fn finish(store: &Store, mut session: Session) {
    let before = session.phase;
    session.advance(Phase::Failed, at(3_000)).unwrap();
    store.update_session(&session, before).await.unwrap();
}

/// A grant until second 10 000, with one repository per integration.
pub(crate) fn grant(session: &Session, integrations: &[&Integration]) -> Grant {
    let granted = |i: &&Integration| GrantedIntegration {
        id: i.id.clone(),
        provider: i.provider,
        generation: i.generation,
        overridden: false,
    };
    let repository = |i: &&Integration| GrantedRepository {
        url: session.spec.repositories[0].url.clone(),
        with: Some(GrantedAccess {
            integration: i.id.clone(),
            push: PushPolicy { branch: "feature/x".parse().unwrap(), allow_force: false },
        }),
    };
    Grant {
        id: GrantId::new(at(2_000), &Counter),
        session: session.id.clone(),
        integrations: integrations.iter().map(granted).collect(),
        repositories: integrations.iter().map(repository).collect(),
        ends_at: at(10_000),
    }
}

/// A new session that holds these integrations; its lease's hash is the session's id.
pub(crate) async fn holding(store: &Store, integrations: &[&Integration]) -> Session {
    let session = started(store).await;
    store.insert_grant(&grant(&session, integrations), session.id.as_str()).await.unwrap();
    session
}

pub(crate) fn token(name: &str, owner: &str) -> TokenRecord {
    TokenRecord {
        id: TokenId::new(at(1), &Counter),
        name: name.into(),
        owner: user(owner),
        limits: Limits::default(),
        hash: format!("hash of {name}"),
        created_at: at(1),
        expires_at: None,
        last_used_at: None,
    }
}

pub(crate) fn web_session(hash: &str, owner: &str, expires_at: Timestamp) -> WebSession {
    let (hash, owner) = (hash.to_owned(), user(owner));
    WebSession { hash, owner, way: Some(SignInWay::Token), begun_at: Some(at(1)), expires_at }
}
