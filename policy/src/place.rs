//! Where an address is: this machine, the neighbourhood, or the internet.

use crate::Environment;
use crate::address::canonical;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// This machine.
    Loopback,
    /// A multicast group; part of `@lan`.
    Multicast,
    /// The neighbourhood.
    Lan,
    /// Everything else.
    Internet,
}

impl Place {
    /// The word it is shown as, lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Multicast => "multicast",
            Self::Lan => "lan",
            Self::Internet => "internet",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where an address is. Loopback: 127.0.0.0/8 and ::1, `0.0.0.0` and `::` (Linux connects them
/// to this machine). Multicast: 224.0.0.0/4, ff00::/8. LAN: RFC 1918, CGNAT (RFC 6598),
/// link-local, ULA (RFC 4193), broadcast, and every attached subnet.
#[must_use]
pub fn place(address: IpAddr, env: &Environment) -> Place {
    let address = canonical(address);
    if address.is_loopback() {
        Place::Loopback
    } else if address.is_multicast() {
        Place::Multicast
    } else if is_private(address) || env.attached.iter().any(|net| net.contains(&address)) {
        Place::Lan
    } else {
        Place::Internet
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_link_local() || v4.is_broadcast() || is_shared(v4)
        }
        IpAddr::V6(v6) => is_unique_local(v6) || is_link_local(v6),
    }
}

/// RFC 6598, 100.64.0.0/10: behind a carrier's NAT, in overlay networks, and where one cloud
/// keeps its metadata service (100.100.100.200), so it must not pass as internet.
fn is_shared(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    a == 100 && b & 0xc0 == 64
}

fn is_unique_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xfe00 == 0xfc00
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, env: &Environment) -> Place {
        place(address.parse().unwrap(), env)
    }

    #[test]
    fn well_known_addresses_have_their_place() {
        let env = Environment::default();
        for address in [
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            "0.0.0.0",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
        ] {
            assert_eq!(at(address, &env), Place::Loopback, "{address}");
        }
        for address in [
            "224.0.0.1",
            "239.255.255.250",
            "ff02::fb",
            "::ffff:224.0.0.251",
        ] {
            assert_eq!(at(address, &env), Place::Multicast, "{address}");
        }
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "255.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "fd00::1",
            "fc00::1",
            "fe80::1",
            "febf::1",
            "::ffff:10.1.2.3",
        ] {
            assert_eq!(at(address, &env), Place::Lan, "{address}");
        }
        for address in [
            "8.8.8.8",
            "172.32.0.1",
            "172.15.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "192.169.0.1",
            "2001:db8::1",
            "fec0::1",
            "fe00::1",
            "203.0.113.7",
            "0.0.0.1",
        ] {
            assert_eq!(at(address, &env), Place::Internet, "{address}");
        }
    }

    #[test]
    fn attached_subnets_are_lan_but_never_loopback_or_multicast() {
        let env = Environment {
            attached: ["203.0.113.0/24", "2001:db8:1::/64", "127.0.0.0/8"]
                .map(|net| net.parse().unwrap())
                .to_vec(),
            nameservers: Vec::new(),
        };
        assert_eq!(at("203.0.113.7", &env), Place::Lan);
        assert_eq!(at("::ffff:203.0.113.7", &env), Place::Lan);
        assert_eq!(at("2001:db8:1::9", &env), Place::Lan);
        assert_eq!(at("2001:db8:2::9", &env), Place::Internet);
        assert_eq!(at("127.0.0.1", &env), Place::Loopback);
    }
}
