//! The second way to a target's sockets, where the kernel does not let this process duplicate them
//! (pidfd_getfd(2) is refused, as by Docker's default profile): it makes them itself, gives them to
//! the program that wanted them, and keeps a copy of each.
//!
//! Which copy a descriptor means is found by the inode that /proc/TID/fd shows. Should that change
//! while it is looked at, nothing is gained: what is decided and done is done with the copy, and
//! with an address that was copied too. A socket without a copy can reach nothing new.
//!
//! A copy is one more descriptor of its socket, so it must not outlive the program's own: that of a
//! connection goes as soon as there is one ([`Copies::after`]), the others when no process has the
//! socket any more ([`sweep`]).

mod find;
mod keeper;
mod rights;
mod sweep;

use crate::address::Address;
use crate::answer::Answer;
use crate::proceed::MayProceed;
use crate::socket::{Family, Kind, Socket};
use crate::sys::socket as sys;
pub(crate) use find::Unseen;
use find::{Network, Place};
use keeper::Bell;
use nix::errno::Errno;
use nix::sys::stat::fstat;
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Connections that are remembered.
const SETTLED_MAX: usize = 4096;

/// The sockets made for targets.
#[derive(Debug)]
pub(crate) struct Copies {
    table: Mutex<Table>,
    /// Held while it is looked where sockets are, which takes a while: what one look has found is
    /// not to be undone by another that began before. Taken before `table`.
    looking: Mutex<()>,
    bell: Bell,
    /// `st_dev` of every socket.
    device: u64,
    network: Network,
}

#[derive(Debug, Default)]
struct Table {
    kept: HashMap<u64, Kept>,
    settled: HashMap<u64, Settled>,
}

#[derive(Debug)]
struct Kept {
    /// Shared with whoever looks at it just now.
    socket: Arc<OwnedFd>,
    /// Where it was seen last.
    place: Place,
    /// Its program has it.
    given: bool,
    /// It has been sent to another process, and may be on its way for long.
    passed: bool,
    /// The keeper is told when it is connected.
    watched: bool,
    /// Since when it is in no process's table, and how often that was found.
    missing: Option<(Instant, u32)>,
}

/// What became of a socket whose copy is gone because it is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It was when its call returned.
    Connected,
    /// It was later: the kernel says so, once, to the next connect.
    Meanwhile,
}

/// What a descriptor means.
#[derive(Debug)]
pub(crate) enum Found {
    Copy(OwnedFd),
    /// A socket of which there is no copy: its inode and what it is.
    Unseen(u64, Unseen),
}

/// Whether /proc shows descriptors: tried with one of this process.
pub(crate) fn can_find(own: BorrowedFd<'_>) -> Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", own.as_raw_fd());
    nix::sys::stat::stat(path.as_str()).map(drop)
}

impl Copies {
    /// Starts to keep copies, with a thread that drops them.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let probe = sys::create(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0)?;
        let copies = Arc::new(Self {
            table: Mutex::default(),
            looking: Mutex::default(),
            bell: Bell::new()?,
            device: fstat(&probe)?.st_dev,
            network: Network::own()?,
        });
        keeper::start(&copies)?;
        Ok(copies)
    }

    /// Whether a socket that is made here is what the thread `tid` would have made: it would
    /// belong to the network of whoever makes it.
    pub(crate) fn may_make_for(&self, tid: u32) -> bool {
        Network::of(tid).is_ok_and(|it| it == self.network)
    }

    /// Keeps a copy of a new socket. Its program does not have it yet.
    pub(crate) fn keep(&self, socket: &Arc<OwnedFd>, tid: u32) -> Result<u64, Errno> {
        let inode = fstat(socket)?.st_ino;
        let kept = Kept {
            socket: Arc::clone(socket),
            place: Place { tid, fd: -1 },
            given: false,
            passed: false,
            watched: false,
            missing: None,
        };
        let mut table = self.table();
        table.settled.remove(&inode);
        table.kept.insert(inode, kept);
        drop(table);
        self.bell.begin();
        Ok(inode)
    }

    /// The program has the socket as `fd`.
    pub(crate) fn given(&self, inode: u64, fd: i32) {
        if let Some(kept) = self.table().kept.get_mut(&inode) {
            kept.place.fd = fd;
            kept.given = true;
        }
    }

    /// What `fd` of the thread `tid` is. ENOTSOCK where it is no socket.
    pub(crate) fn find(&self, tid: u32, fd: i32) -> Result<Found, Errno> {
        let place = Place { tid, fd };
        let inode = place.socket(self.device)?;
        if let Some(socket) = self.copy(inode) {
            return socket.try_clone().map(Found::Copy).map_err(find::errno);
        }
        Ok(Found::Unseen(inode, Unseen::at(place, inode)?))
    }

    /// A duplicate of `fd`, to be sent to another process: it may be long under way.
    pub(crate) fn pass(&self, tid: u32, fd: i32) -> Result<OwnedFd, Errno> {
        let inode = Place { tid, fd }.socket(self.device);
        // What is no socket, or has no copy, cannot be had.
        let inode = inode.map_err(|it| {
            if it == Errno::ENOTSOCK {
                Errno::EPERM
            } else {
                it
            }
        })?;
        self.passes(inode);
        let socket = self.copy(inode).ok_or(Errno::EPERM)?;
        socket.try_clone().map_err(find::errno)
    }

    /// The same, where its program sends it.
    pub(crate) fn is_passed(&self, tid: u32, fd: i32) {
        if let Ok(inode) = (Place { tid, fd }).socket(self.device) {
            self.passes(inode);
        }
    }

    fn passes(&self, inode: u64) {
        if let Some(kept) = self.table().kept.get_mut(&inode) {
            kept.passed = true;
        }
    }

    fn copy(&self, inode: u64) -> Option<Arc<OwnedFd>> {
        let table = self.table();
        table.kept.get(&inode).map(|it| Arc::clone(&it.socket))
    }

    /// What is remembered of a socket without a copy.
    pub(crate) fn settled(&self, inode: u64) -> Option<Settled> {
        self.table().settled.get(&inode).copied()
    }

    /// The next connect has been told.
    pub(crate) fn told(&self, inode: u64) {
        self.table().settled.insert(inode, Settled::Connected);
    }

    /// listen(2). A socket that listens cannot connect any more, and needs no copy.
    pub(crate) fn listen(&self, tid: u32, fd: i32, backlog: i32) -> Answer {
        let proceed = || Answer::Proceed(MayProceed::for_waiting_to_be_reached());
        let Ok(Found::Copy(own)) = self.find(tid, fd) else {
            return proceed();
        };
        let (Ok(inode), Ok(socket)) = (fstat(&own).map(|it| it.st_ino), Socket::new(own)) else {
            return proceed();
        };
        match socket.family {
            // Whoever makes this call is who the socket's peers are told they speak to.
            Family::Unix if socket.kind != Kind::Datagrams => {
                self.forget(inode);
                proceed()
            }
            Family::Inet | Family::Inet6 if socket.ignores_names() => {
                let result = sys::listen(socket.as_fd(), backlog).map(|()| 0);
                if result.is_ok() {
                    self.connected(inode, true);
                }
                result.into()
            }
            _ => proceed(),
        }
    }

    /// After a call on `socket` that ends with `answer`, and before its program hears of it.
    pub(crate) fn after(&self, socket: &Socket, answer: &Answer) {
        let is_connection = socket.ignores_names() || socket.family == Family::Unix;
        if !is_connection || !matches!(socket.kind, Kind::Stream | Kind::SequencedPackets) {
            return;
        }
        let Ok(inode) = fstat(socket).map(|it| it.st_ino) else {
            return;
        };
        let returned = matches!(answer, Answer::Value(_));
        // TCP_FASTOPEN_CONNECT: the call has returned, and nothing has begun.
        if returned || sys::has_peer(socket.as_fd()) {
            self.connected(inode, returned);
        } else if !socket.is_ip() {
            // UNIX sockets are connected at once or not at all.
        } else if matches!(
            answer,
            Answer::Restart
                | Answer::Error(
                    Errno::EINPROGRESS | Errno::EALREADY | Errno::EINTR | Errno::EAGAIN
                )
        ) {
            self.watch(inode);
        }
    }

    /// Drops a copy because its socket is connected.
    fn connected(&self, inode: u64, returned: bool) {
        let mut table = self.table();
        let Some(kept) = table.kept.remove(&inode) else {
            return;
        };
        table.settle(inode, returned);
        drop(table);
        self.let_go(kept);
    }

    /// Drops a copy for good.
    pub(crate) fn forget(&self, inode: u64) {
        let kept = self.table().kept.remove(&inode);
        if let Some(kept) = kept {
            self.let_go(kept);
        }
    }

    /// Drops them all: nobody is left.
    pub(crate) fn end(&self) {
        let kept = std::mem::take(&mut self.table().kept);
        for kept in kept.into_values() {
            self.let_go(kept);
        }
        self.bell.end();
    }

    fn let_go(&self, kept: Kept) {
        if kept.watched {
            // Closing ours would leave it there: the program's own descriptor stays open.
            self.bell.unwatch(&kept.socket);
        }
    }

    fn watch(&self, inode: u64) {
        let mut table = self.table();
        if let Some(kept) = table.kept.get_mut(&inode) {
            // Where that cannot be had, the sweeps look.
            kept.watched |= self.bell.watch(&kept.socket, inode);
        }
    }

    /// A socket that was being connected is ready.
    fn ready(&self, inode: u64) {
        if self.copy(inode).is_some_and(|it| sys::has_peer(it.as_fd())) {
            self.connected(inode, false);
        }
    }

    /// Makes room for a socket that is about to be bound to `address`: copies of sockets that no
    /// program has any more give theirs up.
    pub(crate) fn make_room(&self, tid: u32, fd: i32, address: &Address) {
        let own = Place { tid, fd }.socket(self.device);
        let others: Vec<(u64, Arc<OwnedFd>)> = self
            .table()
            .kept
            .iter()
            .filter(|(inode, _)| Ok(**inode) != own)
            .map(|(inode, kept)| (*inode, Arc::clone(&kept.socket)))
            .collect();
        let in_its_place = |socket: &Arc<OwnedFd>| {
            sys::local_address(socket.as_fd()).is_ok_and(|it| takes(address.bytes(), &it))
        };
        if others.iter().any(|(_, socket)| in_its_place(socket)) {
            drop(others);
            self.sweep_now();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn settle(&mut self, inode: u64, returned: bool) {
        if self.settled.len() >= SETTLED_MAX {
            // Who has been told will hardly ask again.
            self.settled.retain(|_, it| *it == Settled::Meanwhile);
        }
        if self.settled.len() >= SETTLED_MAX {
            self.settled.clear();
        }
        let settled = if returned {
            Settled::Connected
        } else {
            Settled::Meanwhile
        };
        self.settled.insert(inode, settled);
    }
}

/// Whether a socket bound to `theirs` can be in the way of one that is to be bound to `wanted`: the
/// same port of IP, or the same name of a UNIX socket.
fn takes(wanted: &[u8], theirs: &[u8]) -> bool {
    let family = |address: &[u8]| match address {
        [low, high, ..] => i32::from(libc::sa_family_t::from_ne_bytes([*low, *high])),
        _ => libc::AF_UNSPEC,
    };
    let port = |address: &[u8]| address.get(2..4).map(<[u8]>::to_vec);
    let is_ip = |address| matches!(family(address), libc::AF_INET | libc::AF_INET6);
    if family(theirs) == libc::AF_UNIX {
        wanted == theirs && wanted.len() > 2
    } else {
        // A bind may leave the family out.
        is_ip(theirs) && port(theirs) == port(wanted) && port(wanted) != Some(vec![0, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::takes;

    #[test]
    fn who_is_in_whose_way() {
        let v4 = |port: u8| [2, 0, 0, port, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let v6 = |port: u8| [[10, 0, 0, port].as_slice(), &[0; 24]].concat();
        assert!(takes(&v4(9), &v4(9)));
        assert!(takes(&v4(9), &v6(9)));
        assert!(!takes(&v4(9), &v4(8)));
        assert!(!takes(&v4(0), &v4(0)), "any port will do");
        assert!(takes(b"\x01\0\0name", b"\x01\0\0name"));
        assert!(!takes(b"\x01\0\0name", b"\x01\0\0other"));
        assert!(!takes(b"\x01\0", b"\x01\0"));
        assert!(!takes(b"\x01\0", b""));
    }
}
