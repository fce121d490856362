//! seccomp(2) and the listener's ioctls (seccomp_unotify(2)).

use super::{check, owned};
use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `SECCOMP_IOCTL_NOTIF_*` of linux/seccomp.h; libc has the structures, not the numbers.
const RECV: u32 = 0xc050_2100;
const SEND: u32 = 0xc018_2101;
const ID_VALID: u32 = 0x4008_2102;
/// Linux 6.6 and later.
const SET_FLAGS: u32 = 0x4008_2104;
/// The two processes take turns on one processor instead of waking each other across two.
const FD_SYNC_WAKE_UP: libc::c_ulong = 1;

/// Installs `program` for the calling thread and all that it will start; returns the listener,
/// which is closed on exec.
pub(crate) fn install(program: &[libc::sock_filter], killable: bool) -> Result<OwnedFd, Errno> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?,
        // The kernel only reads it; the field has no const.
        filter: program.as_ptr().cast_mut(),
    };
    let mut flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    if killable {
        flags |= libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    }
    // SAFETY: `program` points to `len` instructions that live until the call has returned.
    owned(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    })
}

/// Installs a filter that lets every call through, for the calling thread and all that it will
/// start. The kernel knows such a filter and does not run it for each call (Linux 5.11).
pub(crate) fn install_mark() -> Result<(), Errno> {
    let program = [libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    }];
    let program = libc::sock_fprog {
        len: 1,
        // The kernel only reads it; the field has no const.
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points to one instruction that lives until the call has returned.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    check(result).map(drop)
}

/// Asks for synchronous wake-ups; kernels before 6.6 refuse.
pub(crate) fn wake_synchronously(listener: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the argument is a number, and no memory is passed.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            SET_FLAGS as libc::Ioctl,
            FD_SYNC_WAKE_UP,
        )
    };
    check(result.into()).map(drop)
}

/// Waits for the next notification. ENOENT: its caller died meanwhile, or nobody is left.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> Result<libc::seccomp_notif, Errno> {
    let mut notification = std::mem::MaybeUninit::<libc::seccomp_notif>::zeroed();
    // SAFETY: the buffer is valid for writes and of the size that the ioctl's number names; the
    // kernel wants it zeroed.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            RECV as libc::Ioctl,
            notification.as_mut_ptr(),
        )
    };
    check(result.into())?;
    // SAFETY: the structure holds integers only, so zeroes and what the kernel wrote are valid.
    Ok(unsafe { notification.assume_init() })
}

/// Whether the call is still waiting for its answer, and so its thread still there.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the ioctl reads eight bytes from `id`, which outlives the call.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), ID_VALID as libc::Ioctl, &raw const id) };
    result == 0
}

/// Ends the call with `value`, or with `error` (negative errno) where that is not zero. The call
/// itself is not made.
pub(crate) fn respond(
    listener: BorrowedFd<'_>,
    id: u64,
    value: i64,
    error: i32,
) -> Result<(), Errno> {
    send(
        listener,
        libc::seccomp_notif_resp {
            id,
            val: value,
            error,
            flags: 0,
        },
    )
}

const ADD: u32 = 0x4018_2103;
/// The call returns the descriptor's number (Linux 5.14).
const ADD_AND_SEND: u32 = 2;

/// Puts a duplicate of `socket` into the table of the call's thread, and ends the call with its
/// number there. EMFILE and the like are the thread's own; the call then waits still.
pub(crate) fn give(
    listener: BorrowedFd<'_>,
    id: u64,
    socket: BorrowedFd<'_>,
    closed_on_exec: bool,
) -> Result<i32, Errno> {
    let flags = if closed_on_exec { libc::O_CLOEXEC } else { 0 };
    let request = libc::seccomp_notif_addfd {
        id,
        flags: ADD_AND_SEND,
        srcfd: socket.as_raw_fd().cast_unsigned(),
        newfd: 0,
        newfd_flags: flags.cast_unsigned(),
    };
    // SAFETY: the structure is of the size that the ioctl's number names and outlives the call.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), ADD as libc::Ioctl, &raw const request) };
    check(result.into()).map(|fd| fd as i32)
}

/// Whether the kernel can do that: tried with a call that does not exist.
pub(crate) fn can_give(listener: BorrowedFd<'_>) -> Result<(), Errno> {
    match give(listener, 0, listener, true) {
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
        Ok(_) => Err(Errno::EINVAL),
    }
}

/// Lets the kernel make the call with whatever its arguments point to *by then*. Only
/// [`crate::proceed`] may use this.
pub(crate) fn respond_continue(listener: BorrowedFd<'_>, id: u64) -> Result<(), Errno> {
    send(
        listener,
        libc::seccomp_notif_resp {
            id,
            val: 0,
            error: 0,
            flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        },
    )
}

fn send(listener: BorrowedFd<'_>, mut response: libc::seccomp_notif_resp) -> Result<(), Errno> {
    // SAFETY: the structure is of the size that the ioctl's number names and outlives the call.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), SEND as libc::Ioctl, &raw mut response) };
    check(result.into()).map(drop)
}
