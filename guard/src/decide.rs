//! What the guard asks, and whom: the launcher's side of the seam. The guard knows no engine.

use nix::errno::Errno;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Decides calls. Shared by the guard's threads.
pub trait Decide: Send + Sync + 'static {
    /// The verdict for `call` where it is there at once: the call is decided by it and counted.
    /// None: nothing has happened, and the call is put to [`Self::decide`].
    fn at_once(&self, call: &Call) -> Option<Verdict> {
        let _ = call;
        None
    }

    /// Decides `call`: by calling `reply` before this returns, where that takes no time, or at any
    /// later time from any thread. Meanwhile the call is held and delays no other. A reply that is
    /// dropped denies.
    ///
    /// What is returned is called when the call no longer waits for its reply; nothing where the
    /// reply has been given.
    fn decide(&self, call: Call, reply: Reply) -> Option<Withdraw>;

    /// The hook of a target reports something: the bytes it passed to `connect(-1, …)`, at most
    /// [`REPORT_MAX`]. Allowed, the call fails with EBADF, as `connect(-1, …)` does in a program
    /// that is not hooked; otherwise with ECONNREFUSED. Until the reply it is held like a call
    /// ([`Self::decide`]).
    fn report(&self, caller: Caller, report: &[u8], reply: Reply) -> Option<Withdraw> {
        let _ = (caller, report);
        reply.settle(Verdict::Allow);
        None
    }

    /// A UNIX socket was connected. `peer` is the process that listens there, by the kernel's word
    /// of when it began to.
    fn connected(&self, caller: Caller, peer: u32, destination: &Destination) {
        let _ = (caller, peer, destination);
    }

    /// Something was refused that nobody was asked about.
    fn refused(&self, caller: Caller, refusal: Refusal) {
        let _ = (caller, refusal);
    }
}

/// Longest report of the hook, in bytes.
pub const REPORT_MAX: usize = 4096;

/// Called when a held call, or report, no longer waits.
pub type Withdraw = Box<dyn FnOnce(Withdrawn) + Send>;

/// Why a held call no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Its thread is gone.
    Gone,
    /// A signal handler runs first; the same call may come again ([`Call::resumed`]).
    Interrupted,
    /// The socket's SO_SNDTIMEO ran out.
    TimedOut,
}

/// The thread that makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Its process.
    pub pid: u32,
    /// The thread itself.
    pub tid: u32,
}

/// A call that wants a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who makes it.
    pub caller: Caller,
    /// Which call it is.
    pub kind: CallKind,
    /// To where it goes: from the copy that will be acted on.
    pub destination: Destination,
    /// It was held before, and a signal handler ran meanwhile.
    pub resumed: bool,
}

/// The system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// connect(2)
    Connect,
    /// sendto(2)
    SendTo,
    /// sendmsg(2)
    SendMsg,
    /// sendmmsg(2), one of its messages
    SendMmsg,
}

/// To where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An address of IP. v4-mapped IPv6 addresses are left as they are; a port of a protocol that
    /// has none is whatever the program wrote.
    Ip(Protocol, SocketAddr),
    /// A file that a UNIX socket is bound to.
    Path {
        /// Its path after all symbolic links. A target can bind-mount it to another one in a
        /// mount namespace of its own, so compare the two numbers as well.
        path: Vec<u8>,
        /// Of the file (`st_dev`).
        device: u64,
        /// Of the file (`st_ino`).
        inode: u64,
    },
    /// An abstract UNIX name, without its leading zero.
    Abstract(Vec<u8>),
}

/// What an IP socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP, MPTCP, SCTP
    Tcp,
    /// UDP, UDP-Lite
    Udp,
    /// ICMP and ICMPv6, also of raw sockets
    Icmp,
    /// Raw sockets
    Raw,
}

/// What becomes of a call, or of a report ([`Decide::report`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is made.
    Allow,
    /// It fails with ECONNREFUSED.
    Deny,
    /// A UDP connect that only asks the kernel which source address it would use: it is made, and
    /// nothing can be sent (shutdown). Anything else: as `Deny`.
    Probe,
}

/// What is refused without being asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A socket family that cannot be decided, AF_*.
    Family(i32),
    /// A protocol that cannot be decided, IPPROTO_*.
    Protocol(i32),
    /// A raw socket whose sender writes the IP header (IPPROTO_RAW, IP_HDRINCL).
    RawHeader,
    /// A source route or another option that sends packets elsewhere than to the address.
    Rerouting,
    /// io_uring, whose calls no filter sees.
    IoUring,
    /// A call by a 32-bit convention (i386, x32, 32-bit ARM).
    Convention,
    /// Typing into a terminal (TIOCSTI, TIOCLINUX).
    Typing,
    /// Reaching into another process.
    ForeignProcess,
    /// A process whose memory or descriptors this process may not read.
    Unreadable(Errno),
    /// A process with other credentials than this one's, where they matter.
    Credentials,
    /// A socket of which there is no copy, where none can be duplicated: it was not made by this
    /// process, or is connected and shared by several threads.
    NoCopy,
    /// No descriptor or thread was left to make the call with.
    OutOfResources(Errno),
    /// The reply was dropped.
    Unanswered,
    /// The calling process is none of the program's.
    Stranger,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Family(family) => write!(f, "sockets of family {family} cannot be decided"),
            Self::Protocol(protocol) => write!(f, "IP protocol {protocol} cannot be decided"),
            Self::RawHeader => f.write_str("raw sockets that write the IP header are closed"),
            Self::Rerouting => f.write_str("source routes are closed"),
            Self::IoUring => f.write_str("io_uring is closed"),
            Self::Convention => f.write_str("network calls of 32-bit programs are closed"),
            Self::Typing => f.write_str("typing into a terminal is closed"),
            Self::ForeignProcess => f.write_str("reaching into other processes is closed"),
            // Another user's, or one that hides (PR_SET_DUMPABLE).
            Self::Unreadable(Errno::EPERM | Errno::EACCES) => f.write_str(
                "the process does not let its calls be looked at, which takes CAP_SYS_PTRACE \
                 (docker run --cap-add SYS_PTRACE)",
            ),
            Self::Unreadable(errno) => write!(
                f,
                "the process does not let its calls be looked at ({})",
                errno.desc()
            ),
            Self::Credentials => f.write_str("the process runs with other credentials"),
            Self::NoCopy => f.write_str(
                "the guard has no hold on this socket, because pidfd_getfd(2) is refused here",
            ),
            Self::OutOfResources(errno) => write!(f, "nothing left to act with ({})", errno.desc()),
            Self::Unanswered => f.write_str("nobody answered"),
            Self::Stranger => f.write_str("the process does not belong to the program"),
        }
    }
}

/// What has come of a call: its verdict, or why it is refused without one.
pub(crate) type Answered = Result<Verdict, Refusal>;

/// Gives a call its verdict, once. Dropping it denies.
#[derive(Debug)]
pub struct Reply {
    slot: Option<Arc<Slot>>,
}

/// Where a verdict is left for the thread that acts on it.
pub(crate) struct Slot {
    state: Mutex<State>,
}

enum State {
    /// The thread that asked has not looked yet.
    Open,
    /// It is held; this wakes whoever carries it on.
    Held(Box<dyn FnOnce() + Send>),
    Decided(Answered),
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

impl Reply {
    pub(crate) fn new() -> (Self, Arc<Slot>) {
        let slot = Arc::new(Slot {
            state: Mutex::new(State::Open),
        });
        let reply = Self {
            slot: Some(Arc::clone(&slot)),
        };
        (reply, slot)
    }

    /// Gives the verdict. The call may be gone by then: nothing happens.
    pub fn settle(mut self, verdict: Verdict) {
        if let Some(slot) = self.slot.take() {
            slot.settle(Ok(verdict));
        }
    }

    /// Denies, and has it reported ([`Decide::refused`]) if the call still waits: that of a thread
    /// which was killed meanwhile is nobody's.
    pub fn refuse(mut self, refusal: Refusal) {
        if let Some(slot) = self.slot.take() {
            slot.settle(Err(refusal));
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.settle(Err(Refusal::Unanswered));
        }
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, answered: Answered) {
        let before = std::mem::replace(&mut *self.state(), State::Decided(answered));
        if let State::Held(wake) = before {
            wake();
        }
    }

    /// What has come of it, if anything has.
    pub(crate) fn answered(&self) -> Option<Answered> {
        match &*self.state() {
            State::Decided(answered) => Some(*answered),
            State::Open | State::Held(_) => None,
        }
    }

    /// Leaves `wake` to be called with the verdict. False: the verdict is there, `wake` is dropped.
    pub(crate) fn hold(&self, wake: impl FnOnce() + Send + 'static) -> bool {
        let mut state = self.state();
        let open = !matches!(*state, State::Decided(_));
        if open {
            *state = State::Held(Box::new(wake));
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Reply, Verdict};
    use std::sync::mpsc;

    #[test]
    fn a_verdict_before_anybody_holds() {
        let (reply, slot) = Reply::new();
        assert_eq!(slot.answered(), None);
        reply.settle(Verdict::Allow);
        assert_eq!(slot.answered(), Some(Ok(Verdict::Allow)));
        assert!(!slot.hold(|| panic!("it is there already")));
    }

    #[test]
    fn a_verdict_for_a_held_call_wakes() {
        let (reply, slot) = Reply::new();
        let (sender, woken) = mpsc::channel();
        assert!(slot.hold(move || sender.send(()).unwrap()));
        assert!(woken.try_recv().is_err());
        reply.settle(Verdict::Deny);
        assert!(woken.try_recv().is_ok());
        assert_eq!(slot.answered(), Some(Ok(Verdict::Deny)));
    }

    #[test]
    fn a_dropped_reply_is_no_verdict() {
        let (reply, slot) = Reply::new();
        drop(reply);
        assert_eq!(slot.answered(), Some(Err(Refusal::Unanswered)));
    }
}
