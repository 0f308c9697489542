use std::{error::Error, fmt, io, iter};

use rustls::CertificateError;

use super::{Refusal, idle::Stalled, resolver::ResolveError};

/// Why a call got no answer. Holds host names and our own words only: no URL, no header, nothing of a foreign body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address policy forbids it; nothing was sent.
    #[error("{host} is {why}, which this server does not call")]
    AddressRefused {
        /// The host as it was asked for.
        host: String,
        /// What kind of address it is.
        why: Refusal,
    },
    /// The certificate was not accepted; nothing was sent.
    #[error("the certificate of {host} is not trusted: {fault}")]
    TlsNotTrusted {
        /// The host as it was asked for.
        host: String,
        /// What is wrong with it.
        fault: TlsFault,
    },
    /// No answer came.
    #[error("{host} can't be reached: {why}")]
    Unreachable {
        /// The host as it was asked for.
        host: String,
        /// Why.
        why: Why,
    },
    /// The answer was larger than any real one.
    #[error("{host} answered with more than {} MiB", .limit >> 20)]
    TooLarge {
        /// The host as it was asked for.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The request was for another place than the instance it was made for; nothing was sent.
    #[error("the request is not addressed to {instance}; its credential goes nowhere else")]
    OtherTarget {
        /// The only place it could have gone to.
        instance: String,
    },
}

/// How far a request came that changes something: whether it may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The provider never saw it; it can be sent again.
    NotSent,
    /// The provider answered that it did not look at it; it can be sent again, later.
    NotProcessed,
    /// It was sent and nothing usable came back: it may or may not have been carried out.
    Unknown,
    /// The provider has given its verdict.
    Answered,
}

impl CallError {
    /// How far the request came.
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::AddressRefused { .. } | Self::TlsNotTrusted { .. } | Self::OtherTarget { .. } => Delivery::NotSent,
            Self::Unreachable { why, .. } => match why {
                Why::Refused
                | Why::NameNotFound
                | Why::NoRoute
                | Why::NoTls
                | Why::NoConnection
                | Why::Proxy
                | Why::ConnectTimedOut => Delivery::NotSent,
                Why::TimedOut | Why::Broken => Delivery::Unknown,
            },
            Self::TooLarge { .. } => Delivery::Unknown,
        }
    }
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// Signed by nobody this machine trusts, or by itself.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come; often a wrong clock.
    NotValidYet,
    /// It is another host's.
    OtherName,
    /// Anything else.
    Invalid,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "its issuer is unknown to this machine",
            Self::Expired => "it has expired",
            Self::NotValidYet => "it is not valid yet",
            Self::OtherName => "it was issued for another host name",
            Self::Invalid => "it is not valid",
        })
    }
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing listens there.
    Refused,
    /// The name does not resolve.
    NameNotFound,
    /// Connected, but then too slow.
    TimedOut,
    /// Too slow to connect.
    ConnectTimedOut,
    /// No way to the network.
    NoRoute,
    /// The TLS handshake failed for another reason than the certificate.
    NoTls,
    /// The connection ended before it was made.
    NoConnection,
    /// The connection ended before the answer did, or the answer was not HTTP.
    Broken,
    /// The proxy of the environment can't be reached, or does not let the call through.
    Proxy,
}

impl Why {
    fn before_connected(self) -> Self {
        match self {
            Self::TimedOut => Self::ConnectTimedOut,
            Self::Broken => Self::NoConnection,
            other => other,
        }
    }

    /// What prevents a connection at its beginning only breaks it later, when something was sent already.
    fn after_connected(self) -> Self {
        if self == Self::TimedOut { self } else { Self::Broken }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::NameNotFound => "name not found",
            Self::TimedOut => "timed out",
            Self::ConnectTimedOut => "timed out while connecting",
            Self::NoRoute => "no route to the host",
            Self::NoTls => "the TLS handshake failed",
            Self::NoConnection => "no connection could be made",
            Self::Broken => "the connection broke off",
            Self::Proxy => "the proxy can't be reached or does not let the call through",
        })
    }
}

/// The one place where a failure of the HTTP library gets its meaning.
pub(crate) fn classify(host: &str, error: &reqwest::Error) -> CallError {
    let host = host.to_owned();
    let why = match causes(error).find_map(known) {
        Some(Cause::Address(why)) => return CallError::AddressRefused { host, why },
        Some(Cause::Certificate(fault)) => return CallError::TlsNotTrusted { host, fault },
        Some(Cause::Network(why)) => why,
        None if error.is_timeout() => Why::TimedOut,
        None => Why::Broken,
    };
    let why = if error.is_connect() { why.before_connected() } else { why.after_connected() };
    CallError::Unreachable { host, why }
}

/// As [`classify`], for a call through a proxy: what happened before there was a connection happened at the proxy.
pub(crate) fn classify_proxied(host: &str, error: &reqwest::Error) -> CallError {
    match classify(host, error) {
        CallError::Unreachable { host, why } if error.is_connect() && why != Why::NoTls => {
            CallError::Unreachable { host, why: Why::Proxy }
        }
        other => other,
    }
}

enum Cause {
    Address(Refusal),
    Certificate(TlsFault),
    Network(Why),
}

/// An error and everything below it. An [`io::Error`] hides the error it was made of from `source()`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn known(cause: &(dyn Error + 'static)) -> Option<Cause> {
    if let Some(error) = cause.downcast_ref::<ResolveError>() {
        return Some(match error {
            ResolveError::NotFound => Cause::Network(Why::NameNotFound),
            ResolveError::Refused(why) => Cause::Address(*why),
        });
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(match error {
            rustls::Error::InvalidCertificate(error) => Cause::Certificate(fault(error)),
            _ => Cause::Network(Why::NoTls),
        });
    }
    if cause.is::<Stalled>() {
        return Some(Cause::Network(Why::TimedOut));
    }
    let kind = cause.downcast_ref::<io::Error>().filter(|error| error.get_ref().is_none())?.kind();
    match kind {
        io::ErrorKind::ConnectionRefused => Some(Cause::Network(Why::Refused)),
        io::ErrorKind::TimedOut => Some(Cause::Network(Why::TimedOut)),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            Some(Cause::Network(Why::NoRoute))
        }
        _ => None,
    }
}

fn fault(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotValidYet,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::OtherName,
        _ => TlsFault::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_before_there_was_a_connection_was_surely_not_sent() {
        let all = [
            Why::Refused,
            Why::NameNotFound,
            Why::TimedOut,
            Why::ConnectTimedOut,
            Why::NoRoute,
            Why::NoTls,
            Why::NoConnection,
            Why::Broken,
        ];
        let delivery = |why| CallError::Unreachable { host: "forge.test".to_owned(), why }.delivery();
        for why in all {
            assert_eq!(delivery(why.before_connected()), Delivery::NotSent, "{why}");
            assert_eq!(delivery(why.after_connected()), Delivery::Unknown, "{why}");
        }
    }
}
