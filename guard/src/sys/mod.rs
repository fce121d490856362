//! The guard's only unsafe code: the kernel's calls, each with plain types on both sides.
//!
//! Nothing here decides anything. The one place that turns -1 into an error is [`check`].

pub(crate) mod credentials;
pub(crate) mod process;
pub(crate) mod seccomp;
pub(crate) mod socket;

use nix::errno::Errno;

/// The result of a call that reports failure by -1 and errno.
fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    Errno::result(result)
}

/// A descriptor that the kernel has just returned to us.
fn owned(result: libc::c_long) -> Result<std::os::fd::OwnedFd, Errno> {
    use std::os::fd::FromRawFd;
    let fd = i32::try_from(check(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just opened this descriptor for us, and nothing else knows it.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
}
