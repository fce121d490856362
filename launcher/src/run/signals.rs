//! Signals of front and session: all that can be are blocked and read from a descriptor, so that
//! no handler is ever set and CMD inherits every disposition as our caller left it.

use crate::sys;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::getpid;
use std::process::ExitCode;

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

/// Ends this process by `signal`, as CMD has ended. CMD has left the core file, if any.
pub(super) fn end_by(signal: i32) -> ExitCode {
    // Without it a core file of the front would take the place of CMD's.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = sys::set_default(signal);
    let _ = sys::kill(getpid(), signal);
    sys::unblock(signal);
    // Only for a signal that does not end a process by default.
    ExitCode::from(128_u8.saturating_add(signal.to_le_bytes()[0]))
}

/// Stops this process by `signal` and returns when it is continued.
pub(super) fn stop_by(signal: Signal) {
    let mut set = SigSet::empty();
    set.add(signal);
    // While it is blocked, so that it becomes one with the signal that the whole group got: two
    // would stop this process again when it is continued.
    let _ = nix::sys::signal::kill(getpid(), signal);
    // SIGSTOP can be neither blocked nor unblocked, which is no error.
    let _ = set.thread_unblock();
    let _ = set.thread_block();
}
