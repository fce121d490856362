//! Which descriptors came from our caller, and letting go of them.
//!
//! CMD inherits them all. Front and session must not keep them: a pipe that CMD has closed would
//! stay open, and `$(hallpass run …)` would wait for a session that has outlived CMD.

use crate::sys;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::io;
use std::os::fd::RawFd;

/// The descriptors that were open when this process began; to be called before any is opened.
pub(super) fn inherited() -> Vec<RawFd> {
    let Ok(listing) = std::fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let all: Vec<RawFd> = listing
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    // The listing names its own descriptor, which is closed by now.
    all.into_iter()
        .filter(|fd| std::fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok())
        .collect()
}

/// Which of the standard descriptors stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// The front has something to say to a person.
    Stderr,
    /// The session has not.
    Nothing,
}

/// Closes all that was inherited and points the standard descriptors to /dev/null.
pub(super) fn let_go(inherited: &[RawFd], keep: Keep) -> io::Result<()> {
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    if keep == Keep::Nothing {
        nix::unistd::dup2_stderr(&null)?;
    }
    for fd in inherited.iter().copied().filter(|fd| *fd > 2) {
        sys::close_inherited(fd);
    }
    Ok(())
}
