//! Other processes: their descriptors, a signal for one of their threads, a Landlock domain.

use super::{check, owned};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A handle on one thread; its own descriptor table is reached through it (Linux 6.9).
pub(crate) fn open_thread(tid: u32) -> Result<OwnedFd, Errno> {
    open(tid, libc::PIDFD_THREAD)
}

/// A handle on a process; EINVAL or ENOENT where `pid` is a thread that does not lead one.
pub(crate) fn open_process(pid: u32) -> Result<OwnedFd, Errno> {
    open(pid, 0)
}

fn open(pid: u32, flags: u32) -> Result<OwnedFd, Errno> {
    // SAFETY: two integers, no memory.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })
}

/// Duplicates a descriptor of another process into this one, closed on exec.
pub(crate) fn get_descriptor(process: BorrowedFd<'_>, fd: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: three integers, no memory.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

/// Whether this process may duplicate descriptors at all. Of our own one always may, by the rules of
/// ptrace(2): what refuses here is the kernel's age or a filter, and would refuse everywhere.
pub(crate) fn try_to_duplicate() -> Result<(), Errno> {
    let me = open_process(std::process::id())?;
    get_descriptor(me.as_fd(), me.as_raw_fd()).map(drop)
}

/// The name of the protocol of the socket that `path` leads to, a link in /proc/PID/fd
/// (`system.sockprotoname`, what lsof(8) shows).
pub(crate) fn socket_protocol(path: &std::ffi::CStr) -> Result<Vec<u8>, Errno> {
    let mut name = [0; 64];
    // SAFETY: both strings end in a zero; `name` is valid for writes of the length given.
    let length = check(unsafe {
        libc::getxattr(
            path.as_ptr(),
            c"system.sockprotoname".as_ptr(),
            name.as_mut_ptr().cast(),
            name.len(),
        )
    } as libc::c_long)?;
    let length = usize::try_from(length).unwrap_or(0);
    let name = name.get(..length).unwrap_or_default();
    Ok(name.strip_suffix(&[0]).unwrap_or(name).to_vec())
}

/// Sends `signal` to one thread.
pub(crate) fn signal_thread(tgid: u32, tid: u32, signal: i32) -> Result<(), Errno> {
    // SAFETY: three integers, no memory.
    check(unsafe { libc::syscall(libc::SYS_tgkill, tgid, tid, signal) }).map(drop)
}

/// `struct landlock_ruleset_attr` as of ABI 6.
#[repr(C)]
struct Ruleset {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
const LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1;

/// The Landlock ABI of this kernel; ENOSYS or EOPNOTSUPP where there is none.
pub(crate) fn landlock_abi() -> Result<i64, Errno> {
    // SAFETY: with the version flag the attribute is null and its size 0; no memory is touched.
    check(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<Ruleset>(),
            0,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    })
}

/// Whether Landlock can scope abstract UNIX sockets, which a domain of ours is made by.
pub(crate) fn has_scopes() -> bool {
    const SCOPES: i64 = 6;
    landlock_abi().is_ok_and(|abi| abi >= SCOPES)
}

/// Puts the calling thread, and all that it will start, into a Landlock domain that only scopes
/// abstract UNIX sockets. ABI 6.
pub(crate) fn enter_landlock_domain() -> Result<(), Errno> {
    let attributes = Ruleset {
        handled_access_fs: 0,
        handled_access_net: 0,
        scoped: LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET,
    };
    // SAFETY: `attributes` is a ruleset of the size that is passed and outlives the call.
    let ruleset = owned(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const attributes,
            size_of::<Ruleset>(),
            0,
        )
    })?;
    // SAFETY: two integers, no memory.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })
        .map(drop)
}
