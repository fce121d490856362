//! A mark on what a nested run starts: one seccomp filter more, which refuses nothing. Filters are
//! inherited and can never be taken off, not by root either, and their number is in
//! /proc/PID/status. So whoever bears no more than the others is none of it.

use crate::listener::enter_landlock;
use crate::sys::{process, seccomp};
use nix::errno::Errno;
use std::fmt;
use std::io;

/// Why nothing could be marked.
#[derive(Debug)]
pub enum MarkError {
    /// The kernel refuses one more filter, or one more Landlock domain.
    Refused(Errno),
    /// The thread could not be made, or what it was to start not be started.
    Start(io::Error),
}

impl fmt::Display for MarkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => {
                write!(f, "the kernel refuses one more filter: {}", errno.desc())
            }
            Self::Start(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for MarkError {}

impl From<io::Error> for MarkError {
    fn from(error: io::Error) -> Self {
        Self::Start(error)
    }
}

/// Runs `start` in a new thread that bears the mark, and ends the thread: what `start` forks bears
/// it, this process does not. Where the kernel has Landlock's scopes (6.12), it cannot reach into
/// this process and others that do not bear it either, by ptrace(2) and its like.
///
/// # Errors
/// Where the kernel refuses, or `start` does.
pub fn mark<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> Result<T, MarkError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("hallpass-start".to_owned())
            .spawn_scoped(scope, || {
                mark_here().map_err(MarkError::Refused)?;
                start().map_err(MarkError::Start)
            })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(MarkError::Start(io::Error::other("starting it panicked"))))
    })
}

/// Marks the calling thread.
fn mark_here() -> Result<(), Errno> {
    let mut no_new_privs = false;
    if process::has_scopes() && !enter_landlock(&mut no_new_privs) {
        // There can be sixteen domains (landlock(7)).
        return Err(Errno::E2BIG);
    }
    match seccomp::install_mark() {
        // Not privileged, and not under a guard that had to set it.
        Err(Errno::EACCES) if !no_new_privs => {
            nix::sys::prctl::set_no_new_privs()?;
            seccomp::install_mark()
        }
        result => result,
    }
}
