//! What a socket is, as the kernel says.

use crate::decide::Protocol;
use crate::sys::socket as sys;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Our own descriptor of a target's socket. Its open file description is the target's: flags and
/// options that are changed here change there.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    pub(crate) family: Family,
    pub(crate) kind: Kind,
    /// IPPROTO_*, or what the family numbers its protocols by.
    pub(crate) protocol: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Unix,
    Inet,
    Inet6,
    Netlink,
    /// Another one, AF_*.
    Other(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream,
    Datagrams,
    SequencedPackets,
    Raw,
    Other,
}

const IPPROTO_UDPLITE: i32 = 136;
const IPPROTO_MPTCP: i32 = 262;

impl Socket {
    /// Looks at a descriptor; ENOTSOCK where it is no socket.
    pub(crate) fn new(fd: OwnedFd) -> Result<Self, Errno> {
        let family = match sys::option(fd.as_fd(), libc::SO_DOMAIN)? {
            libc::AF_UNIX => Family::Unix,
            libc::AF_INET => Family::Inet,
            libc::AF_INET6 => Family::Inet6,
            libc::AF_NETLINK => Family::Netlink,
            other => Family::Other(other),
        };
        let kind = match sys::option(fd.as_fd(), libc::SO_TYPE)? {
            libc::SOCK_STREAM => Kind::Stream,
            libc::SOCK_DGRAM => Kind::Datagrams,
            libc::SOCK_SEQPACKET => Kind::SequencedPackets,
            libc::SOCK_RAW => Kind::Raw,
            _ => Kind::Other,
        };
        let protocol = sys::option(fd.as_fd(), libc::SO_PROTOCOL)?;
        Ok(Self {
            fd,
            family,
            kind,
            protocol,
        })
    }

    pub(crate) fn is_ip(&self) -> bool {
        matches!(self.family, Family::Inet | Family::Inet6)
    }

    /// What an IP socket speaks, as rules name it. None for what nobody can write a rule for.
    pub(crate) fn transport(&self) -> Option<Protocol> {
        if !self.is_ip() {
            return None;
        }
        match (self.kind, self.protocol) {
            (Kind::Stream, libc::IPPROTO_TCP | IPPROTO_MPTCP)
            | (Kind::Stream | Kind::SequencedPackets, libc::IPPROTO_SCTP) => Some(Protocol::Tcp),
            (Kind::Datagrams, libc::IPPROTO_UDP | IPPROTO_UDPLITE) => Some(Protocol::Udp),
            (Kind::Datagrams | Kind::Raw, libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6) => {
                Some(Protocol::Icmp)
            }
            (Kind::Raw, _) => Some(Protocol::Raw),
            _ => None,
        }
    }

    /// Whether the protocol ignores the address of a message unless it opens the connection
    /// (MSG_FASTOPEN).
    pub(crate) fn ignores_names(&self) -> bool {
        let is_tcp = matches!(self.protocol, libc::IPPROTO_TCP | IPPROTO_MPTCP);
        // A raw socket may carry that number, too, and means the address.
        self.is_ip() && self.kind == Kind::Stream && is_tcp
    }

    /// Whether a send to a closed connection raises SIGPIPE.
    pub(crate) fn raises_sigpipe(&self) -> bool {
        self.kind == Kind::Stream || self.is_ip() && self.protocol == libc::IPPROTO_SCTP
    }

    /// Whether O_NONBLOCK is set just now.
    pub(crate) fn is_nonblocking(&self) -> bool {
        fcntl(&self.fd, FcntlArg::F_GETFL)
            .is_ok_and(|flags| OFlag::from_bits_truncate(flags).contains(OFlag::O_NONBLOCK))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
