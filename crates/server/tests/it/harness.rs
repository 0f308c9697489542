//! A server in a temporary folder, and clients that remember everything they were told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use valetkey_model::{Clock as _, Limits, ProjectCreation, TokenId};
use valetkey_seal::{SystemEntropy, TokenHash};
use valetkey_server::{App, AppConfig, SignIn, router};
use valetkey_sessions::{Engine, EngineConfig};
use valetkey_store::{TokenRecord, UserRecord};
use valetkey_testbed::{ForgeBed, Testbed};

const ADMIN_TOKEN: &str = "the-administrators-token";

/// Where people would reach the server.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:8080";

/// A server without a listener: requests go straight to its router.
pub(crate) struct TestServer {
    pub(crate) bed: Testbed,
    pub(crate) app: App,
    pub(crate) router: Router,
    engine: Engine,
    answers: Arc<Mutex<Vec<String>>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with_url(PUBLIC_URL).await
    }

    pub(crate) async fn with_url(public_url: &str) -> Self {
        let bed = Testbed::new(&[]).await;
        let engine = EngineConfig {
            data_dir: bed.folder.path().to_owned(),
            public_url: public_url.to_owned(),
            agent: vec!["true".to_owned()],
            environment: std::env::vars_os().collect(),
            agent_env: Vec::new(),
            at_once: 4,
        };
        let (store, integrations, clock) = (bed.store.clone(), bed.integrations.clone(), bed.clock.clone());
        let entropy = Arc::new(SystemEntropy);
        let http = bed.http.clone();
        let engine = Engine::start(engine, store.clone(), integrations.clone(), http, clock.clone(), entropy.clone());
        let engine = engine.await.expect("the engine starts");
        let config = AppConfig {
            public_url: public_url.parse().expect("a URL"),
            admin_token: Some(TokenHash::of(ADMIN_TOKEN)),
            project_creation: ProjectCreation::Everyone,
            version: "1.2.3".to_owned(),
        };
        let app = App::new(config, store, integrations, engine.clone(), clock, entropy);
        let router = router(app.clone());
        Self { bed, app, router, engine, answers: Arc::default() }
    }

    /// The same server, where people come in by an identity provider too.
    pub(crate) fn with_sign_in(self, sign_in: SignIn) -> Self {
        let app = self.app.with_sign_in(sign_in);
        Self { router: router(app.clone()), app, ..self }
    }

    /// Somebody without any credential.
    pub(crate) fn anonymous(&self) -> Client {
        Client { router: self.router.clone(), headers: HeaderMap::new(), answers: self.answers.clone() }
    }

    /// The administrator, with the token of the settings.
    pub(crate) fn admin(&self) -> Client {
        self.bearer(ADMIN_TOKEN)
    }

    /// Somebody with a bearer token.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        self.anonymous().with("authorization", &format!("Bearer {token}"))
    }

    /// Somebody else than the administrator, in no project; asked for again, the same.
    pub(crate) async fn somebody(&self, name: &str) -> Client {
        let now = self.bed.clock.now();
        let person = UserRecord {
            id: name.parse().expect("a user's name"),
            identity: None,
            name: name.to_owned(),
            email: None,
            administrator: false,
            disabled: false,
            created_at: now,
            last_seen_at: None,
        };
        self.bed.store.insert_user(&person).await.expect("a person");
        let token = format!("the-token-of-{name}");
        let record = TokenRecord {
            id: TokenId::new(now, &SystemEntropy),
            name: "test".to_owned(),
            owner: person.id,
            limits: Limits::default(),
            hash: TokenHash::of(&token).as_str().to_owned(),
            created_at: now,
            expires_at: None,
            last_used_at: None,
        };
        self.bed.store.insert_token(&record).await.expect("a token");
        self.bearer(&token)
    }

    /// Its session engine, for a server with other settings.
    pub(crate) fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// Somebody without any credential who asks that server.
    pub(crate) fn through(&self, router: Router) -> Client {
        Client { router, ..self.anonymous() }
    }

    /// Ends the sessions that still run, with their agents.
    pub(crate) async fn shut_down(self) {
        self.engine.shut_down(Duration::from_secs(30)).await;
    }

    /// Everything that any client was told so far, headers included.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.answers.lock().unwrap().clone()
    }
}

/// Sends requests.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    headers: HeaderMap,
    answers: Arc<Mutex<Vec<String>>>,
}

impl Client {
    /// The same client, sending one more header with every request.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some("application/json"), body.to_string()).await
    }

    /// A POST without a body.
    pub(crate) async fn press(&self, path: &str) -> Reply {
        self.send(Method::POST, path, None, Bytes::new()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, Some("application/json"), body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None, Bytes::new()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: Option<&str>,
        body: impl Into<Body>,
    ) -> Reply {
        let response = self.open(method, path, media_type, body.into()).await;
        self.read(response).await
    }

    /// Sends a request without a body. Of an answer that goes on only the head is waited for.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Reply {
        let response = self.open(method, path, None, Body::empty()).await;
        let goes_on = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        self.read(if goes_on { response.map(|_| Body::empty()) } else { response }).await
    }

    async fn read(&self, response: Response<Body>) -> Reply {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the whole body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        self.answers.lock().unwrap().push(format!("{:?}\n{body}", parts.headers));
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request whose answer goes on; its body is still to be read.
    pub(crate) async fn listen(&self, path: &str) -> Response<Body> {
        self.open(Method::GET, path, None, Body::empty()).await
    }

    async fn open(&self, method: Method, path: &str, media_type: Option<&str>, body: Body) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8080");
        if let Some(media_type) = media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let mut request = request.body(body).expect("a request");
        request.headers_mut().extend(self.headers.clone());
        self.router.clone().oneshot(request).await.expect("routers don't fail")
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The JSON of a 200.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        self.success(StatusCode::OK)
    }

    /// The JSON of a 201.
    #[track_caller]
    pub(crate) fn created(self) -> Value {
        self.success(StatusCode::CREATED)
    }

    #[track_caller]
    pub(crate) fn success(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// A success without a body.
    #[track_caller]
    pub(crate) fn nothing(self) {
        assert_eq!((self.status, &*self.body), (StatusCode::NO_CONTENT, ""));
    }

    /// The problem document of a refusal, which must have every member that the contract names.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_str(&self.body).expect("JSON");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["error"], problem["detail"]);
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
        problem
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("text")
    }
}

/// The body that connects a forge's account.
pub(crate) fn connect_body(forge: &ForgeBed) -> Value {
    serde_json::json!({
        "provider": forge.kind().slug(),
        "instanceUrl": forge.twin.url(),
        "auth": { "method": "pat", "token": forge.token },
    })
}
