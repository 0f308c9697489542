//! The one outbound HTTP client.

mod address;
mod error;
mod idle;
mod resolver;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode, header};
use reqwest::{Certificate, Client, ClientBuilder, Request, redirect};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{sync::OnceCell, task::spawn_blocking};
use url::{Position, Url};
use valetkey_model::InstanceUrl;

pub use address::{AddressPolicy, AllowListError, Refusal};
pub use error::{CallError, TlsFault, Why};
pub(crate) use resolver::{Lookup, system_lookup};

use error::classify;
use idle::Watch;
use resolver::GuardedResolver;

/// The body of a request to [`Http::stream`]; made of bytes, text or a stream.
pub type UpstreamBody = reqwest::Body;
/// The answer to a request to [`Http::stream`], its body still unread.
pub type UpstreamResponse = reqwest::Response;

/// What an [`Http`] is made of.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Certificates in PEM form that are trusted besides the system's: the content of `extra_ca_file`.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Which addresses it may reach.
    pub addresses: AddressPolicy,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpConfigError {
    /// The extra certificates can't be read.
    #[error("extra_ca_file holds no certificate that can be read; it must be a PEM bundle")]
    ExtraCa,
    /// TLS could not be set up.
    #[error("the TLS client could not be set up: {0}")]
    Tls(String),
}

/// The guarded client. Cheap to clone; clones share their connections.
///
/// Every address is checked when it is dialled, literal ones too. No redirect is followed, no cookie kept, no proxy of the
/// environment used, nothing retried, nothing decompressed.
#[derive(Clone)]
pub struct Http {
    /// Trusts the extra certificates only: for plain `http`, and where the system has no certificates.
    plain: Client,
    /// Trusts the system's certificates too. Made when first needed: reading them takes longer than all else at start. Kept
    /// only once it could be made, so that a moment without them does not last as long as the process.
    trusting: Arc<OnceCell<Client>>,
    extra: Vec<Certificate>,
    resolver: Arc<GuardedResolver>,
    addresses: Arc<AddressPolicy>,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    call: Duration,
    idle: Duration,
    body: usize,
}

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    call: Duration::from_secs(30),
    idle: Duration::from_secs(300),
    body: 4 << 20,
};

/// An answer of a provider's API, complete.
pub(crate) struct ApiResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// Makes the client.
    ///
    /// # Errors
    /// If the extra certificates can't be read.
    pub fn new(config: HttpConfig) -> Result<Self, HttpConfigError> {
        Self::with(config, system_lookup(), LIMITS)
    }

    fn with(config: HttpConfig, lookup: Lookup, limits: Limits) -> Result<Self, HttpConfigError> {
        let addresses = Arc::new(config.addresses);
        let resolver = Arc::new(GuardedResolver { addresses: Arc::clone(&addresses), lookup });
        let extra = extra_certificates(config.extra_ca_pem.as_deref())?;
        let plain = builder(limits, &resolver).tls_certs_only(extra.clone()).build();
        let plain = plain.map_err(|error| HttpConfigError::Tls(error.to_string()))?;
        Ok(Self { plain, trusting: Arc::default(), extra, resolver, addresses, limits })
    }

    /// The client for a URL.
    async fn client(&self, url: &Url) -> &Client {
        if url.scheme() == "http" {
            return &self.plain;
        }
        match self.trusting.get_or_try_init(|| self.trust_the_system()).await {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(%error, "the system's certificates could not be loaded; only those of extra_ca_file are trusted for now");
                &self.plain
            }
        }
    }

    async fn trust_the_system(&self) -> Result<Client, String> {
        let (limits, resolver, extra) = (self.limits, Arc::clone(&self.resolver), self.extra.clone());
        let load = move || {
            // With extra certificates at hand, a failure to load the system's is not reported; so they are loaded without.
            let system = builder(limits, &resolver).build()?;
            if extra.is_empty() { Ok(system) } else { builder(limits, &resolver).tls_certs_merge(extra).build() }
        };
        let loaded = spawn_blocking(load).await.map_err(|error| error.to_string())?;
        loaded.map_err(|error: reqwest::Error| error.to_string())
    }

    /// One call of a provider's API: bounded in time and size.
    pub(crate) async fn send(&self, request: Request) -> Result<ApiResponse, CallError> {
        let host = self.guard(request.url())?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = tokio::time::timeout(self.limits.call, self.collect(&host, request)).await;
        let answer = answer.unwrap_or_else(|_| Err(CallError::Unreachable { host: host.clone(), why: Why::TimedOut }));
        match &answer {
            Ok(response) => tracing::debug!(%host, %method, path, status = response.status.as_u16(), "called"),
            Err(error) => tracing::debug!(%host, %method, path, %error, "called in vain"),
        }
        answer
    }

    async fn collect(&self, host: &str, request: Request) -> Result<ApiResponse, CallError> {
        let too_large = || CallError::TooLarge { host: host.to_owned(), limit: self.limits.body };
        let client = self.client(request.url()).await;
        let mut response = client.execute(request).await.map_err(|e| classify(host, &e))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| classify(host, &e))? {
            if body.len() + chunk.len() > self.limits.body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        Ok(ApiResponse { status, headers, body })
    }

    /// One exchange of any length with exactly this instance, streamed both ways: git for the gateway, JSON and events for
    /// the command line. It ends early only if no connection can be made or nothing moves for minutes.
    ///
    /// # Errors
    /// [`CallError::OtherTarget`] if the request's scheme, host or port is not the instance's, or if its path would change
    /// when sent (`..`); otherwise why no answer came. An answer of any status, redirects included, is no error.
    pub async fn stream(
        &self,
        instance: &InstanceUrl,
        request: http::Request<UpstreamBody>,
    ) -> Result<UpstreamResponse, CallError> {
        let request = addressed(instance, request)?;
        let host = self.guard(request.url())?;
        let watch = Watch::new(self.limits.idle);
        let request = watched(&watch, request);
        let client = self.client(request.url()).await;
        let response = watch.patiently(client.execute(request)).await;
        let response = response
            .map_err(|_| CallError::Unreachable { host: host.clone(), why: Why::TimedOut })?
            .map_err(|error| classify(&host, &error))?;
        Ok(http::Response::from(response).map(|body| watch.download(body)).into())
    }

    /// Checks the host of a URL as far as its spelling says, and gives its name for error texts.
    fn guard(&self, url: &Url) -> Result<String, CallError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        match url.host().map(|host| self.addresses.check_host(&host)) {
            Some(Ok(())) => Ok(host),
            Some(Err(why)) => Err(CallError::AddressRefused { host, why }),
            None => Err(CallError::AddressRefused { host, why: Refusal::Never }),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where a client is made")]
fn builder(limits: Limits, resolver: &Arc<GuardedResolver>) -> ClientBuilder {
    Client::builder()
        .dns_resolver(Arc::clone(resolver))
        .user_agent(concat!("valetkey/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(limits.connect)
        .pool_max_idle_per_host(16)
        .tcp_nodelay(true)
}

/// The extra certificates, each proved to be one: PEM armour says nothing of what is inside.
fn extra_certificates(pem: Option<&[u8]>) -> Result<Vec<Certificate>, HttpConfigError> {
    let Some(pem) = pem else { return Ok(Vec::new()) };
    let mut trusted = RootCertStore::empty();
    let mut certificates = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| HttpConfigError::ExtraCa)?;
        trusted.add(der.clone()).map_err(|_| HttpConfigError::ExtraCa)?;
        certificates.push(Certificate::from_der(&der).map_err(|_| HttpConfigError::ExtraCa)?);
    }
    if certificates.is_empty() { Err(HttpConfigError::ExtraCa) } else { Ok(certificates) }
}

/// The request as the client takes it, if it is for this instance and nowhere else.
fn addressed(instance: &InstanceUrl, request: http::Request<UpstreamBody>) -> Result<Request, CallError> {
    let other_target = || CallError::OtherTarget { instance: instance.to_string() };
    let path = request.uri().path_and_query().map(|path| path.as_str().to_owned());
    let mut request = Request::try_from(request).map_err(|_| other_target())?;
    let url = request.url();
    // What a gateway allowed must be what is sent: `/a/../b` would be sent as `/b`.
    let same_path = path.as_deref() == Some(&url[Position::BeforePath..Position::AfterQuery]);
    if !is_at(url, instance) || !same_path {
        return Err(other_target());
    }
    request.headers_mut().remove(header::HOST);
    Ok(request)
}

/// Whether a URL has exactly this instance's scheme, host and port, and no user name or password.
pub(crate) fn is_at(url: &Url, instance: &InstanceUrl) -> bool {
    url.scheme() == (if instance.is_tls() { "https" } else { "http" })
        && url.host_str() == Some(instance.host())
        && url.port_or_known_default() == Some(instance.port())
        && url.username().is_empty()
        && url.password().is_none()
}

fn watched(watch: &Watch, mut request: Request) -> Request {
    if let Some(body) = request.body_mut().take_if(|body| body.as_bytes().is_none()) {
        *request.body_mut() = Some(watch.upload(body));
    }
    request
}
