use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use url::{Host, Url};

/// Which proxy outbound calls take, as the usual variables of the environment say it.
///
/// A proxied call's name is resolved by the proxy, which alone decides where it leads. What is refused by its spelling
/// (private and reserved addresses, metadata) is refused with a proxy too, and loopback is always called directly. The
/// proxy's own address is dialled wherever it is: the administrator named it.
#[derive(Clone, Default)]
pub struct ProxySettings {
    pub(super) http: Option<Url>,
    pub(super) https: Option<Url>,
    direct: Vec<Exception>,
}

/// A proxy in the environment can't be used. Its address may hold a password and is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is not the address of an HTTP proxy; it must be like http://proxy.example.com:3128")]
pub struct ProxyError {
    /// The variable.
    pub variable: &'static str,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// The domain and everything below it.
    Domain(String),
    Network(IpNet),
}

impl ProxySettings {
    /// Reads `HTTPS_PROXY` for `https` addresses, `HTTP_PROXY` for `http` ones, `ALL_PROXY` for both, and `NO_PROXY` for
    /// what is called directly: names with everything below them (a leading dot or `*.` changes nothing), addresses,
    /// networks, `*`, each but the last with a port if it is for that one only. In lower case a variable takes precedence.
    /// None if no proxy is set.
    ///
    /// # Errors
    /// The first variable that names no `http://` or `https://` proxy.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let value = |lower: &str, upper: &str| {
            [lower, upper].into_iter().find_map(|name| variable(name).filter(|value| !value.trim().is_empty()))
        };
        let proxy = |lower: &str, upper: &'static str| {
            let url = value(lower, upper).map(|text| proxy_url(text.trim()));
            url.map(|url| url.ok_or(ProxyError { variable: upper })).transpose()
        };
        let all = proxy("all_proxy", "ALL_PROXY")?;
        let https = proxy("https_proxy", "HTTPS_PROXY")?.or_else(|| all.clone());
        // In a CGI program the variable in capitals is a header of the request that it serves.
        let http = match variable("REQUEST_METHOD") {
            None => proxy("http_proxy", "HTTP_PROXY")?,
            Some(_) => proxy("http_proxy", "http_proxy")?,
        };
        let http = http.or(all);
        if http.is_none() && https.is_none() {
            return Ok(None);
        }
        let entries = value("no_proxy", "NO_PROXY").unwrap_or_default();
        let entries = entries.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        Ok(Some(Self { http, https, direct: entries.map(exception).collect() }))
    }

    /// Whether a URL is called without the proxy.
    pub(super) fn is_direct(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return true };
        let port = url.port_or_known_default();
        is_loopback(&host)
            || self.direct.iter().any(|exception| {
                exception.hosts.include(&host) && exception.port.is_none_or(|wanted| Some(wanted) == port)
            })
    }
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |url: &Option<Url>| url.as_ref().map(|url| url.origin().ascii_serialization());
        f.debug_struct("ProxySettings")
            .field("http", &shown(&self.http))
            .field("https", &shown(&self.https))
            .field("direct", &self.direct)
            .finish()
    }
}

fn proxy_url(text: &str) -> Option<Url> {
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    url.ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// What can't be read excepts nothing that exists.
fn exception(entry: &str) -> Exception {
    if entry == "*" {
        return Exception { hosts: Hosts::All, port: None };
    }
    if let Ok(network) = entry.parse() {
        return Exception { hosts: Hosts::Network(network), port: None };
    }
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Exception { hosts: Hosts::Network(address.into()), port: None };
    }
    let (host, port) = match entry.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (entry, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let hosts = match bare.parse::<IpAddr>() {
        Ok(address) => Hosts::Network(address.into()),
        Err(_) => Hosts::Domain(normal(host.strip_prefix('*').unwrap_or(host))),
    };
    Exception { hosts, port }
}

impl Hosts {
    fn include(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Domain(domain), Host::Domain(name)) => is_below(&normal(name), domain),
            (Self::Network(network), Host::Ipv4(ip)) => network.contains(&IpAddr::V4(*ip)),
            (Self::Network(network), Host::Ipv6(ip)) => network.contains(&ip.to_canonical()),
            _ => false,
        }
    }
}

fn normal(name: &str) -> String {
    name.trim_matches('.').to_ascii_lowercase()
}

fn is_below(name: &str, domain: &str) -> bool {
    let rest = name.strip_suffix(domain);
    !domain.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_below(&normal(name), "localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.to_canonical().is_loopback(),
    }
}

#[cfg(test)]
mod tests;
