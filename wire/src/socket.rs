//! What a call on a socket would do, from the numbers that Linux describes it with.
//!
//! Pure, and shared by everything that stands between a program and the kernel: what must be
//! decided, what may pass and why, what is refused. The facts about the kernel are from
//! net/ipv4 and net/ipv6 of Linux 6.18 and from ip(7), udp(7), tcp(7), raw(7).

use crate::{Address, Ask, Call, Protocol};

/// Longest address that the kernel takes (`sizeof(struct sockaddr_storage)`).
pub const MAX_SOCKADDR: usize = 128;

/// `AF_UNSPEC`
const UNSPEC: u16 = 0;
/// `AF_UNIX`
const UNIX: u16 = 1;
/// `AF_INET`
const INET: u16 = 2;
/// `AF_INET6`
const INET6: u16 = 10;
/// `AF_NETLINK`
const NETLINK: u16 = 16;

const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;
const SOCK_RAW: u32 = 3;
const SOCK_SEQPACKET: u32 = 5;
const SOCK_DCCP: u32 = 6;

const IPPROTO_ICMP: u32 = 1;
const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;
const IPPROTO_ICMPV6: u32 = 58;
const IPPROTO_UDPLITE: u32 = 136;
const IPPROTO_MPTCP: u32 = 262;

/// What the kernel says of a socket: SO_DOMAIN, SO_TYPE, SO_PROTOCOL, IP_HDRINCL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// `AF_*`; above 65535 is no family.
    pub domain: u16,
    /// `SOCK_*` without flags.
    pub kind: u32,
    /// `IPPROTO_*`
    pub protocol: u32,
    /// The program writes the IP header itself (IP_HDRINCL).
    pub own_header: bool,
}

/// What is to be done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Ask about it.
    Decide(Ask),
    /// Let it through; the reason has a name.
    Pass(Bypass),
    /// Refuse it without asking: a family that cannot be decided.
    Refuse {
        /// The family in the address.
        address_family: u16,
    },
}

/// Why a call needs no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// AF_UNIX does not leave the machine.
    Unix,
    /// AF_NETLINK talks to the kernel.
    Netlink,
    /// connect(AF_UNSPEC) dissolves an association.
    Dissolve,
    /// The message has no address; its socket's was decided when it was connected.
    NoAddress,
    /// TCP ignores an address unless MSG_FASTOPEN is set.
    AddressIgnored,
    /// Too short or too long for any address: the kernel refuses it.
    InvalidLength,
}

impl Socket {
    /// What the family alone says; None if the address must be looked at.
    #[must_use]
    pub fn without_address(&self) -> Option<Path> {
        match self.domain {
            UNIX => Some(Path::Pass(Bypass::Unix)),
            NETLINK => Some(Path::Pass(Bypass::Netlink)),
            INET | INET6 => None,
            _ => Some(Path::Refuse {
                address_family: UNSPEC,
            }),
        }
    }

    /// What is to be done with `call` on this socket to `sockaddr`: the caller's own copy, as
    /// long as the kernel would read it. `fast_open` is MSG_FASTOPEN among the flags.
    #[must_use]
    pub fn path(&self, call: Call, sockaddr: &[u8], fast_open: bool) -> Path {
        match self.without_address() {
            None => {}
            Some(Path::Refuse { .. }) => {
                let family = sockaddr
                    .first_chunk()
                    .map_or(UNSPEC, |it| u16::from_ne_bytes(*it));
                return Path::Refuse {
                    address_family: family,
                };
            }
            Some(path) => return path,
        }
        if sockaddr.len() > MAX_SOCKADDR {
            return Path::Pass(Bypass::InvalidLength);
        }
        let sending = call != Call::Connect;
        if sending && self.ignores_address(fast_open) {
            return Path::Pass(Bypass::AddressIgnored);
        }
        let Some((family, rest)) = sockaddr.split_first_chunk::<2>() else {
            return Path::Pass(Bypass::InvalidLength);
        };
        let family = u16::from_ne_bytes(*family);
        let protocol = self.transport();
        let read_as = match family {
            INET | INET6 => family,
            UNSPEC if !sending => return Path::Pass(Bypass::Dissolve),
            // udpv6_sendmsg takes it for no address at all …
            UNSPEC if self.domain == INET6 && protocol == Protocol::Udp => {
                return Path::Pass(Bypass::NoAddress);
            }
            // … but udp_sendmsg, raw_sendmsg and rawv6_sendmsg for their own family.
            UNSPEC => self.domain,
            _ => {
                return Path::Refuse {
                    address_family: family,
                };
            }
        };
        match endpoint(read_as, rest) {
            None => Path::Pass(Bypass::InvalidLength),
            Some((address, port)) => {
                let port = match protocol {
                    Protocol::Tcp | Protocol::Udp => port,
                    // Raw sockets keep a protocol number or nothing in that field.
                    Protocol::Icmp | Protocol::Raw => 0,
                };
                Path::Decide(Ask {
                    call,
                    protocol,
                    address,
                    port,
                    resumed: false,
                })
            }
        }
    }

    /// Under which protocol the socket's traffic is decided.
    #[must_use]
    pub fn transport(&self) -> Protocol {
        match (self.kind, self.protocol) {
            // TCP, MPTCP, SCTP, DCCP, SMC: whatever opens a connection.
            (SOCK_STREAM | SOCK_SEQPACKET | SOCK_DCCP, _) => Protocol::Tcp,
            (SOCK_DGRAM, IPPROTO_UDP | IPPROTO_UDPLITE) => Protocol::Udp,
            (SOCK_DGRAM, IPPROTO_ICMP | IPPROTO_ICMPV6) => Protocol::Icmp,
            (SOCK_RAW, IPPROTO_ICMP) if self.domain == INET && !self.own_header => Protocol::Icmp,
            (SOCK_RAW, IPPROTO_ICMPV6) if self.domain == INET6 && !self.own_header => {
                Protocol::Icmp
            }
            _ => Protocol::Raw,
        }
    }

    /// tcp_sendmsg and mptcp_sendmsg look at msg_name only for MSG_FASTOPEN; an address put off
    /// by TCP_FASTOPEN_CONNECT was decided by connect. SCTP and SMC do look.
    fn ignores_address(&self, fast_open: bool) -> bool {
        self.kind == SOCK_STREAM
            && matches!(self.protocol, IPPROTO_TCP | IPPROTO_MPTCP)
            && !fast_open
    }
}

/// Address and port after the family; None where the kernel says EINVAL for the length.
fn endpoint(family: u16, rest: &[u8]) -> Option<(Address, u16)> {
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    if family == INET {
        let (octets, rest) = rest.split_first_chunk::<4>()?;
        // sizeof(struct sockaddr_in) counts eight more bytes.
        rest.first_chunk::<8>()?;
        return Some((Address::V4(*octets), port));
    }
    let (_flow, rest) = rest.split_first_chunk::<4>()?;
    let (octets, rest) = rest.split_first_chunk::<16>()?;
    // RFC 2133's sockaddr_in6 ends here, and the kernel still takes it.
    let scope_id = rest
        .first_chunk::<4>()
        .map_or(0, |scope| u32::from_ne_bytes(*scope));
    Some((Address::v6(*octets, scope_id), port))
}
