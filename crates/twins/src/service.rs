//! A running service without git: how it starts, what can be asked of it.

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::door::counted;
use crate::faults::{Faults, Surface, Switch, Voice};
use crate::host::{Host, Plan};
use crate::journal::{Journal, Log};
use crate::listener::Wire;
use crate::mishap::{self, Mishap, Mishaps};

/// A provider whose behaviour a [`Service`] has.
pub trait Provider: Voice + Send + Sync + Sized + 'static {
    /// The provider as it is before anybody uses it, to be served at this origin.
    fn at(origin: &str) -> Self;

    /// Everything that the provider answers.
    fn router(self: Arc<Self>) -> Router;

    /// Whose working credential this request carries, for the journal.
    fn whose(&self, headers: &HeaderMap) -> Option<String>;
}

/// How a service is to start.
#[derive(Debug, Clone)]
pub struct ServiceBuilder<P> {
    plan: Plan,
    provider: PhantomData<P>,
}

impl<P: Provider> ServiceBuilder<P> {
    /// Serves HTTPS with a certificate from a private authority; plain HTTP otherwise.
    #[must_use]
    pub fn tls(mut self, on: bool) -> Self {
        self.plan.tls = on;
        self
    }

    /// The address to listen on; `127.0.0.1:0` otherwise.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.plan.listen);
        self
    }

    /// One more host name for the certificate, besides `127.0.0.1`, `::1` and `localhost`.
    #[must_use]
    pub fn name(mut self, host: &str) -> Self {
        self.plan.names.push(host.to_owned());
        self
    }

    /// Starts the service on the current runtime.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn start(self) -> io::Result<Service<P>> {
        let opened = self.plan.open().await?;
        let scheme = if opened.url.starts_with("https:") { "https" } else { "http" };
        let provider = Arc::new(P::at(&opened.url));
        let gate = Arc::new(Gate {
            provider: Arc::clone(&provider),
            scheme,
            log: Log::default(),
            faults: Faults::new(opened.lines.clone()),
            mishaps: Mishaps::default(),
        });
        let router = Arc::clone(&provider).router();
        let host = opened.serve(router.layer(middleware::from_fn_with_state(Arc::clone(&gate), pass::<P>)))?;
        Ok(Service { provider, gate, host })
    }
}

/// A running service of a provider, whose accounts and tokens are set through it. It stops when it is dropped.
pub struct Service<P> {
    provider: Arc<P>,
    gate: Arc<Gate<P>>,
    host: Host,
}

impl<P> Deref for Service<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.provider
    }
}

impl<P: Provider> Service<P> {
    /// A service that is not yet started.
    pub fn builder() -> ServiceBuilder<P> {
        ServiceBuilder { plan: Plan::default(), provider: PhantomData }
    }

    /// The origin that everything is under, such as `https://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.host.url
    }

    /// The address that the service listens on.
    pub fn address(&self) -> SocketAddr {
        self.host.address
    }

    /// The certificate of the private authority; empty without TLS.
    pub fn ca_pem(&self) -> &str {
        &self.host.ca_pem
    }

    /// Every request so far, oldest first.
    pub fn journal(&self) -> Journal {
        self.gate.log.snapshot()
    }

    /// Turns a fault on; those of git do nothing here.
    pub fn switch(&self, fault: Switch) {
        self.gate.faults.turn_on(None, fault);
    }

    /// Lets something go wrong for the next request of this method and path.
    ///
    /// # Panics
    /// The method is none of HTTP's.
    pub fn mishap(&self, method: &str, path: &str, mishap: Mishap) {
        self.gate.mishaps.plan(method.parse().expect("a method of HTTP"), path, mishap);
    }

    /// Turns every fault off.
    pub fn heal(&self) {
        self.gate.faults.turn_all_off();
    }
}

/// What every request comes through.
struct Gate<P> {
    provider: Arc<P>,
    scheme: &'static str,
    log: Log,
    faults: Faults,
    mishaps: Mishaps,
}

impl<P> Gate<P> {
    fn origin(&self, headers: &HeaderMap) -> Origin {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        Origin(format!("{}://{host}", self.scheme))
    }
}

/// The base URL that a request was sent to. Its host comes from the request, as behind a proxy.
#[derive(Debug, Clone)]
pub(crate) struct Origin(pub(crate) String);

async fn pass<P: Provider>(State(gate): State<Arc<Gate<P>>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let progress = gate.log.arrived(&parts, gate.provider.whose(&parts.headers));
    let mishap = gate.mishaps.take(&parts.method, parts.uri.path());
    let wire = parts.extensions.get::<ConnectInfo<Wire>>().cloned();
    let fault = match mishap {
        Some(Mishap::Refuse { status, retry_after }) => Some(mishap::refused(status, retry_after)),
        _ => gate.faults.answer(&*gate.provider, Some(Surface::Api), &parts.method, &parts.uri).await,
    };
    let response = match fault {
        Some(fault) => fault,
        None => {
            parts.extensions.insert(gate.origin(&parts.headers));
            next.run(Request::from_parts(parts, counted(body, &progress))).await
        }
    };
    match wire.filter(|_| mishap == Some(Mishap::LoseAnswer)) {
        Some(ConnectInfo(wire)) => wire.cut(),
        None => progress.answered(response.status().as_u16()),
    }
    response
}
