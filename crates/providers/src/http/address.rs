use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Host;

/// Which addresses outbound calls may reach.
///
/// Public ones always. Loopback and private ones only where the server itself listens on loopback (one person's machine)
/// or where they are allowed by name or network. Link-local, cloud metadata and reserved ones never, whatever is allowed.
#[derive(Debug, Clone)]
pub struct AddressPolicy {
    private_is_fine: bool,
    hosts: Vec<String>,
    networks: Vec<IpNet>,
}

/// An entry of `outbound_allow` is neither a host nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' in outbound_allow is neither a host name, an address nor a network such as 10.0.0.0/8")]
pub struct AllowListError(String);

/// Why an address is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Loopback or private; `outbound_allow` can allow it.
    Private,
    /// Link-local, cloud metadata or reserved; nothing can allow it.
    Never,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "a loopback or private address",
            Self::Never => "a link-local, metadata or reserved address",
        })
    }
}

impl std::error::Error for Refusal {}

/// Names under which clouds hand out the credentials of the machine itself.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

impl AddressPolicy {
    /// The policy of a server that listens on loopback or not, and the setting `outbound_allow`: host names, addresses and
    /// networks, separated by commas.
    ///
    /// # Errors
    /// The first entry that is none of these.
    pub fn new(listen_is_loopback: bool, outbound_allow: &str) -> Result<Self, AllowListError> {
        let mut policy = Self { private_is_fine: listen_is_loopback, hosts: Vec::new(), networks: Vec::new() };
        for entry in outbound_allow.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            policy.allow(entry).ok_or_else(|| AllowListError(entry.escape_debug().to_string()))?;
        }
        Ok(policy)
    }

    fn allow(&mut self, entry: &str) -> Option<()> {
        if let Ok(network) = entry.parse::<IpNet>() {
            self.networks.push(network);
            return Some(());
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            self.networks.push(canonical(address).into());
            return Some(());
        }
        match Host::parse(entry).ok()? {
            Host::Ipv4(ip) => self.networks.push(IpAddr::V4(ip).into()),
            Host::Ipv6(ip) => self.networks.push(canonical(IpAddr::V6(ip)).into()),
            Host::Domain(name) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
                self.hosts.push(Some(normal(&name)).filter(|name| name.bytes().all(plain))?);
            }
        }
        Some(())
    }

    /// Whether a host may be dialled, as far as its spelling says: an address is judged at once, a name when it is resolved.
    pub(crate) fn check_host(&self, host: &Host<&str>) -> Result<(), Refusal> {
        match host {
            Host::Domain(name) if METADATA_NAMES.contains(&normal(name).as_str()) => Err(Refusal::Never),
            Host::Domain(_) => Ok(()),
            Host::Ipv4(ip) => self.check_address("", IpAddr::V4(*ip)),
            Host::Ipv6(ip) => self.check_address("", IpAddr::V6(*ip)),
        }
    }

    /// Whether an address may be dialled that `name` resolved to.
    pub(crate) fn check_address(&self, name: &str, address: IpAddr) -> Result<(), Refusal> {
        let address = canonical(address);
        match reach(address) {
            Reach::Public => Ok(()),
            Reach::Never => Err(Refusal::Never),
            Reach::Private if self.private_is_fine => Ok(()),
            Reach::Private if self.hosts.contains(&normal(name)) => Ok(()),
            Reach::Private if self.networks.iter().any(|network| network.contains(&address)) => Ok(()),
            Reach::Private => Err(Refusal::Private),
        }
    }
}

fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[derive(Clone, Copy)]
enum Reach {
    Public,
    Private,
    Never,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(high: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(high), prefix)
}

const NEVER_V4: [Ipv4Net; 9] = [
    v4(0, 0, 0, 0, 8),          // "this network", the unspecified address
    v4(169, 254, 0, 0, 16),     // link-local, metadata
    v4(192, 0, 0, 0, 24),       // protocol assignments, one cloud's metadata
    v4(192, 0, 2, 0, 24),       // documentation
    v4(198, 51, 100, 0, 24),    // documentation
    v4(203, 0, 113, 0, 24),     // documentation
    v4(224, 0, 0, 0, 3),        // multicast, reserved, broadcast
    v4(100, 100, 100, 200, 32), // metadata inside of shared address space
    v4(168, 63, 129, 16, 32),   // a cloud's host agent on a public address
];

const PRIVATE_V4: [Ipv4Net; 6] = [
    v4(127, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v4(100, 64, 0, 0, 10), // shared address space (CGNAT)
    v4(198, 18, 0, 0, 15), // benchmarking; used inside of companies
];

const NEVER_V6: [Ipv6Net; 5] = [
    v6(0xfd00_0ec2 << 96, 32), // metadata
    v6(0xfd20_00ce << 96, 32), // metadata
    v6(0x2001_0db8 << 96, 32), // documentation
    v6(0x3fff << 112, 20),     // documentation
    v6(0x2001 << 112, 32),     // Teredo: hides an IPv4 address
];

const PRIVATE_V6: [Ipv6Net; 3] = [
    v6(1, 128),            // loopback
    v6(0xfc00 << 112, 7),  // unique local
    v6(0xfec0 << 112, 10), // site-local
];

const GLOBAL_V6: Ipv6Net = v6(0x2000 << 112, 3);

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(ip) if NEVER_V4.iter().any(|net| net.contains(&ip)) => Reach::Never,
        IpAddr::V4(ip) if PRIVATE_V4.iter().any(|net| net.contains(&ip)) => Reach::Private,
        IpAddr::V4(_) => Reach::Public,
        IpAddr::V6(ip) if NEVER_V6.iter().any(|net| net.contains(&ip)) => Reach::Never,
        IpAddr::V6(ip) if PRIVATE_V6.iter().any(|net| net.contains(&ip)) => Reach::Private,
        IpAddr::V6(ip) if GLOBAL_V6.contains(&ip) => Reach::Public,
        IpAddr::V6(_) => Reach::Never,
    }
}

/// IPv6 forms that carry an IPv4 address in their last four bytes: IPv4-compatible, mapped, translated, and NAT64.
const EMBEDDING: [Ipv6Net; 4] = [v6(0, 96), v6(0xffff << 32, 96), v6(0xffff << 48, 96), v6(0x0064_ff9b << 96, 96)];

const SIX_TO_FOUR: Ipv6Net = v6(0x2002 << 112, 16);

/// The address that is really meant, for IPv6 spellings of an IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(ip) = address else { return address };
    if ip.is_loopback() || ip.is_unspecified() {
        return address;
    }
    let bytes = ip.octets();
    let embedded = if EMBEDDING.iter().any(|net| net.contains(&ip)) {
        [bytes[12], bytes[13], bytes[14], bytes[15]]
    } else if SIX_TO_FOUR.contains(&ip) {
        [bytes[2], bytes[3], bytes[4], bytes[5]]
    } else {
        return address;
    };
    IpAddr::V4(embedded.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: &AddressPolicy, host: &str) -> Result<(), Refusal> {
        policy.check_host(&match Host::parse(host).unwrap() {
            Host::Domain(ref name) => Host::Domain(name.as_str()),
            Host::Ipv4(ip) => Host::Ipv4(ip),
            Host::Ipv6(ip) => Host::Ipv6(ip),
        })
    }

    fn public_server(allow: &str) -> AddressPolicy {
        AddressPolicy::new(false, allow).unwrap()
    }

    const PRIVATE: [&str; 25] = [
        "127.0.0.1",
        "127.255.255.254",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "[::1]",
        "[fd12:3456::1]",
        "[fc00::1]",
        "[fec0::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::ffff:0:10.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[2002:7f00:0001::1]",
        "[2002:c0a8:0101::]",
        "[::10.1.2.3]",
        "[::ffff:192.168.0.1]",
    ];

    const NEVER: [&str; 36] = [
        "169.254.169.254",
        "169.254.0.1",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::]",
        "[::169.254.169.254]",
        "[fe80::1]",
        "[febf::1]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "0",
        "0.1.2.3",
        "[::]",
        "255.255.255.255",
        "240.0.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "[ff02::1]",
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.9",
        "[2001:db8::1]",
        "[3fff::1]",
        "[2001:0:7f00:1::]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata",
        "instance-data.ec2.internal",
    ];

    #[test]
    fn loopback_and_private_addresses_need_a_loopback_server() {
        let (laptop, server) = (AddressPolicy::new(true, "").unwrap(), public_server(""));
        for host in PRIVATE {
            assert_eq!(judge(&server, host), Err(Refusal::Private), "{host}");
            assert_eq!(judge(&laptop, host), Ok(()), "{host}");
        }
    }

    #[test]
    fn link_local_metadata_and_reserved_addresses_are_never_reached() {
        let everything = "0.0.0.0/0, ::/0, metadata.google.internal, metadata, 169.254.169.254, fe80::/10";
        for policy in [AddressPolicy::new(true, everything).unwrap(), public_server("")] {
            for host in NEVER {
                assert_eq!(judge(&policy, host), Err(Refusal::Never), "{host}");
            }
        }
    }

    #[test]
    fn public_addresses_are_always_reached() {
        for host in
            ["140.82.121.3", "1.1.1.1", "[2606:50c0:8000::153]", "[64:ff9b::1.1.1.1]", "gitlab.com", "172.32.0.1"]
        {
            assert_eq!(judge(&public_server(""), host), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_network_or_an_address_can_be_allowed() {
        let policy = public_server("10.1.0.0/16, 192.168.7.7,fd12::/16 , [fd99::1], ::ffff:172.16.0.9");
        for host in ["10.1.2.3", "[::ffff:10.1.2.3]", "192.168.7.7", "[fd12::5]", "[fd99::1]", "172.16.0.9"] {
            assert_eq!(judge(&policy, host), Ok(()), "{host}");
        }
        for host in ["10.2.0.1", "192.168.7.8", "127.0.0.1", "[fd99::2]"] {
            assert_eq!(judge(&policy, host), Err(Refusal::Private), "{host}");
        }
    }

    #[test]
    fn a_name_can_be_allowed_and_only_that_name() {
        let policy = public_server("Forge.Corp.Test");
        let inside = IpAddr::from([10, 0, 0, 5]);
        assert_eq!(policy.check_address("forge.corp.test", inside), Ok(()));
        assert_eq!(policy.check_address("FORGE.corp.test.", inside), Ok(()));
        assert_eq!(policy.check_address("evil.forge.corp.test", inside), Err(Refusal::Private));
        assert_eq!(policy.check_address("forge.corp.test.evil.test", inside), Err(Refusal::Private));
        assert_eq!(policy.check_address("", inside), Err(Refusal::Private));
        assert_eq!(policy.check_address("forge.corp.test", [169, 254, 169, 254].into()), Err(Refusal::Never));
    }

    #[test]
    fn an_entry_that_is_neither_is_an_error() {
        for entry in ["10.0.0.0/33", "https://forge.test", "forge.test:8443", "*.corp.test", "a b", "user@host"] {
            let allow = format!("ok.test, {entry}");
            assert_eq!(AddressPolicy::new(false, &allow).unwrap_err(), AllowListError(entry.to_owned()));
        }
    }
}
