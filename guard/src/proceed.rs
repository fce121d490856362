//! The only place that lets the kernel make a notified call by itself.
//!
//! Between our answer and the call the program could change what the call's pointers point to, and
//! which socket its number means. So a call may proceed only where neither matters: the socket is
//! none of IP, it can reach nothing that is decided whatever the memory says, and no other thread
//! exists that could put another socket in its place (no other *process* can: the filter refuses
//! descriptor tables that are shared between processes). Where sockets are made by the guard
//! (`copies`) that includes TCP, which goes nowhere but where it is connected to, and the calls
//! that the filter tells of only there, which open nothing.

use crate::copies::Unseen;
use crate::socket::{Family, Kind, Socket};
use crate::sys::seccomp;
use nix::errno::Errno;
use std::os::fd::BorrowedFd;

/// Permission to let a call proceed.
#[derive(Debug)]
pub(crate) struct MayProceed(());

impl MayProceed {
    /// For a send of any kind, to whatever address, on `socket` of the notified thread `tid`.
    pub(crate) fn for_send(socket: &Socket, tid: u32) -> Option<Self> {
        let stays = match (socket.family, socket.kind) {
            // A connected UNIX socket of these types ignores or refuses every other address.
            (Family::Unix, Kind::Stream | Kind::SequencedPackets) => true,
            // Whatever the address is, it is the kernel's or another netlink socket's.
            (Family::Netlink, _) => true,
            (Family::Unix | Family::Inet | Family::Inet6 | Family::Other(_), _) => false,
        };
        (stays && is_only_thread(tid)).then_some(Self(()))
    }

    /// For a send of any kind on a socket of which there is no copy. `flags` are its own.
    pub(crate) fn for_unseen(what: Unseen, flags: u64, tid: u32) -> Option<Self> {
        let stays = match what {
            // Unless it is to open the connection itself, it ignores the address.
            Unseen::Tcp => flags & libc::MSG_FASTOPEN as u64 == 0,
            Unseen::UnixConnection | Unseen::Netlink => true,
            Unseen::Other => false,
        };
        (stays && is_only_thread(tid)).then_some(Self(()))
    }

    /// For socket(2), whose arguments are all in registers: of what it makes there is no copy, so
    /// it will not be able to reach anything.
    pub(crate) fn for_socket() -> Self {
        Self(())
    }

    /// For bind(2) and listen(2), whatever their address and socket are by then: nothing leaves
    /// by them. Where sockets can be duplicated the filter does not even tell of them.
    pub(crate) fn for_waiting_to_be_reached() -> Self {
        Self(())
    }

    /// Answers the call.
    pub(crate) fn proceed(self, listener: BorrowedFd<'_>, id: u64) -> Result<(), Errno> {
        seccomp::respond_continue(listener, id)
    }
}

/// The directory `task` has two links and one more for each thread: far cheaper to read than
/// `status`. The thread itself waits for our answer, so a 1 stays a 1.
fn is_only_thread(tid: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    const LINKS_OF_ONE_THREAD: u64 = 3;
    std::fs::metadata(format!("/proc/{tid}/task")).is_ok_and(|it| it.nlink() == LINKS_OF_ONE_THREAD)
}

#[cfg(test)]
mod tests {
    use super::is_only_thread;
    use std::process::Command;

    #[test]
    fn threads_are_counted() {
        let mut one = Command::new("sleep").arg("10").spawn().unwrap();
        assert!(is_only_thread(one.id()));
        one.kill().unwrap();
        one.wait().unwrap();
        // The test runner has a main thread and this one.
        assert!(!is_only_thread(std::process::id()));
        assert!(!is_only_thread(u32::MAX), "nobody");
    }
}
