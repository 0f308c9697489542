use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{AddressPolicy, Refusal};

/// Turns a name into addresses; the system's way, except in tests.
pub(crate) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

pub(crate) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Resolves names for connections, at the moment of connecting, and refuses a name if any of its addresses is out of
/// reach: what was checked is what is dialled.
pub(crate) struct GuardedResolver {
    pub(crate) rule: Rule,
    pub(crate) lookup: Lookup,
}

/// Which names may be dialled, and where they may lead.
#[derive(Clone)]
pub(crate) enum Rule {
    /// All names, wherever the policy allows.
    Guarded(Arc<AddressPolicy>),
    /// The one name of the proxy, wherever it leads.
    Only(String),
}

impl Rule {
    fn check(&self, name: &str, address: IpAddr) -> Result<(), Refusal> {
        match self {
            Self::Guarded(addresses) => addresses.check_address(name, address),
            Self::Only(proxy) if proxy.eq_ignore_ascii_case(name) => Ok(()),
            Self::Only(_) => Err(Refusal::Never),
        }
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("the name was not found")]
    NotFound,
    #[error("the name leads to {0}")]
    Refused(Refusal),
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (rule, name) = (self.rule.clone(), name.as_str().to_owned());
        let found = (self.lookup)(name.clone());
        Box::pin(async move {
            let found = found.await.map_err(|_| ResolveError::NotFound)?;
            if found.is_empty() {
                return Err(ResolveError::NotFound.into());
            }
            for address in &found {
                rule.check(&name, *address).map_err(ResolveError::Refused)?;
            }
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
