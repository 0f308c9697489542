//! The one outbound HTTP client.

mod address;
mod budget;
mod error;
mod idle;
mod proxy;
mod recent;
mod remembered;
mod resolver;
mod route;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use reqwest::{Certificate, Request};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use url::{Position, Url};
use valetkey_model::InstanceUrl;
use valetkey_seal::{Secret, TokenHash};

use crate::ProviderError;

pub use address::{AddressPolicy, AllowListError, Refusal};
pub use error::{CallError, Delivery, TlsFault, Why};
pub use proxy::{ProxyError, ProxySettings};
pub(crate) use resolver::{Lookup, system_lookup};

use budget::{Budgets, Call};
use error::classify;
use idle::Watch;
use remembered::Remembered;
use resolver::{GuardedResolver, Rule};
use route::{Maker, Route};

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
    /// The proxy that its calls take.
    pub proxy: Option<ProxySettings>,
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

/// The guarded client. Cheap to clone; clones share their connections, and what providers said of limits.
///
/// Every address is checked when it is dialled, literal ones too; through a [proxy](ProxySettings) names are the proxy's to
/// resolve. No redirect is followed, no cookie kept, nothing sent again that a server may have taken in, nothing decompressed.
#[derive(Clone)]
pub struct Http {
    routes: Arc<Routes>,
    addresses: Arc<AddressPolicy>,
    limits: Limits,
    budgets: Arc<Budgets>,
    remembered: Arc<Remembered>,
    limits_met: Arc<Met>,
}

/// How often calls met a provider's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsMet {
    /// Not made, as the limit was known to be used up.
    pub held_back: u64,
    /// Made, and answered with the status 429.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Met {
    held_back: AtomicU64,
    refused: AtomicU64,
}

/// The ways out.
struct Routes {
    direct: Route,
    proxied: Option<Proxied>,
}

struct Proxied {
    settings: ProxySettings,
    http: Option<Route>,
    https: Option<Route>,
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

/// Who calls, and when.
pub(crate) struct Caller {
    credential: TokenHash,
    now: Timestamp,
}

impl Caller {
    pub(crate) fn new(token: &Secret<String>, now: Timestamp) -> Self {
        Self { credential: TokenHash::of_secret(token), now }
    }
}

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
        let resolver = Arc::new(GuardedResolver { rule: Rule::Guarded(Arc::clone(&addresses)), lookup });
        let extra = extra_certificates(config.extra_ca_pem.as_deref())?;
        let maker = Maker { connect_timeout: limits.connect, resolver, extra, proxy: None };
        let routes = Routes::new(maker, config.proxy).map_err(|e| HttpConfigError::Tls(e.without_url().to_string()))?;
        let (budgets, remembered) = (Arc::new(Budgets::new()), Arc::new(Remembered::new()));
        Ok(Self { routes: Arc::new(routes), addresses, limits, budgets, remembered, limits_met: Arc::default() })
    }

    /// One call of a provider's API by a credential: not made if the credential's limit is known to be used up. With
    /// `remember` the answer is kept and asked for again only if it has changed.
    pub(crate) async fn ask(
        &self,
        caller: &Caller,
        mut request: Request,
        remember: bool,
    ) -> Result<ApiResponse, ProviderError> {
        let call = Call::new(request.method(), request.url());
        if let Some(seconds) = self.budgets.wait(&caller.credential, &call, caller.now) {
            self.limits_met.held_back.fetch_add(1, Ordering::Relaxed);
            return Err(ProviderError::RateLimited { retry_after_seconds: Some(seconds) });
        }
        let question = remember.then(|| self.remembered.ask(&caller.credential, &mut request));
        let response = self.send(request).await?;
        self.budgets.note(&caller.credential, &call, response.status, &response.headers, caller.now);
        if response.status == StatusCode::TOO_MANY_REQUESTS {
            self.limits_met.refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(match question {
            Some(question) => self.remembered.answer(question, response),
            None => response,
        })
    }

    /// Makes no calls like this one by this credential for so long: for limits that a provider states in a body.
    pub(crate) fn hold(&self, caller: &Caller, method: &Method, url: &Url, seconds: u64) {
        self.budgets.hold(&caller.credential, &Call::new(method, url), seconds, caller.now);
    }

    /// Whether less than so many percent are left of a credential's limit for ordinary calls: then work that nobody waits
    /// for should be put off.
    pub fn is_low(&self, token: &Secret<String>, percent: u64, now: Timestamp) -> bool {
        self.budgets.is_low(&TokenHash::of_secret(token), percent, now)
    }

    /// How often limits were met so far.
    pub fn limits_met(&self) -> LimitsMet {
        let Met { held_back, refused } = &*self.limits_met;
        LimitsMet { held_back: held_back.load(Ordering::Relaxed), refused: refused.load(Ordering::Relaxed) }
    }

    /// Forgets what was answered to a credential, and what is left of its limits.
    pub fn forget(&self, token: &Secret<String>) {
        let credential = TokenHash::of_secret(token);
        self.remembered.forget(&credential);
        self.budgets.forget(&credential);
    }

    /// One call of a provider's API: bounded in time and size.
    pub(crate) async fn send(&self, request: Request) -> Result<ApiResponse, CallError> {
        let host = self.guard(request.url())?;
        let (method, path) = (request.method().clone(), loggable(request.url().path()));
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
        let route = self.routes.to(request.url());
        let client = route.client(request.url()).await;
        let mut response = client.execute(request).await.map_err(|e| route.classify(host, &e))?;
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
        let route = self.routes.to(request.url());
        let client = route.client(request.url()).await;
        let response = watch.patiently(client.execute(request)).await;
        let response = response
            .map_err(|_| CallError::Unreachable { host: host.clone(), why: Why::TimedOut })?
            .map_err(|error| route.classify(&host, &error))?;
        Ok(http::Response::from(response).map(|body| watch.download(body)).into())
    }

    /// Whether this client would call an instance, as far as its spelling says: what a name resolves to is judged when it is
    /// called.
    ///
    /// # Errors
    /// [`CallError::AddressRefused`].
    pub fn check_spelling(&self, instance: &InstanceUrl) -> Result<(), CallError> {
        let url = Url::parse(&instance.to_string()).expect("an instance URL is a URL");
        self.guard(&url).map(drop)
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

impl Routes {
    fn new(maker: Maker, settings: Option<ProxySettings>) -> Result<Self, reqwest::Error> {
        let through = |proxy: &Option<Url>| proxy.as_ref().map(|proxy| Route::new(maker.through(proxy))).transpose();
        let proxied = match settings {
            Some(settings) => {
                let (http, https) = (through(&settings.http)?, through(&settings.https)?);
                Some(Proxied { settings, http, https })
            }
            None => None,
        };
        Ok(Self { direct: Route::new(maker)?, proxied })
    }

    fn to(&self, url: &Url) -> &Route {
        let proxied = self.proxied.as_ref().filter(|proxied| !proxied.settings.is_direct(url));
        let route = proxied.and_then(|proxied| match url.scheme() {
            "http" => proxied.http.as_ref(),
            _ => proxied.https.as_ref(),
        });
        route.unwrap_or(&self.direct)
    }
}

/// A path without what may be a secret in it: the code of an app's manifest is as long as a token.
fn loggable(path: &str) -> String {
    const LONGEST: usize = 24;
    let shown = |segment: &'_ str| if segment.len() > LONGEST { "…".to_owned() } else { segment.to_owned() };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
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
