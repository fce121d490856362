//! Destinations made from a flow: how wide an answer can be.

use super::{Destination, Group, Host, Ports};
use crate::address::canonical;
use crate::name::LOCAL_ZONES;
use crate::{Environment, NameError, Protocol, canonical_name};
use ipnet::IpNet;
use std::net::IpAddr;

/// What a subnet is taken for where the address is in no attached one.
const USUAL_V4: u8 = 24;
/// The same for IPv6.
const USUAL_V6: u8 = 64;

impl Destination {
    pub(super) fn whole(host: Host) -> Self {
        Self {
            host,
            ports: Ports::any(),
            protocol: None,
        }
    }

    /// One address, every port.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::whole(Host::Address(canonical(address)))
    }

    /// A UNIX socket: an absolute path, or `@name` for an abstract one. None for a path that no
    /// rule can be written with.
    #[must_use]
    pub fn socket(path: &str) -> Option<Self> {
        format!("unix:{path}").parse().ok()
    }

    /// Every socket of a group.
    #[must_use]
    pub fn of_group(group: Group) -> Self {
        Self::whole(Host::Group(group))
    }

    /// One name, every port.
    ///
    /// # Errors
    /// The text is no host name.
    pub fn host_name(name: &str) -> Result<Self, NameError> {
        Ok(Self::whole(Host::Name(
            canonical_name(name)?.into_boxed_str(),
        )))
    }

    /// All names below this one, every port; none for what is no name.
    pub(crate) fn all_below(&self) -> Option<Self> {
        match &self.host {
            Host::Name(name) => Some(Self::whole(Host::Below(name.clone()))),
            _ => None,
        }
    }

    /// The same place, narrowed to one port and protocol; to the protocol alone where it has
    /// no ports, or `port` is 0. Groups of sockets, `@raw` and `@dns` stay as they are.
    #[must_use]
    pub fn at(mut self, port: u16, protocol: Protocol) -> Self {
        let is_fixed = match &self.host {
            Host::Group(group) => group.is_unix() || matches!(group, Group::Raw | Group::Dns),
            Host::Unix(_) => true,
            _ => false,
        };
        if !is_fixed {
            self.protocol = Some(protocol);
            self.ports = match port {
                0 => Ports::any(),
                _ if !protocol.has_ports() => Ports::any(),
                port => Ports::one(port),
            };
        }
        self
    }

    /// The narrowest attached network that holds the address, else its /24 or /64.
    #[must_use]
    pub fn subnet(address: IpAddr, env: &Environment) -> Self {
        let address = canonical(address);
        let attached = env
            .attached
            .iter()
            .filter(|net| net.contains(&address))
            .max_by_key(|net| net.prefix_len());
        let usual = if address.is_ipv4() {
            USUAL_V4
        } else {
            USUAL_V6
        };
        let net = match attached {
            Some(net) => *net,
            None => IpNet::new(address, usual).unwrap_or(IpNet::from(address)),
        };
        Self::whole(Host::network(net))
    }

    /// A domain and everything below it, two destinations: of the name's parent, or of the name
    /// itself where the parent is a public suffix (`is_public_suffix` says so, for example from
    /// the psl crate), a local zone, or missing.
    ///
    /// # Errors
    /// The text is no host name.
    pub fn domain(
        name: &str,
        is_public_suffix: impl Fn(&str) -> bool,
    ) -> Result<[Self; 2], NameError> {
        let name = canonical_name(name)?;
        let parent = name
            .split_once('.')
            .map(|(_, parent)| parent)
            .filter(|parent| !is_public_suffix(parent) && !is_zone_of_many(parent));
        let domain: Box<str> = parent.unwrap_or(&name).into();
        Ok([
            Self::whole(Host::Name(domain.clone())),
            Self::whole(Host::Below(domain)),
        ])
    }

    /// Every IP address.
    #[must_use]
    pub fn any() -> Self {
        Self::whole(Host::Group(Group::Any))
    }
}

/// Top-level domains, `lan`, `home.arpa` and their like belong to nobody in particular.
fn is_zone_of_many(parent: &str) -> bool {
    !parent.contains('.') || LOCAL_ZONES.contains(&parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_port_is_a_host_narrowed() {
        let v6 = Destination::address(ip("2001:db8::1")).at(443, Protocol::Tcp);
        assert_eq!(v6.to_string(), "[2001:db8::1]:443/tcp");
        assert_eq!(
            Destination::address(ip("::ffff:10.0.0.7")).to_string(),
            "10.0.0.7"
        );
        let name = Destination::host_name("Example.com.").unwrap();
        assert_eq!(
            name.clone().at(53, Protocol::Udp).to_string(),
            "example.com:53/udp"
        );
        assert_eq!(
            name.clone().at(0, Protocol::Icmp).to_string(),
            "example.com/icmp"
        );
        assert_eq!(
            name.clone().at(9, Protocol::Raw).to_string(),
            "example.com/raw"
        );
        assert_eq!(name.at(0, Protocol::Tcp).to_string(), "example.com/tcp");
        assert!(Destination::host_name("127.1").is_err());
        assert_eq!(
            Destination::any().at(80, Protocol::Tcp).to_string(),
            "@any:80/tcp"
        );
    }

    #[test]
    fn a_subnet_is_the_attached_one_or_the_usual() {
        let env = Environment {
            attached: ["10.0.0.9/8", "10.1.2.3/30", "fd00::5/120"]
                .map(|net| net.parse().unwrap())
                .to_vec(),
            nameservers: Vec::new(),
        };
        for (address, subnet) in [
            ("10.1.2.1", "10.1.2.0/30"),
            ("10.2.2.1", "10.0.0.0/8"),
            ("192.168.7.9", "192.168.7.0/24"),
            ("fd00::7", "fd00::/120"),
            ("2001:db8::7:8", "2001:db8::/64"),
            ("::ffff:192.168.7.9", "192.168.7.0/24"),
        ] {
            assert_eq!(Destination::subnet(ip(address), &env).to_string(), subnet);
        }
    }

    #[test]
    fn a_domain_is_never_a_public_suffix() {
        let suffix = |name: &str| matches!(name, "com" | "co.uk" | "uk" | "lan" | "arpa");
        for (name, domain) in [
            ("www.example.com", "example.com"),
            ("example.com", "example.com"),
            ("a.b.example.com", "b.example.com"),
            ("example.co.uk", "example.co.uk"),
            ("www.example.co.uk", "example.co.uk"),
            ("printer.lan", "printer.lan"),
            ("nas.home.arpa", "nas.home.arpa"),
            ("x.nas.home.arpa", "nas.home.arpa"),
            ("printer", "printer"),
        ] {
            let [apex, below] = Destination::domain(name, suffix).unwrap();
            assert_eq!(apex.to_string(), domain, "{name}");
            assert_eq!(below.to_string(), format!("*.{domain}"), "{name}");
        }
        assert!(Destination::domain("a..b", suffix).is_err());
    }
}
