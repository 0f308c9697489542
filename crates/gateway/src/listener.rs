use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    serve::ListenerExt as _,
};
use http::{Method, StatusCode, header};
use tokio::{net::TcpListener, task::JoinHandle};
use valetkey_git::{ConfigEntries, Git, receive_pack};
use valetkey_integrations::{GitAccess, Integrations, Lease};
use valetkey_model::{Problem, ProblemCode, RefUpdate, RepoUrl, SessionId, Verdict};
use valetkey_providers::Http;

use crate::{
    address::{self, Endpoint, Service},
    answer,
    fast_forward::Checkouts,
    forward::Exchange,
    push,
    recheck::Rechecks,
    stream::loss_of,
};

/// How soon the gateway notices, and how often it asks.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A request that is under way goes on for no longer than this after its credential was taken away, and the time it
    /// takes to look that up. The lookup is repeated this often for each open request.
    pub revocation: Duration,
    /// After a check of a refused credential the provider is not asked about it again for this long.
    pub recheck: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { revocation: Duration::from_secs(5), recheck: Duration::from_secs(10) }
    }
}

/// A running gateway on a loopback port. Stops when dropped.
pub struct Gateway {
    local: SocketAddr,
    checkouts: Checkouts,
    server: JoinHandle<()>,
}

#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) integrations: Integrations,
    pub(crate) http: Http,
    git: Git,
    checkouts: Checkouts,
    pub(crate) rechecks: Rechecks,
    revocation: Duration,
}

impl Gateway {
    /// Starts listening on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(integrations: Integrations, http: Http, git: Git) -> io::Result<Self> {
        Self::start_with(integrations, http, git, Timing::default()).await
    }

    /// As [`start`](Self::start), with another timing than the usual one: tests need not wait that long.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start_with(integrations: Integrations, http: Http, git: Git, timing: Timing) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let local = listener.local_addr()?;
        let checkouts = Checkouts::default();
        let parts = Parts {
            integrations,
            http,
            git,
            checkouts: checkouts.clone(),
            rechecks: Rechecks::new(timing.recheck),
            revocation: timing.revocation,
        };
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
    let access = match address.endpoint.service() {
        Service::UploadPack => GitAccess::Read,
        Service::ReceivePack => GitAccess::Push,
    };
    let authorized = match parts.integrations.authorize(&address.lease, &address.repository, access).await {
        Ok(authorized) => authorized,
        Err(problem) => return answer::problem(&problem),
    };
    tracing::debug!(session = %authorized.session, repository = %address.repository, service = address.endpoint.service().name(), "git request");
    let (integrations, lease) = (parts.integrations.clone(), address.lease.clone());
    let lost = loss_of(integrations, lease, address.repository.clone(), parts.revocation);
    let (head, body) = request.into_parts();
    let exchange = Exchange { parts, address, authorized, headers: head.headers, lost: lost.clone() };
    let outcome = tokio::select! {
        biased;
        () = lost => Err(taken_away(&exchange.address.repository)),
        outcome = serve(&exchange, body) => outcome,
    };
    outcome.unwrap_or_else(|problem| answer::problem(&problem))
}

async fn serve(exchange: &Exchange, body: Body) -> Result<Response, Problem> {
    match exchange.address.endpoint {
        Endpoint::Advertise(_) => exchange.forward(None).await,
        Endpoint::Run(Service::UploadPack) => exchange.forward(Some(exchange.guarded(body.into_data_stream()))).await,
        Endpoint::Run(Service::ReceivePack) => push(exchange, body).await,
    }
}

fn taken_away(repository: &RepoUrl) -> Problem {
    let text = format!("The credential for {repository} was taken away while git was using it.");
    Problem::new(ProblemCode::Forbidden, text)
        .remedy("Either the integration was disconnected or the session has ended.")
}

/// A push option can do more than set a branch: merge a request, change who sees the repository, set a job's variables.
const NO_OPTIONS: &str = "this session may not use push options";

/// Reads the command list, judges it, and streams the push on only if every command may pass.
async fn push(exchange: &Exchange, body: Body) -> Result<Response, Problem> {
    if exchange.headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(answer::refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "A compressed push can't be judged; git sends none.",
        ));
    }
    let read = match push::read(body).await {
        Ok(read) => read,
        Err(error) => return Ok(answer::refuse(StatusCode::BAD_REQUEST, &error.to_string())),
    };
    let authorized = &exchange.authorized;
    let mut refusals = Vec::new();
    for update in &read.push.commands {
        refusals.push(match authorized.judge(update) {
            Verdict::Refused(why) => Some(why),
            _ if !read.push.options.is_empty() => Some(NO_OPTIONS.to_owned()),
            Verdict::Allowed => None,
            Verdict::AllowedIfFastForward => fast_forward(exchange, update).await.err(),
        });
    }
    if refusals.iter().any(Option::is_some) {
        tracing::warn!(session = %authorized.session, repository = %exchange.address.repository, "a push was refused by the session's policy");
        let push = read.drain().await;
        let report = receive_pack::report_refused(&push, &refusals, None);
        let kind = [(header::CONTENT_TYPE, "application/x-git-receive-pack-result")];
        return Ok((kind, Body::from(report)).into_response());
    }
    exchange.forward(Some(exchange.guarded(read.into_body()))).await
}

async fn fast_forward(exchange: &Exchange, update: &RefUpdate) -> Result<(), String> {
    let Exchange { parts, address, authorized, .. } = exchange;
    parts.checkouts.check(&parts.git, &authorized.session, &address.repository, update).await
}
