//! The part of a destination in front of ports and protocol.

use super::Group;
use crate::address::canonical;
use crate::decide::{Facts, Far};
use crate::name::is_below;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::IpAddr;

/// Where to. Each set of addresses has exactly one value: a network of one address is that
/// address, a range that is a network is that network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Host {
    Address(IpAddr),
    Network(IpNet),
    /// Boxed because it is rare and would make every destination larger.
    Range(Box<Range>),
    Name(Box<str>),
    /// `*.zone`: the zone's name.
    Below(Box<str>),
    Group(Group),
    /// Absolute path, or `@name`.
    Unix(Box<str>),
}

/// First and last address, both of one family, first < last, and no network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Range {
    pub(crate) first: IpAddr,
    pub(crate) last: IpAddr,
}

impl Host {
    /// The addresses from `first` to `last`; none where they differ in family or are reversed.
    pub(crate) fn range(first: IpAddr, last: IpAddr) -> Option<Self> {
        if first.is_ipv4() != last.is_ipv4() || first > last {
            return None;
        }
        if first == last {
            return Some(Self::Address(canonical(first)));
        }
        let network = networks_of(first, last);
        Some(match network.as_slice() {
            [one] => Self::Network(*one),
            _ => Self::Range(Box::new(Range { first, last })),
        })
    }

    /// A network; host bits are dropped.
    pub(crate) fn network(net: IpNet) -> Self {
        let net = net.trunc();
        if net.prefix_len() == net.max_prefix_len() {
            Self::Address(canonical(net.addr()))
        } else {
            Self::Network(net)
        }
    }

    pub(crate) fn matches(&self, facts: &Facts<'_>) -> bool {
        match (self, facts.far()) {
            (Self::Group(group), _) => group.matches(facts),
            (Self::Unix(own), Far::Unix(_)) => facts.is_socket(own),
            (Self::Unix(_), Far::Ip { .. }) | (_, Far::Unix(_)) => false,
            (Self::Address(own), Far::Ip { address, .. }) => *own == address,
            (Self::Network(net), Far::Ip { address, .. }) => net.contains(&address),
            // Both ends are of one family, and all of IPv4 sorts before all of IPv6.
            (Self::Range(range), Far::Ip { address, .. }) => {
                (range.first..=range.last).contains(&address)
            }
            (Self::Name(own), Far::Ip { .. }) => facts.names().any(|name| **own == *name),
            (Self::Below(zone), Far::Ip { .. }) => facts.names().any(|name| is_below(name, zone)),
        }
    }

    /// Whether a port after it would read as part of it.
    pub(super) fn needs_brackets(&self) -> bool {
        match self {
            Self::Address(address) => address.is_ipv6(),
            Self::Network(net) => net.addr().is_ipv6(),
            Self::Range(range) => range.first.is_ipv6(),
            _ => false,
        }
    }
}

/// The fewest networks that make up a range.
pub(crate) fn networks_of(first: IpAddr, last: IpAddr) -> Vec<IpNet> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => ipnet::Ipv4Subnets::new(first, last, 0)
            .map(|net: Ipv4Net| IpNet::V4(net))
            .collect(),
        (IpAddr::V6(first), IpAddr::V6(last)) => ipnet::Ipv6Subnets::new(first, last, 0)
            .map(|net: Ipv6Net| IpNet::V6(net))
            .collect(),
        _ => Vec::new(),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Network(net) => write!(f, "{net}"),
            Self::Range(range) => write!(f, "{}-{}", range.first, range.last),
            // The dot tells a machine called `lan` from a forgotten `@`.
            Self::Name(name) if Group::with_bare_word(name).is_some() => write!(f, "{name}."),
            Self::Name(name) => f.write_str(name),
            Self::Below(zone) => write!(f, "*.{zone}"),
            Self::Group(group) => write!(f, "{group}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}
