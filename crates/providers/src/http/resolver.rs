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
    pub(crate) addresses: Arc<AddressPolicy>,
    pub(crate) lookup: Lookup,
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
        let (addresses, name) = (Arc::clone(&self.addresses), name.as_str().to_owned());
        let found = (self.lookup)(name.clone());
        Box::pin(async move {
            let found = found.await.map_err(|_| ResolveError::NotFound)?;
            if found.is_empty() {
                return Err(ResolveError::NotFound.into());
            }
            for address in &found {
                addresses.check_address(&name, *address).map_err(ResolveError::Refused)?;
            }
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
