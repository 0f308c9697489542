use std::{borrow::Cow, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Where a provider lives: scheme, host and port, nothing else. A credential belongs to exactly one.
///
/// Always normalised: the host is lower case, a default port is left out. `http` only for a loopback host.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceUrl {
    tls: bool,
    host: String,
    port: Option<u16>,
}

/// Why a text is no instance URL. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstanceUrlError {
    /// Not `scheme://…`.
    #[error("an instance URL starts with https://, as in https://gitlab.example.com")]
    Scheme,
    /// `http` for a host that is not this machine.
    #[error("plain http:// is accepted only for a loopback host such as 127.0.0.1; use https://")]
    PlainHttp,
    /// A user name or password in front of the host.
    #[error("an instance URL must not hold a user name or a password")]
    UserInfo,
    /// The host is missing or not a host name.
    #[error("an instance URL needs a plain host name or address, without a trailing dot, in ASCII")]
    Host,
    /// Something follows the host.
    #[error("an instance URL ends after the host and port: no path, no trailing slash, no query")]
    Path,
}

impl InstanceUrl {
    /// `https` rather than `http`.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host: a lower-case name, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, given or implied by the scheme.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// `host` or `host:port`.
    pub fn authority(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// Whether the host is written as this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }

    /// `https://github.com`.
    pub fn github_com() -> Self {
        Self { tls: true, host: "github.com".to_owned(), port: None }
    }

    /// Parses `scheme://authority` where the scheme is given and the rest follows it; shared with `RepoUrl`.
    pub(crate) fn from_parts(tls: bool, authority: &str) -> Result<Self, InstanceUrlError> {
        if authority.contains('@') {
            return Err(InstanceUrlError::UserInfo);
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        if authority.is_empty() || !authority.bytes().all(plain) {
            return Err(InstanceUrlError::Host);
        }
        let scheme = if tls { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| InstanceUrlError::Host)?;
        let host = match url.host() {
            Some(Host::Domain(name)) if is_dns_name(name) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => format!("[{ip}]"),
            _ => return Err(InstanceUrlError::Host),
        };
        if !tls && !is_loopback_host(&host) {
            return Err(InstanceUrlError::PlainHttp);
        }
        Ok(Self { tls, host, port: url.port() })
    }
}

fn is_dns_name(name: &str) -> bool {
    name.len() <= 253
        && name
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-'))
}

fn is_loopback_host(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(ip)) => ip.is_loopback(),
        Ok(Host::Ipv6(ip)) => ip.is_loopback(),
        Err(_) => false,
    }
}

/// Splits `http(s)://rest` into (tls, rest), ignoring the scheme's case.
pub(crate) fn split_scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("https") {
        Some((true, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Some((false, rest))
    } else {
        None
    }
}

impl FromStr for InstanceUrl {
    type Err = InstanceUrlError;
    fn from_str(text: &str) -> Result<Self, InstanceUrlError> {
        let (tls, rest) = split_scheme(text).ok_or(InstanceUrlError::Scheme)?;
        if rest.contains(['/', '?', '#', '\\']) {
            let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
            return Err(if authority.contains('@') { InstanceUrlError::UserInfo } else { InstanceUrlError::Path });
        }
        Self::from_parts(tls, rest)
    }
}

impl TryFrom<String> for InstanceUrl {
    type Error = InstanceUrlError;
    fn try_from(text: String) -> Result<Self, InstanceUrlError> {
        text.parse()
    }
}

impl From<InstanceUrl> for String {
    fn from(url: InstanceUrl) -> String {
        url.to_string()
    }
}

impl fmt::Display for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

impl fmt::Debug for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceUrl({self})")
    }
}

impl JsonSchema for InstanceUrl {
    fn schema_name() -> Cow<'static, str> {
        "InstanceUrl".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "uri", "examples": ["https://gitlab.example.com"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_and_normalises() {
        for (given, wanted) in [
            ("https://gitlab.company.com", "https://gitlab.company.com"),
            ("https://git.myorg.io", "https://git.myorg.io"),
            ("https://gitlab.example.com:8443", "https://gitlab.example.com:8443"),
            ("HTTPS://GitLab.Example.COM:443", "https://gitlab.example.com"),
            ("http://127.0.0.1:8929", "http://127.0.0.1:8929"),
            ("http://localhost", "http://localhost"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://0x7f000001:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(given.parse::<InstanceUrl>().map(|u| u.to_string()), Ok(wanted.to_owned()), "{given}");
        }
    }

    #[test]
    fn refuses() {
        use InstanceUrlError::{Host, Path, PlainHttp, Scheme, UserInfo};
        for (given, wanted) in [
            ("gitlab.com", Scheme),
            ("https:gitlab.com", Scheme),
            ("ftp://gitlab.com", Scheme),
            ("https://", Host),
            ("://gitlab.com", Scheme),
            ("not-a-url", Scheme),
            ("", Scheme),
            ("http://gitlab.example.com", PlainHttp),
            ("http://127.0.0.1.evil.test", PlainHttp),
            ("http://10.0.0.1", PlainHttp),
            ("https://user@gitlab.com", UserInfo),
            ("https://user:pass@gitlab.com/x", UserInfo),
            ("https://gitlab.company.com/", Path),
            ("https://gitlab.company.com/api/v4", Path),
            ("https://gitlab.com?x", Path),
            ("https://gitlab.com#x", Path),
            ("https://gitlab.com\\x", Path),
            ("https://gitlab.com.", Host),
            ("https://git\nlab.com", Host),
            ("https://gitlab.com%2f", Host),
            ("https://gіtlab.com", Host), // Cyrillic і
            ("https://gitlab.com:99999", Host),
            ("https://-a.com", Host),
            ("https://a..b", Host),
        ] {
            assert_eq!(given.parse::<InstanceUrl>(), Err(wanted), "{given:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_parses_prints_to_itself(text in "https?://[a-zA-Z0-9.:@/\\[\\]-]{0,40}") {
            if let Ok(url) = text.parse::<InstanceUrl>() {
                let printed = url.to_string();
                proptest::prop_assert_eq!(printed.parse::<InstanceUrl>(), Ok(url));
                proptest::prop_assert!(!printed.contains('@'));
            }
        }

        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<InstanceUrl>();
        }
    }
}
