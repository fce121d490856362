//! One question to the kernel's socket diagnostics, and the pieces of its answer.

use super::diag::{self, Ask, Piece};
use super::socket::Socket;
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How many sockets of the machine are looked at for each protocol and family.
const MAX_SOCKETS: usize = 262_144;
/// The kernel fills buffers of up to 32 KiB (NLMSG_GOODSIZE and netlink_dump).
const BUFFER: usize = 64 * 1024;
/// The kernel answers at once; anything else must not hold a client up.
const PATIENCE: Duration = Duration::from_secs(2);

/// The sockets of our own network namespace for which `wanted` holds.
///
/// Where the kernel has no such diagnostics, or does not let us ask, what is known is kept.
pub(super) fn sockets(wanted: impl Fn(&Socket) -> bool) -> Listing {
    let mut listing = Listing::default();
    for ask in Ask::ALL {
        match dump(ask, &wanted, &mut listing) {
            // A kernel without MPTCP, or without its diagnostics.
            Err(_) if ask.is_mptcp() => {}
            Err(error) => listing.failed = Some(error),
            Ok(()) => {}
        }
    }
    listing
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) sockets: Vec<Socket>,
    by_inode: HashMap<u64, usize>,
    /// There were more than [`MAX_SOCKETS`].
    pub(super) is_cut: bool,
    /// Why not all protocols could be asked about.
    pub(super) failed: Option<Errno>,
}

impl Listing {
    /// One socket of the program is one here. Several under one inode are the TCP connections of
    /// an MPTCP socket, which has been found before them: only they count bytes.
    fn add(&mut self, socket: Socket) {
        let Some(at) = self.by_inode.get(&socket.inode) else {
            self.by_inode.insert(socket.inode, self.sockets.len());
            self.sockets.push(socket);
            return;
        };
        if let Some(known) = self.sockets.get_mut(*at) {
            known.sent = sum(known.sent, socket.sent);
            known.received = sum(known.received, socket.received);
        }
    }
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

fn dump(ask: Ask, wanted: &impl Fn(&Socket) -> bool, listing: &mut Listing) -> Result<(), Errno> {
    // A socket for each question: what a question that was given up still sends is not taken
    // for the answer to the next.
    let socket = open()?;
    send(&socket, &ask.request(), SendFlags::empty())?;
    let mut buffer = vec![0; BUFFER];
    let mut seen = 0;
    loop {
        let (_, length) = recv(&socket, &mut buffer, RecvFlags::TRUNC)?;
        // Longer than the buffer: not the kernel that we know.
        let answer = buffer.get(..length).ok_or(Errno::MSGSIZE)?;
        for piece in diag::pieces(answer, ask) {
            match piece {
                Piece::Socket(socket) => {
                    seen += 1;
                    if wanted(&socket) {
                        listing.add(socket);
                    }
                }
                Piece::Nothing => seen += 1,
                Piece::Error(errno) => return Err(Errno::from_raw_os_error(errno)),
                Piece::End => return Ok(()),
            }
        }
        if seen >= MAX_SOCKETS {
            listing.is_cut = true;
            return Ok(());
        }
    }
}

fn open() -> Result<OwnedFd, Errno> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )?;
    // To the kernel and nobody else: no other process can put in a word.
    connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}
