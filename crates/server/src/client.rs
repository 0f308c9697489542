//! Where a request comes from.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::{Extensions, request::Parts};

/// The address of whoever sent a request: that of the connection. It is an extension of the request, which exists only in
/// this process; no header is believed. None for callers inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl ClientAddress {
    /// That of a connection; one of version 4 that came by way of version 6 is itself.
    pub(crate) fn of_peer(address: IpAddr) -> Self {
        Self(Some(address.to_canonical()))
    }

    /// That of a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().copied().unwrap_or(Self(None))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions))
    }
}
