//! One socket, as the kernel describes it.

use crate::control::protocol::State;
use hallpass_policy::Protocol;
use std::net::{IpAddr, SocketAddr};

/// What the kernel says of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) protocol: Protocol,
    /// Addresses in their one form: a v4-mapped IPv6 address is its IPv4 address.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) stage: Stage,
    /// Its number in sockfs, which /proc/PID/fd and fstat(2) show.
    pub(crate) inode: u64,
    /// Unlike the inode number never used twice (SO_COOKIE); none outside our namespace.
    pub(crate) cookie: Option<u64>,
    /// Bytes of data, without repetitions and without what TCP counts for SYN and FIN.
    pub(crate) sent: Option<u64>,
    pub(crate) received: Option<u64>,
}

/// What a socket does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for connections.
    Listening,
    /// It is connected, or about to be, or not yet quite over.
    Live(State),
}

impl Stage {
    /// From the kernel's number (include/net/tcp_states.h); none for a socket that goes nowhere.
    pub(super) fn of(number: u8, protocol: Protocol) -> Option<Self> {
        let live = match (number, protocol) {
            (1, _) => State::Established,
            // An unconnected UDP socket is "closed".
            (_, Protocol::Udp | Protocol::Icmp | Protocol::Raw) => return None,
            (2, _) => State::SynSent,
            // 12: a request that is not accepted yet.
            (3 | 12, _) => State::SynReceived,
            (4, _) => State::FinWait1,
            (5, _) => State::FinWait2,
            (8, _) => State::CloseWait,
            (9, _) => State::LastAck,
            (10, _) => return Some(Self::Listening),
            (11, _) => State::Closing,
            _ => return None,
        };
        Some(Self::Live(live))
    }
}

/// An address in its one form. A socket that connects to "any" address reaches this machine; the
/// kernel shows where it went, so nothing is left to be done about that.
pub(super) fn canonical(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}
