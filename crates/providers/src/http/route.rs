use std::{sync::Arc, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Proxy, redirect};
use tokio::{sync::OnceCell, task::spawn_blocking};
use url::Url;

use super::{
    CallError,
    error::{classify, classify_proxied},
    resolver::{GuardedResolver, Rule},
};

/// A way to call others: directly or through one proxy. Each has its own connections.
pub(crate) struct Route {
    maker: Maker,
    /// Trusts the extra certificates only: for plain `http`, and where the system has no certificates.
    plain: Client,
    /// Trusts the system's certificates too. Made when first needed: reading them takes longer than all else at start. Kept
    /// only once it could be made, so that a moment without them does not last as long as the process.
    trusting: OnceCell<Client>,
}

/// What the clients of a route are made of.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) connect_timeout: Duration,
    pub(crate) resolver: Arc<GuardedResolver>,
    pub(crate) extra: Vec<Certificate>,
    pub(crate) proxy: Option<Url>,
}

impl Route {
    pub(crate) fn new(maker: Maker) -> Result<Self, reqwest::Error> {
        let plain = maker.builder()?.tls_certs_only(maker.extra.clone()).build()?;
        Ok(Self { maker, plain, trusting: OnceCell::new() })
    }

    /// The client for a URL.
    pub(crate) async fn client(&self, url: &Url) -> &Client {
        let without_tls = |url: &Url| url.scheme() == "http";
        if without_tls(url) && self.maker.proxy.as_ref().is_none_or(without_tls) {
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

    /// The meaning of a failure on this way.
    pub(crate) fn classify(&self, host: &str, error: &reqwest::Error) -> CallError {
        if self.maker.proxy.is_some() { classify_proxied(host, error) } else { classify(host, error) }
    }

    async fn trust_the_system(&self) -> Result<Client, String> {
        let maker = self.maker.clone();
        let load = move || {
            // With extra certificates at hand, a failure to load the system's is not reported; so they are loaded without.
            let system = maker.builder()?.build()?;
            if maker.extra.is_empty() { Ok(system) } else { maker.builder()?.tls_certs_merge(maker.extra).build() }
        };
        let loaded = spawn_blocking(load).await.map_err(|error| error.to_string())?;
        loaded.map_err(|error: reqwest::Error| error.without_url().to_string())
    }
}

impl Maker {
    /// The maker of the route through a proxy, which alone of all names is looked up here.
    pub(crate) fn through(&self, proxy: &Url) -> Self {
        let rule = Rule::Only(proxy.host_str().unwrap_or_default().to_owned());
        let resolver = GuardedResolver { rule, lookup: Arc::clone(&self.resolver.lookup) };
        Self { resolver: Arc::new(resolver), proxy: Some(proxy.clone()), ..self.clone() }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where a client is made")]
    fn builder(&self) -> Result<ClientBuilder, reqwest::Error> {
        let builder = Client::builder()
            .dns_resolver(Arc::clone(&self.resolver))
            .user_agent(concat!("valetkey/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(16)
            .tcp_nodelay(true);
        match &self.proxy {
            Some(proxy) => Ok(builder.proxy(Proxy::all(proxy.clone())?)),
            None => Ok(builder),
        }
    }
}
