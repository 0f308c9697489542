//! Lists and choices in a full store: 10,000 integrations, 100,000 sessions, 1,000 people in 200 projects.
//!
//! `cargo bench -p valetkey-server`. With `VALETKEY_TEST_POSTGRES` set, the same on that PostgreSQL server. It fails where a
//! figure is not what is wanted; on a machine that does other work meanwhile the late ones soon are not.
#![expect(clippy::print_stdout, reason = "a benchmark prints figures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, body::Body};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use sqlx::AnyPool;
use tower::ServiceExt as _;
use valetkey_integrations::Integrations;
use valetkey_model::{
    Account, AuthMethod, CheckOutcome, Clock as _, Details, EngineId, Integration, IntegrationId, Limits, OwnerScope,
    ProjectCreation, ProjectName, ProviderKind, Session, SessionId, TokenId, UserId, resolve,
};
use valetkey_providers::{AddressPolicy, Http, HttpConfig};
use valetkey_seal::{KeyFile, Sealer, SystemEntropy, TokenHash};
use valetkey_server::{App, AppConfig, router};
use valetkey_sessions::{Engine, EngineConfig};
use valetkey_store::{DatabaseUrl, Store, TokenRecord};
use valetkey_testbed::TestClock;

const INTEGRATIONS: usize = 10_000;
const SESSIONS: usize = 100_000;
const PEOPLE: usize = 1_000;
const PROJECTS: usize = 200;
/// How often each address is asked for; the 99th percentile is then its 990th answer.
const ROUNDS: usize = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("valetkey.db");
    println!("| store | list | median | 99th percentile | wanted |\n| --- | --- | --- | --- | --- |");
    let address = format!("sqlite://{}", file.display());
    let mut missed = measure("SQLite", DatabaseUrl::sqlite(&file), &address, folder.path()).await?;
    if let Ok(server) = std::env::var("VALETKEY_TEST_POSTGRES") {
        let name = format!("valetkey_lists_{}", std::process::id());
        let pool = AnyPool::connect(&format!("{server}/postgres")).await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await?;
        let url = format!("{server}/{name}");
        missed += measure("PostgreSQL", url.parse()?, &url, folder.path()).await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&pool).await?;
    }
    ensure!(missed == 0, "{missed} of these take longer than wanted");
    Ok(())
}

/// Prints the table of one database; how many of its figures are not what is wanted.
async fn measure(name: &str, url: DatabaseUrl, address: &str, folder: &std::path::Path) -> Result<usize> {
    let store = Store::open(&url).await?;
    fill(&store, address).await?;
    let (member, admin) = (token(&store, "person-1").await?, token(&store, "admin").await?);
    let (server, engine) = serve(&store, folder).await?;
    let mut missed = 0;
    for (list, who, path) in [
        ("integrations, the administrator's page", &admin, "/integrations"),
        (
            "integrations, the administrator's page of those that expire",
            &admin,
            "/integrations?tab=project&status=expiring",
        ),
        ("integrations, a member's page", &member, "/integrations?tab=project"),
        ("integrations, a member's API", &member, "/api/v1/integrations"),
        ("sessions, the administrator's page", &admin, "/sessions"),
        ("sessions, the administrator's page of failed ones", &admin, "/sessions?phase=failed"),
        ("sessions, the administrator's page of those under way", &admin, "/sessions?phase=active"),
        ("sessions, a text that none has", &admin, "/sessions?q=nowhere+to+be+found"),
        ("sessions, a member's page", &member, "/sessions"),
        ("sessions, a member's own", &member, "/sessions?by=me&phase=active&project=project-1"),
        ("sessions, a project's API", &member, "/api/v1/projects/project-1/sessions"),
        ("home, a member's", &member, "/"),
    ] {
        missed += usize::from(!row(name, list, times(&server, who, path).await?, Wanted::Late(20)));
    }
    missed += usize::from(!row(name, "the choice of an integration", choices(&store).await?, Wanted::Median(1)));
    engine.shut_down(Duration::from_secs(1)).await;
    store.close().await;
    Ok(missed)
}

/// In milliseconds.
#[derive(Clone, Copy)]
enum Wanted {
    /// Of the 99th percentile.
    Late(u64),
    /// Of the median.
    Median(u64),
}

/// Prints a figure, and says whether it is what is wanted.
fn row(store: &str, list: &str, mut times: Vec<Duration>, wanted: Wanted) -> bool {
    times.sort();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (which, limit, measured) = match wanted {
        Wanted::Late(limit) => ("99th percentile", limit, late),
        Wanted::Median(limit) => ("median", limit, median),
    };
    println!("| {store} | {list} | {:.2} ms | {:.2} ms | {which} ≤ {limit} ms |", ms(median), ms(late));
    measured <= Duration::from_millis(limit)
}

async fn times(server: &Router, token: &str, path: &str) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS + 20 {
        let request = Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty())?;
        let begun = Instant::now();
        let answer = server.clone().oneshot(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let took = begun.elapsed();
        ensure!(status == StatusCode::OK && body.len() > 500, "{path}: {status}, {} bytes", body.len());
        if round >= 20 {
            times.push(took);
        }
    }
    Ok(times)
}

/// Looking up what a person could use, and choosing; who asks is known by then.
async fn choices(store: &Store) -> Result<Vec<Duration>> {
    let (user, project): (UserId, ProjectName) = ("person-1".parse()?, "project-1".parse()?);
    let instance = "https://gitlab-7.example.test".parse()?;
    let by = store.actor(&user).await?.context("a person")?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let all = store.integrations_fitting(&by.user, &project, None, Some(&instance)).await?;
        let query = valetkey_model::Query {
            caller: &by,
            project: &project,
            explicit: None,
            provider: None,
            instance: Some(&instance),
        };
        let found = resolve(&all, query).is_ok();
        times.push(begun.elapsed());
        ensure!(found, "{} could be used", all.len());
    }
    Ok(times)
}

/// One of each by the store itself, which knows its form; the others are copies.
async fn fill(store: &Store, address: &str) -> Result<()> {
    let now = TestClock::default().now();
    let project: ProjectName = "project-1".parse()?;
    let pool = AnyPool::connect(address).await?;
    for insert in [
        copies(PROJECTS, "INSERT INTO projects (name) SELECT 'project-' || i FROM n"),
        copies(
            PEOPLE,
            "INSERT INTO users (id, name, administrator, disabled, created_at) SELECT 'person-' || i, 'P', 0, 0, 0 FROM n",
        ),
    ] {
        sqlx::query(insert).execute(&pool).await?;
    }
    for step in [1, 7, 13] {
        let insert = format!(
            "INSERT INTO project_members (project, kind, subject, role, added_at) \
             SELECT 'project-' || (1 + ((i - 1) * {step} + {step} - 1) % {PROJECTS}), 'person', 'person-' || i, 'member', 0 FROM n WHERE 1 = 1 ON CONFLICT DO NOTHING"
        );
        sqlx::query(copies(PEOPLE, &insert)).execute(&pool).await?;
    }
    store.insert_integration(&integration(now), &[7; 400]).await?;
    let columns = "provider, account, auth_method, granted_scopes, outcome, unreachable, is_default, removing, created_at, \
                   updated_at, last_checked_at, generation, sealed, details, next_check_at";
    // A third of them are projects'.
    let insert = format!(
        "INSERT INTO integrations (id, owner, scope, project, alias, alias_folded, instance_url, expires_at, {columns}) \
         SELECT {{id}}, 'person-' || (1 + i % {PEOPLE}), CASE i % 3 WHEN 0 THEN 'project' ELSE 'user_global' END, \
         CASE i % 3 WHEN 0 THEN 'project-' || (1 + i % {PROJECTS}) END, 'alias ' || i, 'alias ' || i, \
         'https://gitlab-' || (i % 50) || '.example.test', created_at + 86400000 * CAST(i % 100 AS BIGINT), {columns} \
         FROM n, (SELECT * FROM integrations LIMIT 1) AS one"
    );
    sqlx::query(copies(INTEGRATIONS - 1, &insert)).execute(&pool).await?;
    // Those that person-1 chooses among, on three levels.
    sqlx::query(copies(
        24,
        &format!(
            "INSERT INTO integrations (id, owner, scope, alias, alias_folded, instance_url, {columns}) \
         SELECT replace({{id}}, '018f', '018e'), 'person-1', 'user_global', 'own ' || i, 'own ' || i, \
         'https://gitlab-' || i || '.example.test', {columns} FROM n, (SELECT * FROM integrations LIMIT 1) AS one"
        ),
    ))
    .execute(&pool)
    .await?;
    store.insert_session(&session(&project, now)?, &EngineId::new(now, &SystemEntropy)).await?;
    let insert = format!(
        "INSERT INTO sessions (id, project, owner, engine, phase, finished, created_at, details, words) \
         SELECT {{id}}, 'project-' || (1 + i % {PROJECTS}), 'person-' || (1 + i % {PEOPLE}), engine, \
         CASE i % 10 WHEN 0 THEN 'Failed' ELSE 'Completed' END, 1, created_at, details, words \
         FROM n, (SELECT * FROM sessions LIMIT 1) AS one"
    );
    sqlx::query(copies(SESSIONS - 1, &insert)).execute(&pool).await?;
    sqlx::query("ANALYZE").execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// A statement that inserts `count` rows, `i` being the number of each and `{id}` an id made of it.
fn copies(count: usize, insert: &str) -> sqlx::AssertSqlSafe<String> {
    let id = "'018f0000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2)";
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT");
    sqlx::AssertSqlSafe(insert.replacen("SELECT", &numbers, 1).replace("{id}", id))
}

fn integration(now: Timestamp) -> Integration {
    Integration {
        id: IntegrationId::new(now, &SystemEntropy),
        provider: ProviderKind::GitLab,
        scope: OwnerScope::UserGlobal,
        owner: UserId::admin(),
        alias: "first".parse().expect("an alias"),
        instance_url: "https://gitlab.com".parse().expect("an instance"),
        account: Account {
            id: "7".into(),
            username: "john".into(),
            name: Some("John Doe".into()),
            email: Some("john@example.test".into()),
        },
        auth_method: AuthMethod::Pat,
        granted_scopes: vec!["api".into(), "read_user".into()],
        expires_at: None,
        refresh_expires_at: None,
        details: Details::default(),
        outcome: CheckOutcome::Connected,
        unreachable: None,
        is_default: false,
        generation: 1,
        removing: false,
        created_at: now,
        updated_at: now,
        last_checked_at: now,
        last_used_at: None,
    }
}

fn session(project: &ProjectName, now: Timestamp) -> Result<Session> {
    let spec = serde_json::from_value(serde_json::json!({
        "task": "Add a dark mode to the settings page, with a test for the colours that it uses.",
        "repositories": [{
            "url": "https://gitlab.com/acme/web/app", "branch": null, "pushBranch": "feature/dark-mode",
            "integration": null, "allowForce": false,
        }],
        "agent": ["claude", "-p", "{task}"], "timeoutSeconds": 3600, "pullRequest": true, "keepWorkspace": false,
    }))?;
    Ok(Session::new(SessionId::new(now, &SystemEntropy), project.clone(), UserId::admin(), spec, now))
}

async fn token(store: &Store, owner: &str) -> Result<String> {
    let (value, now) = (format!("the-token-of-{owner}"), TestClock::default().now());
    let record = TokenRecord {
        id: TokenId::new(now, &SystemEntropy),
        name: "bench".to_owned(),
        owner: owner.parse()?,
        limits: Limits::default(),
        hash: TokenHash::of(&value).as_str().to_owned(),
        created_at: now,
        expires_at: None,
        last_used_at: None,
    };
    store.insert_token(&record).await?;
    Ok(value)
}

/// A server without a listener.
async fn serve(store: &Store, folder: &std::path::Path) -> Result<(Router, Engine)> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let entropy = Arc::new(SystemEntropy);
    let http = Http::new(HttpConfig { extra_ca_pem: None, addresses: AddressPolicy::new(true, "")?, proxy: None })?;
    let sealer = Arc::new(Sealer::new(KeyFile::open_or_create(folder.join("key"), &SystemEntropy)?, entropy.clone())?);
    let clock = Arc::new(TestClock::default());
    let integrations = Integrations::new(store.clone(), sealer, http.clone(), clock.clone(), entropy.clone());
    let public_url = "http://127.0.0.1:8080";
    let config = EngineConfig {
        data_dir: folder.to_owned(),
        public_url: public_url.to_owned(),
        agent: vec!["true".to_owned()],
        environment: Vec::new(),
        agent_env: Vec::new(),
        at_once: 1,
    };
    let engine = Engine::start(config, store.clone(), integrations.clone(), http, clock.clone(), entropy.clone());
    let engine = engine.await.map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let config = AppConfig {
        public_url: public_url.parse()?,
        admin_token: None,
        project_creation: ProjectCreation::Everyone,
        version: "bench".to_owned(),
    };
    let app = App::new(config, store.clone(), integrations, engine.clone(), clock, entropy);
    Ok((router(app), engine))
}
