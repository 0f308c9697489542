use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    serve::ListenerExt as _,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::{net::TcpListener, task::JoinHandle};
use valetkey_git::{ConfigEntries, Git, receive_pack};
use valetkey_integrations::{Authorized, Integrations, Lease};
use valetkey_model::{Problem, RefUpdate, RepoUrl, SessionId, Verdict};
use valetkey_providers::{Http, UpstreamBody, UpstreamResponse};

use crate::{
    address::{self, Address, Endpoint, Service},
    answer,
    fast_forward::Checkouts,
    push,
    stream::{BodyError, revoked, until},
};

/// How much of an upstream's refusal is read for its words.
const REFUSAL_TEXT: usize = 2048;

/// A running gateway on a loopback port. Stops when dropped.
pub struct Gateway {
    local: SocketAddr,
    checkouts: Checkouts,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Parts {
    integrations: Integrations,
    http: Http,
    git: Git,
    checkouts: Checkouts,
}

impl Gateway {
    /// Starts listening on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(integrations: Integrations, http: Http, git: Git) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let local = listener.local_addr()?;
        let checkouts = Checkouts::default();
        let parts = Parts { integrations, http, git, checkouts: checkouts.clone() };
        let app = Router::new().fallback(handle).with_state(parts);
        let server = tokio::spawn(async move {
            // Git's requests are small and wait for each other: a delayed packet is a delayed clone.
            let listener = listener.tap_io(|connection| {
                let _ = connection.set_nodelay(true);
            });
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the git gateway stopped");
            }
        });
        Ok(Self { local, checkouts, server })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The git configuration that sends `repositories`, however they are spelled, through the gateway with `lease`.
    pub fn git_config(&self, lease: &Lease, repositories: &[RepoUrl]) -> ConfigEntries {
        let mut config = ConfigEntries::new();
        config.push(format!("http.http://{}/.proxy", self.local), "");
        for repository in repositories {
            let served = address::path_of(lease.as_path_segment(), repository);
            let key = format!("url.http://{}{served}.insteadOf", self.local);
            let (host, path) = (repository.instance().host(), repository.path());
            for spelling in [repository.browse_url(), format!("git@{host}:{path}"), format!("ssh://git@{host}/{path}")]
            {
                config.push(key.clone(), spelling);
            }
        }
        config
    }

    /// Says where a session has a repository checked out; needed to judge pushes to a branch that exists.
    pub fn register_checkout(&self, session: &SessionId, repository: &RepoUrl, folder: PathBuf) {
        self.checkouts.register(session, repository, folder);
    }

    /// Forgets a session's checkouts.
    pub fn forget(&self, session: &SessionId) {
        self.checkouts.forget(session);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn handle(State(parts): State<Parts>, request: Request) -> Response {
    let uri = request.uri();
    let post = match *request.method() {
        Method::GET => false,
        Method::POST => true,
        _ => return answer::refuse(StatusCode::METHOD_NOT_ALLOWED, "The gateway speaks git's smart HTTP only."),
    };
    let Some(address) = address::parse(post, uri.path(), uri.query()) else {
        return answer::refuse(
            StatusCode::NOT_FOUND,
            "The gateway serves git fetch and push of a session's repositories only.",
        );
    };
    let authorized = match parts.integrations.authorize(&address.lease, &address.repository).await {
        Ok(authorized) => authorized,
        Err(problem) => return answer::problem(&problem),
    };
    tracing::debug!(session = %authorized.session, repository = %address.repository, service = address.endpoint.service().name(), "git request");
    let (head, body) = request.into_parts();
    let outcome = match address.endpoint {
        Endpoint::Advertise(_) => forward(&parts, &address, &authorized, &head.headers, None).await,
        Endpoint::Run(Service::UploadPack) => {
            let body = guarded_body(&parts, &address, body.into_data_stream());
            forward(&parts, &address, &authorized, &head.headers, Some(body)).await
        }
        Endpoint::Run(Service::ReceivePack) => push(&parts, &address, &authorized, &head.headers, body).await,
    };
    outcome.unwrap_or_else(|problem| answer::problem(&problem))
}

fn guarded_body<S, E>(parts: &Parts, address: &Address, body: S) -> UpstreamBody
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, E>> + Send + 'static,
    E: Into<BodyError>,
{
    UpstreamBody::wrap_stream(until(body, loss_of(parts, address)))
}

/// Ready soon after the session loses what `address` needs.
fn loss_of(parts: &Parts, address: &Address) -> impl Future<Output = ()> + Send + 'static {
    revoked(parts.integrations.clone(), address.lease.clone(), address.repository.clone())
}

/// A push option can do more than set a branch: merge a request, change who sees the repository, set a job's variables.
const NO_OPTIONS: &str = "this session may not use push options";

/// Reads the command list, judges it, and streams the push on only if every command may pass.
async fn push(
    parts: &Parts,
    address: &Address,
    authorized: &Authorized,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(answer::refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "A compressed push can't be judged; git sends none.",
        ));
    }
    let read = match push::read(body).await {
        Ok(read) => read,
        Err(error) => return Ok(answer::refuse(StatusCode::BAD_REQUEST, &error.to_string())),
    };
    let mut refusals = Vec::new();
    for update in &read.push.commands {
        refusals.push(match authorized.repository.push.judge(update) {
            Verdict::Refused(why) => Some(why),
            _ if !read.push.options.is_empty() => Some(NO_OPTIONS.to_owned()),
            Verdict::Allowed => None,
            Verdict::AllowedIfFastForward => fast_forward(parts, address, authorized, update).await.err(),
        });
    }
    if refusals.iter().any(Option::is_some) {
        tracing::warn!(session = %authorized.session, repository = %address.repository, "a push was refused by the session's policy");
        let push = read.drain().await;
        let report = receive_pack::report_refused(&push, &refusals, None);
        let kind = [(header::CONTENT_TYPE, "application/x-git-receive-pack-result")];
        return Ok((kind, Body::from(report)).into_response());
    }
    let body = guarded_body(parts, address, read.into_body());
    forward(parts, address, authorized, headers, Some(body)).await
}

async fn fast_forward(
    parts: &Parts,
    address: &Address,
    authorized: &Authorized,
    update: &RefUpdate,
) -> Result<(), String> {
    parts.checkouts.check(&parts.git, &authorized.session, &address.repository, update).await
}

/// Sends the request upstream with the credential and streams the answer back.
async fn forward(
    parts: &Parts,
    address: &Address,
    authorized: &Authorized,
    headers: &HeaderMap,
    body: Option<UpstreamBody>,
) -> Result<Response, Problem> {
    let repository = &authorized.repository.url;
    let url = format!("{}{}", repository.clone_url(), address.endpoint.suffix());
    let mut request = http::Request::builder().method(if body.is_some() { Method::POST } else { Method::GET }).uri(url);
    for name in FORWARDED.iter().chain(if body.is_some() { &OF_A_BODY[..] } else { &[] }) {
        for value in headers.get_all(name) {
            request = request.header(name, value);
        }
    }
    let request = request
        .header(header::AUTHORIZATION, basic(authorized))
        .body(body.unwrap_or_default())
        .map_err(|_| Problem::new(valetkey_model::ProblemCode::InvalidInput, "The request can't be forwarded."))?;
    let upstream = parts
        .http
        .stream(repository.instance(), request)
        .await
        .map_err(|e| e.into_problem(authorized.provider, repository.instance()))?;
    if upstream.status().is_success() {
        return Ok(passed_on(parts, address, upstream));
    }
    Ok(refused(parts, address, authorized, upstream).await)
}

/// What git may tell the host. Not among them: cookies, authorization, anything that names this machine.
const FORWARDED: [header::HeaderName; 4] =
    [header::ACCEPT, header::ACCEPT_LANGUAGE, header::USER_AGENT, header::HeaderName::from_static("git-protocol")];

/// What describes a body goes with one only. A length without a body would make the host take the next request on the
/// same connection, perhaps another session's, for that body.
const OF_A_BODY: [header::HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH];

#[expect(clippy::disallowed_methods, reason = "the one place where a credential meets a git request")]
fn basic(authorized: &Authorized) -> HeaderValue {
    let pair = format!("{}:{}", authorized.git_user, authorized.token.expose());
    let mut value =
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).expect("base64 is a header value");
    value.set_sensitive(true);
    value
}

fn passed_on(parts: &Parts, address: &Address, upstream: UpstreamResponse) -> Response {
    let mut response = Response::builder().status(upstream.status());
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CACHE_CONTROL] {
        if let Some(value) = upstream.headers().get(&name) {
            response = response.header(name, value);
        }
    }
    let body = until(upstream.bytes_stream(), loss_of(parts, address));
    response.body(Body::from_stream(body)).unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

async fn refused(parts: &Parts, address: &Address, authorized: &Authorized, upstream: UpstreamResponse) -> Response {
    let status = upstream.status();
    if status == StatusCode::UNAUTHORIZED {
        recheck(parts.integrations.clone(), authorized);
    }
    let seconds = upstream.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    let said = words(authorized, upstream).await;
    let (provider, service) = (authorized.provider, address.endpoint.service());
    answer::upstream_refusal(status, provider, &address.repository, service, seconds, &said)
}

/// The upstream's own words, if it answered in plain text: bounded, visible characters only, without the credential.
#[expect(clippy::disallowed_methods, reason = "an answer is searched for the credential so that it is not passed on")]
async fn words(authorized: &Authorized, upstream: UpstreamResponse) -> String {
    let plain = upstream.headers().get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/plain"));
    if !plain || upstream.status().is_redirection() {
        return String::new();
    }
    let mut text = Vec::new();
    let mut stream = upstream.bytes_stream();
    while let Ok(Some(chunk)) = stream.try_next().await {
        text.extend_from_slice(&chunk);
        if text.len() > REFUSAL_TEXT {
            return String::new();
        }
    }
    let text = String::from_utf8_lossy(&text).replace(authorized.token.expose().as_str(), "***");
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// After a 401 the provider is asked what it thinks of the token, so that the status shown is its last word.
fn recheck(integrations: Integrations, authorized: &Authorized) {
    let id = authorized.repository.integration.clone();
    tokio::spawn(async move {
        if let Err(problem) = integrations.recheck(&id).await {
            tracing::warn!(integration = %id, %problem, "the check after a refusal failed");
        }
    });
}
