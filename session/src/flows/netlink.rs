//! One question to the kernel's socket diagnostics, and the pieces of its answer.

use super::diag::{self, Ask, Piece};
use super::socket::Socket;
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use std::io;
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
/// # Errors
/// The kernel has no such diagnostics, or does not let us ask.
pub(super) fn sockets(wanted: impl Fn(&Socket) -> bool) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for ask in Ask::ALL {
        match dump(ask, &wanted, &mut listing) {
            // This protocol's diagnostics (MPTCP's, say) are not in this kernel; TCP's must be.
            Err(Errno::NOENT | Errno::INVAL | Errno::OPNOTSUPP) if ask.is_optional() => {}
            result => result?,
        }
    }
    Ok(listing)
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) sockets: Vec<Socket>,
    /// There were more than [`MAX_SOCKETS`].
    pub(super) is_cut: bool,
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
                        listing.sockets.push(socket);
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
