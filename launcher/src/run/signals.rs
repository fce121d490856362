//! Signals of front and session: all that can be are blocked and read from a descriptor, so that
//! no handler is ever set and CMD inherits every disposition as our caller left it.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that tell of a bug in this process itself must end it, not wait in a queue.
const NOT_BLOCKED: [Signal; 7] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGABRT,
];

/// Blocks all signals; gives the mask that was set before, which CMD gets back.
pub(super) fn block_all() -> Result<SigSet, Errno> {
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&blocked()), Some(&mut before))?;
    Ok(before)
}

/// A descriptor from which blocked signals are read; each process needs its own after a fork.
pub(super) fn descriptor() -> Result<SignalFd, Errno> {
    SignalFd::with_flags(&blocked(), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

fn blocked() -> SigSet {
    let mut set = SigSet::all();
    for signal in NOT_BLOCKED {
        set.remove(signal);
    }
    set
}
