//! Raw system calls: no cancellation point, no errno, nothing that another preload library can
//! stand in front of.
//!
//! They are safe to declare as functions of plain numbers and of Rust references; whatever takes
//! a program's own pointer is `unsafe` and says so.

mod ids;
mod memory;
mod raw;

pub(crate) use ids::{become_dumpable, ids, is_dumpable, process_control, seccomp};
pub(crate) use memory::{
    Mapping, PATH_LEN, WAKE_OP, is_readable, is_writable, map_page, private_page,
};

use core::ffi::{c_char, c_int, c_long};
use core::mem::size_of;
use libc::{pollfd, timespec};
use raw::syscall;

/// An `E*` number of errno(3).
pub(crate) type Errno = c_int;

/// A descriptor of ours, closed when it goes out of scope.
pub(crate) struct Fd(c_int);

impl Fd {
    pub(crate) fn number(&self) -> c_int {
        self.0
    }

    /// Moves the descriptor away from the numbers that the program gets next, if there is room.
    ///
    /// Not beyond 63: the kernel's table has 64 places at first, and to grow it in a program with
    /// threads takes a grace period of RCU (measured: 10 to 15 ms, once a process).
    fn moved_high(self) -> Self {
        const HIGH: usize = 56;
        let args = [
            self.0 as usize,
            libc::F_DUPFD_CLOEXEC as usize,
            HIGH,
            0,
            0,
            0,
        ];
        // SAFETY: no pointers.
        match unsafe { syscall(libc::SYS_fcntl, args) } {
            Ok(high) => Self(high as c_int),
            Err(_) => self,
        }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        close(self.0);
    }
}

/// Closes a descriptor of ours.
pub(crate) fn close(fd: c_int) {
    // SAFETY: no pointers. An error leaves the descriptor closed all the same.
    let _ = unsafe { syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// The calling process, also in a vfork child.
pub(crate) fn process() -> u32 {
    // SAFETY: no pointers. The call cannot fail.
    unsafe { syscall(libc::SYS_getpid, [0; 6]) }.map_or(0, |pid| pid as u32)
}

/// A descriptor from a call that makes one, moved high. Where the program has used up its soft
/// limit, or lowered it below what it has open, the limit is raised for that one call: the
/// descriptor is gone before the program's own call returns, so the program's count stays right.
fn new_fd(number: c_long, args: [usize; 6]) -> Result<Fd, Errno> {
    // SAFETY: callers pass no pointers but such that outlive the call.
    let mut made = unsafe { syscall(number, args) };
    if made == Err(libc::EMFILE)
        && let Some(limit) = raise_limit()
    {
        // SAFETY: as above.
        made = unsafe { syscall(number, args) };
        set_limit(&limit);
    }
    made.map(|fd| Fd(fd as c_int).moved_high())
}

/// Room for a descriptor above the soft limit; gives the limit to go back to.
fn raise_limit() -> Option<[u64; 2]> {
    let mut limit = [0_u64; 2];
    let args = [
        0,
        libc::RLIMIT_NOFILE as usize,
        0,
        &raw mut limit as usize,
        0,
        0,
    ];
    // SAFETY: `limit` is a struct rlimit64 (two u64) to write to.
    unsafe { syscall(libc::SYS_prlimit64, args) }.ok()?;
    let [soft, hard] = limit;
    if hard == soft {
        return None;
    }
    set_limit(&[hard, hard]);
    Some(limit)
}

fn set_limit(limit: &[u64; 2]) {
    let args = [
        0,
        libc::RLIMIT_NOFILE as usize,
        limit.as_ptr() as usize,
        0,
        0,
        0,
    ];
    // SAFETY: `limit` is a struct rlimit64 (two u64) to read.
    let _ = unsafe { syscall(libc::SYS_prlimit64, args) };
}

/// A non-blocking AF_UNIX stream socket.
pub(crate) fn unix_stream() -> Result<Fd, Errno> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    new_fd(
        libc::SYS_socket,
        [libc::AF_UNIX as usize, kind as usize, 0, 0, 0, 0],
    )
}

/// A descriptor that is readable while one of `signals` is pending.
pub(crate) fn signal_fd(signals: u64) -> Result<Fd, Errno> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    let set = &raw const signals as usize;
    new_fd(
        libc::SYS_signalfd4,
        [usize::MAX, set, size_of::<u64>(), flags as usize, 0, 0],
    )
}

/// connect(2) to a `sockaddr_un` of `len` bytes.
pub(crate) fn connect_unix(fd: &Fd, address: &libc::sockaddr_un, len: usize) -> Result<(), Errno> {
    let args = [fd.0 as usize, &raw const *address as usize, len, 0, 0, 0];
    // SAFETY: the caller's reference; `len` is at most its size by construction.
    unsafe { syscall(libc::SYS_connect, args) }.map(drop)
}

/// Whether no program that this one starts gets more rights than it has (PR_SET_NO_NEW_PRIVS).
pub(crate) fn has_no_new_privileges() -> bool {
    let args = [libc::PR_GET_NO_NEW_PRIVS as usize, 0, 0, 0, 0, 0];
    // SAFETY: no pointers.
    let is_set = unsafe { syscall(libc::SYS_prctl, args) };
    is_set == Ok(1)
}

/// A file that could be executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    /// There is none.
    None,
    Ordinary,
    /// Set-user-id, set-group-id for who may execute it, or with capabilities.
    Privileged,
}

/// What is at a path, from the working directory.
///
/// # Safety
/// `path` is a string; a bad pointer is a file that is not there.
pub(crate) unsafe fn file(path: *const c_char) -> File {
    let mut status = core::mem::MaybeUninit::<libc::statx>::zeroed();
    let (text, at) = (path as usize, status.as_mut_ptr() as usize);
    let mask = (libc::STATX_MODE | libc::STATX_TYPE) as usize;
    let args = [libc::AT_FDCWD as usize, text, 0, mask, at, 0];
    // SAFETY: the kernel checks the string's address; there is room for what it writes.
    if unsafe { syscall(libc::SYS_statx, args) }.is_err() {
        return File::None;
    }
    // SAFETY: plain numbers, zero or written by the kernel.
    let mode = u32::from(unsafe { status.assume_init() }.stx_mode);
    if mode & libc::S_IFMT != libc::S_IFREG || mode & 0o111 == 0 {
        return File::None;
    }
    let group = libc::S_ISGID | libc::S_IXGRP;
    if mode & libc::S_ISUID != 0 || mode & group == group {
        return File::Privileged;
    }
    let name = c"security.capability".as_ptr() as usize;
    let mut value = [0_u8; 64];
    let args = [text, name, value.as_mut_ptr() as usize, value.len(), 0, 0];
    // SAFETY: as above.
    match unsafe { syscall(libc::SYS_getxattr, args) } {
        Ok(1..) => File::Privileged,
        _ => File::Ordinary,
    }
}

/// connect(2) of no descriptor to bytes that are no address, and how it failed.
pub(crate) fn connect_nowhere(bytes: &[u8]) -> Errno {
    let args = [usize::MAX, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
    // SAFETY: a slice to read.
    let outcome = unsafe { syscall(libc::SYS_connect, args) };
    // It cannot succeed; as if nobody had heard it.
    outcome.err().unwrap_or(libc::EBADF)
}

/// Sends the bytes without SIGPIPE; all of them or an error.
pub(crate) fn send(fd: &Fd, bytes: &[u8]) -> Result<(), Errno> {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let args = [
        fd.0 as usize,
        bytes.as_ptr() as usize,
        bytes.len(),
        flags as usize,
        0,
        0,
    ];
    // SAFETY: a slice to read.
    let sent = unsafe { syscall(libc::SYS_sendto, args) }?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(libc::EAGAIN)
    }
}

/// Ends a connection for both sides and for every copy of the descriptor.
pub(crate) fn shut_down(fd: &Fd) {
    let args = [fd.0 as usize, libc::SHUT_RDWR as usize, 0, 0, 0, 0];
    // SAFETY: no pointers. A connection that has ended already is as good.
    let _ = unsafe { syscall(libc::SYS_shutdown, args) };
}

/// Receives what there is, without waiting; 0 at the end of the stream.
pub(crate) fn receive(fd: &Fd, into: &mut [u8]) -> Result<usize, Errno> {
    let flags = libc::MSG_DONTWAIT as usize;
    let args = [
        fd.0 as usize,
        into.as_mut_ptr() as usize,
        into.len(),
        flags,
        0,
        0,
    ];
    // SAFETY: a slice to write to.
    unsafe { syscall(libc::SYS_recvfrom, args) }
}

/// Waits for one of `fds`, at most `millis`; the number of those that are ready.
pub(crate) fn poll(fds: &mut [pollfd], millis: u64) -> Result<usize, Errno> {
    let timeout = timespec {
        tv_sec: (millis / 1000) as libc::time_t,
        tv_nsec: ((millis % 1000) * 1_000_000) as c_long,
    };
    let args = [
        fds.as_mut_ptr() as usize,
        fds.len(),
        &raw const timeout as usize,
        0,
        0,
        0,
    ];
    // SAFETY: a slice of pollfd to read and write, a timespec; no signal mask.
    unsafe { syscall(libc::SYS_ppoll, args) }
}

/// CLOCK_MONOTONIC in milliseconds; it goes on while the process is stopped.
pub(crate) fn now() -> u64 {
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let args = [
        libc::CLOCK_MONOTONIC as usize,
        &raw mut time as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: a timespec to write to. The call cannot fail with a valid clock.
    let _ = unsafe { syscall(libc::SYS_clock_gettime, args) };
    (time.tv_sec as u64)
        .saturating_mul(1000)
        .saturating_add(time.tv_nsec as u64 / 1_000_000)
}

/// A socket option whose value is an int.
pub(crate) fn int_option(fd: c_int, level: c_int, name: c_int) -> Result<c_int, Errno> {
    let mut value: c_int = 0;
    option(fd, level, name, &mut value)?;
    Ok(value)
}

/// Reads a socket option into a plain C value; a shorter one leaves the rest as it was.
///
/// Only for types for which every pattern of bits is a value.
pub(crate) fn option<T: Copy>(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: &mut T,
) -> Result<(), Errno> {
    let mut len = size_of::<T>() as libc::socklen_t;
    let (value, len) = (&raw mut *value as usize, &raw mut len as usize);
    let args = [fd as usize, level as usize, name as usize, value, len, 0];
    // SAFETY: the kernel writes at most `len` bytes to `value`.
    unsafe { syscall(libc::SYS_getsockopt, args) }.map(drop)
}

/// Whether calls on a descriptor return at once (O_NONBLOCK); false for one that is closed.
pub(crate) fn is_nonblocking(fd: c_int) -> bool {
    let args = [fd as usize, libc::F_GETFL as usize, 0, 0, 0, 0];
    // SAFETY: no pointers.
    let flags = unsafe { syscall(libc::SYS_fcntl, args) };
    flags.is_ok_and(|flags| flags & libc::O_NONBLOCK as usize != 0)
}

/// Replaces the calling thread's signal mask.
pub(crate) fn set_signal_mask(mask: u64) {
    change_signal_mask(libc::SIG_SETMASK, mask);
}

/// Adds to the calling thread's signal mask, and gives the old one.
pub(crate) fn block_signals(signals: u64) -> u64 {
    change_signal_mask(libc::SIG_BLOCK, signals)
}

fn change_signal_mask(how: c_int, mask: u64) -> u64 {
    let mut old = 0_u64;
    let (new, old_at) = (&raw const mask as usize, &raw mut old as usize);
    let args = [how as usize, new, old_at, size_of::<u64>(), 0, 0];
    // SAFETY: two kernel signal sets of eight bytes. Raw, because libc's spares its own signals.
    let _ = unsafe { syscall(libc::SYS_rt_sigprocmask, args) };
    old
}

/// Blocked signals that wait for the calling thread or its process.
pub(crate) fn pending_signals() -> u64 {
    let mut pending = 0_u64;
    let args = [&raw mut pending as usize, size_of::<u64>(), 0, 0, 0, 0];
    // SAFETY: a kernel signal set of eight bytes to write to.
    let _ = unsafe { syscall(libc::SYS_rt_sigpending, args) };
    pending
}

/// Handler and flags of a signal.
pub(crate) fn signal_action(signal: u32) -> Option<(usize, usize)> {
    // struct sigaction of the kernel: handler, flags, restorer, mask.
    let mut action = [0_usize; 4];
    let args = [
        signal as usize,
        0,
        &raw mut action as usize,
        size_of::<u64>(),
        0,
        0,
    ];
    // SAFETY: asks only; room for the kernel's struct.
    unsafe { syscall(libc::SYS_rt_sigaction, args) }.ok()?;
    let [handler, flags, _, _] = action;
    Some((handler, flags))
}

/// The target of a symbolic link; its length as it is, also where it did not fit.
pub(crate) fn read_link(path: &core::ffi::CStr, into: &mut [u8]) -> Result<usize, Errno> {
    let args = [
        libc::AT_FDCWD as usize,
        path.as_ptr() as usize,
        into.as_mut_ptr() as usize,
        into.len(),
        0,
        0,
    ];
    // SAFETY: a string that ends with a zero, a slice to write to.
    unsafe { syscall(libc::SYS_readlinkat, args) }
}
