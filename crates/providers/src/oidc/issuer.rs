use std::{fmt, str::FromStr};

use url::{Host, Url};

/// The address of an OpenID provider, which is also its name: it is compared letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUrl {
    text: String,
    url: Url,
}

/// What is no issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an issuer is an https:// address without user name, query and fragment, exactly as the identity provider states it; \
     http:// only for a loopback host"
)]
pub struct IssuerUrlError;

impl IssuerUrl {
    /// The text form, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// The host, as an address policy takes it.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Where it describes itself.
    pub(super) fn metadata_url(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/.well-known/openid-configuration", self.url.path().trim_end_matches('/')));
        url
    }
}

impl FromStr for IssuerUrl {
    type Err = IssuerUrlError;

    fn from_str(text: &str) -> Result<Self, IssuerUrlError> {
        let url = Url::parse(text).map_err(|_| IssuerUrlError)?;
        let bare = url.query().is_none() && url.fragment().is_none();
        if !bare || !is_safe(&url) || text.chars().any(|char| char.is_whitespace() || char.is_control()) {
            return Err(IssuerUrlError);
        }
        Ok(Self { text: text.to_owned(), url })
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether what is sent to an address stays between the two: by TLS, or on this machine. A name and password in it would be
/// for somebody else.
pub(super) fn is_safe(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    (url.scheme() == "https" || (url.scheme() == "http" && local))
        && url.username().is_empty()
        && url.password().is_none()
}
