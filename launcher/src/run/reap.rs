//! What became of a child: waitpid(2) with names.

use super::link::End;
use crate::sys;
use nix::errno::Errno;
use nix::unistd::Pid;

/// A child's change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is gone.
    Ended(End),
    /// It was stopped by this signal.
    Stopped(i32),
    /// It goes on after a stop.
    Continued,
}

/// What [`next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaped {
    /// This child changed.
    Child(Pid, Change),
    /// No child has changed.
    Quiet,
    /// There is no such child (any more).
    NoChild,
}

/// The next change of `pid` (-1: of any child), without waiting for one.
pub(super) fn next(pid: Pid) -> Reaped {
    loop {
        return match sys::wait(pid) {
            Ok(Some((pid, status))) => Reaped::Child(pid, decode(status)),
            Ok(None) => Reaped::Quiet,
            Err(Errno::EINTR) => continue,
            Err(_) => Reaped::NoChild,
        };
    }
}

fn decode(status: i32) -> Change {
    if libc::WIFSTOPPED(status) {
        Change::Stopped(libc::WSTOPSIG(status))
    } else if libc::WIFCONTINUED(status) {
        Change::Continued
    } else if libc::WIFSIGNALED(status) {
        Change::Ended(End::Signaled(libc::WTERMSIG(status)))
    } else {
        Change::Ended(End::Exited(libc::WEXITSTATUS(status)))
    }
}
