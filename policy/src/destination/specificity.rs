//! The ladder: how specific a destination is, so that the most specific rule wins.

use super::{Destination, Host};
use crate::Protocol;
use std::cmp::Reverse;
use std::net::IpAddr;

/// How specific a destination is; greater is more specific. A total order: first the rung (one
/// address or socket, one name, `*.name`, network or range, group), then the step on it (labels
/// of `*.name`, fewer addresses, the order of groups), then fewer ports and protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Specificity {
    rung: Rung,
    step: u128,
    breadth: Reverse<u32>,
}

/// Least specific first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Rung {
    Group,
    Network,
    Below,
    Name,
    Address,
}

/// Ports a protocol with ports has, 0 included: a flow to port 0 exists, a rule for it does not.
const PORTS: u32 = 65_536;

impl Specificity {
    pub(super) fn of(destination: &Destination) -> Self {
        let (rung, step) = match &destination.host {
            Host::Address(_) | Host::Unix(_) => (Rung::Address, 0),
            Host::Name(_) => (Rung::Name, 0),
            Host::Below(zone) => (Rung::Below, labels(zone)),
            Host::Network(net) => (Rung::Network, smallness(net.network(), net.broadcast())),
            Host::Range(range) => (Rung::Network, smallness(range.first, range.last)),
            Host::Group(group) => (Rung::Group, u128::from(group.rank())),
        };
        Self {
            rung,
            step,
            breadth: Reverse(breadth(destination)),
        }
    }

    /// Whether two destinations stand on the same step, ports and protocol aside.
    pub(crate) fn same_step(self, other: Self) -> bool {
        (self.rung, self.step) == (other.rung, other.step)
    }
}

fn labels(name: &str) -> u128 {
    name.split('.').map(|_| 1).sum()
}

/// Greater for fewer addresses; compares within a family, and any IPv4 set is smaller than an
/// IPv6 network of /64.
fn smallness(first: IpAddr, last: IpAddr) -> u128 {
    let span = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            u128::from(u32::from(last).abs_diff(u32::from(first)))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => u128::from(last).abs_diff(u128::from(first)),
        // A range is of one family; were it not, it would be the least specific.
        _ => u128::MAX,
    };
    u128::MAX - span
}

/// How many pairs of protocol and port a destination lets through.
fn breadth(destination: &Destination) -> u32 {
    let ports = destination.ports.count();
    match destination.protocol {
        Some(protocol) if !protocol.has_ports() => 1,
        Some(_) if destination.ports.is_any() => PORTS,
        Some(_) => ports,
        None if destination.ports.is_any() => Protocol::ALL
            .iter()
            .map(|protocol| if protocol.has_ports() { PORTS } else { 1 })
            .sum(),
        None => 2 * ports,
    }
}
