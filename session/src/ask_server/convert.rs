//! From the wire's words to the session's.

use hallpass_policy::Protocol;
use hallpass_wire::{Address, Protocol as WireProtocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address in its one canonical form (v4-mapped IPv6 is IPv4), and its scope id, 0 if none.
pub(super) fn canonical(address: Address) -> (IpAddr, u32) {
    match address {
        Address::V4(octets) => (IpAddr::V4(Ipv4Addr::from(octets)), 0),
        Address::V6 { octets, scope_id } => {
            (IpAddr::V6(Ipv6Addr::from(octets)).to_canonical(), scope_id)
        }
    }
}

pub(super) fn protocol(protocol: WireProtocol) -> Protocol {
    match protocol {
        WireProtocol::Tcp => Protocol::Tcp,
        WireProtocol::Udp => Protocol::Udp,
        WireProtocol::Icmp => Protocol::Icmp,
        WireProtocol::Raw => Protocol::Raw,
    }
}

/// The name as rules are written; none for what is no host name, so that it matches nothing.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    hallpass_policy::canonical_name(name).ok()
}
