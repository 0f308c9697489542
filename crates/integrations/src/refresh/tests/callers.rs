//! 200 callers of one integration whose token is over, in threads and in two processes, over real HTTP: one refresh.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Form, Json, Router, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Barrier, task::JoinSet};
use valetkey_model::{Integration, IntegrationId};
use valetkey_providers::oauth::{OAuthProfile, Rotation};
use valetkey_store::{DatabaseUrl, Store};

use super::{Bench, TestClock, access, http, process};
use crate::{
    Integrations,
    apps::{App, AppFacts, AppSecrets},
    refresh::{
        server::{AtProvider, AuthorizationServer},
        turns::Turns,
    },
};

/// Set in a child process: the database, the key file, the token endpoint and the integration.
const CHILD: &str = "VALETKEY_TEST_REFRESHING_CHILD";

/// The test that is the child process.
const CHILD_TEST: &str = "refresh::tests::callers::the_child_process";

/// A server that counts what it is sent, and knows one refresh token.
struct TokenEndpoint {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl TokenEndpoint {
    /// One where `processes` processes wait for each other before they begin.
    async fn start(processes: usize) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let (count, barrier) = (Arc::clone(&requests), Arc::new(Barrier::new(processes)));
        let token = move |Form(form): Form<Vec<(String, String)>>| async move {
            count.fetch_add(1, Ordering::SeqCst);
            answer(&form)
        };
        let ready = move || async move {
            barrier.wait().await;
            "go"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/token", post(token)).route("/ready", post(ready));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(form: &[(String, String)]) -> (StatusCode, Json<Value>) {
    let field = |name| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let expected = [field("grant_type"), field("refresh_token"), field("client_id"), field("client_secret")];
    if expected == [Some("refresh_token"), Some("refresh-1"), Some("client"), Some("secret")] {
        let tokens = json!({ "access_token": "access-2", "refresh_token": "refresh-2", "token_type": "bearer", "expires_in": 7200 });
        return (StatusCode::OK, Json(tokens));
    }
    (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })))
}

/// The provider with its token endpoint at `url`.
fn provider_at(url: &str, with: &Integrations, it: &Integration) -> Arc<dyn AuthorizationServer> {
    let url: url::Url = url.parse().unwrap();
    let profile = OAuthProfile::new(url.join("authorize").unwrap(), url.join("token").unwrap());
    let secrets = AppSecrets { client_secret: Some("secret".into()), ..AppSecrets::default() };
    Arc::new(AtProvider {
        http: http(),
        clock: Arc::clone(&with.clock),
        integration: it.clone(),
        profile: OAuthProfile { rotation: Rotation::KillsAccess, ..profile },
        app: App { client_id: "client".to_owned(), secrets, facts: AppFacts::default() },
    })
}

/// What `count` callers get, all at once.
async fn callers(count: usize, of: &Integrations, it: &Integration, url: &str) -> Vec<String> {
    let mut callers = JoinSet::new();
    for _ in 0..count {
        let (of, it, server) = (of.clone(), it.clone(), provider_at(url, of, it));
        callers.spawn(async move { access(&of.usable_from(server, &it).await.unwrap()) });
    }
    callers.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_callers_in_threads_make_one_request() {
    let bench = Bench::new().await;
    let endpoint = TokenEndpoint::start(1).await;
    let it = bench.connected(0, "access-1", "refresh-1").await;
    // Two that share nothing but the database, as two processes would.
    let [one, other] =
        [(); 2].map(|()| process(bench.store.clone(), bench.key_file(), bench.clock.clone(), Turns::new()));
    let (mut got, more) =
        tokio::join!(callers(100, &one, &it, &endpoint.url), callers(100, &other, &it, &endpoint.url));
    got.extend(more);
    assert_eq!((got.len(), endpoint.requests()), (200, 1));
    assert!(got.iter().all(|token| token == "access-2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_callers_in_two_processes_on_sqlite_make_one_request() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("valetkey.db").display());
    two_processes(folder, url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::print_stdout, reason = "the maintainer reads what was skipped")]
async fn two_hundred_callers_in_two_processes_on_postgresql_make_one_request() {
    let Ok(server) = env::var("VALETKEY_TEST_POSTGRES") else {
        println!("skipped: two processes on PostgreSQL (`cargo xtask test` starts a server, where one is installed)");
        return;
    };
    let name = format!("refresh_{}", std::process::id());
    sqlx::any::install_default_drivers();
    let mut connection =
        <sqlx::AnyConnection as sqlx::Connection>::connect(&format!("{server}/postgres")).await.unwrap();
    let create = sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")));
    create.execute(&mut connection).await.unwrap();
    two_processes(tempfile::tempdir().unwrap(), format!("{server}/{name}")).await;
}

async fn two_processes(folder: tempfile::TempDir, database: String) {
    let endpoint = TokenEndpoint::start(2).await;
    let bench = Bench::on(folder, &database.parse().unwrap()).await;
    let it = bench.connected(0, "access-1", "refresh-1").await;
    let key_file = bench.key_file().display().to_string();
    let told = [database.as_str(), &key_file, &endpoint.url, it.id.as_str()].join("\n");
    let children = [(); 2].map(|()| {
        let told = told.clone();
        tokio::task::spawn_blocking(move || child(&told))
    });
    let mut got = Vec::new();
    for child in children {
        got.extend(child.await.unwrap());
    }
    assert_eq!((got.len(), endpoint.requests()), (200, 1), "{got:?}");
    assert!(got.iter().all(|token| token == "access-2"), "{got:?}");
    assert_eq!(bench.now_is(&it).await.generation, 2);
}

/// Runs this program again as a process with 100 callers; gives what they got.
#[expect(clippy::disallowed_methods, reason = "the test is about processes")]
fn child(told: &str) -> Vec<String> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", CHILD_TEST, "--ignored", "--nocapture"]).env(CHILD, told).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let got = lines.filter_map(|line| line.unwrap().strip_prefix("got ").map(str::to_owned)).collect();
    assert!(child.wait().unwrap().success());
    got
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is the child process of the tests above"]
#[expect(clippy::print_stdout, reason = "its parent reads it")]
async fn the_child_process() {
    let told = env::var(CHILD).expect("it is started by its parent");
    let [database, key_file, url, id] = told.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let store = Store::open(&database.parse::<DatabaseUrl>().unwrap()).await.unwrap();
    let it = store.integration(&id.parse::<IntegrationId>().unwrap()).await.unwrap().unwrap();
    let clock = Arc::new(TestClock(Mutex::new(it.expires_at.unwrap())));
    let integrations = process(store, key_file.into(), clock, Turns::new());
    ready(url).await;
    let work = callers(100, &integrations, &it, url);
    for token in tokio::time::timeout(Duration::from_secs(120), work).await.expect("nobody waits for ever") {
        println!("\ngot {token}");
    }
}

/// Waits until the other process is there too.
async fn ready(url: &str) {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let request = format!("POST /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut said = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut said).await.unwrap();
    assert!(said.ends_with("go"), "{said}");
}
