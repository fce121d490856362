//! Whose process this is, and who may look into it.

use super::Errno;
use super::raw::syscall;
use core::ffi::{c_int, c_long};

/// prctl(2)
///
/// # Safety
/// As prctl(2).
pub(crate) unsafe fn process_control(option: c_int, rest: [usize; 4]) -> Result<c_int, Errno> {
    let [a, b, c, d] = rest;
    let args = [option as usize, a, b, c, d, 0];
    // SAFETY: the caller's.
    unsafe { syscall(libc::SYS_prctl, args) }.map(|result| result as c_int)
}

/// seccomp(2)
///
/// # Safety
/// As seccomp(2).
pub(crate) unsafe fn seccomp(
    operation: usize,
    flags: usize,
    arguments: usize,
) -> Result<c_long, Errno> {
    let args = [operation, flags, arguments, 0, 0, 0];
    // SAFETY: the caller's.
    unsafe { syscall(libc::SYS_seccomp, args) }.map(|result| result as c_long)
}

/// Whether others may look into this process (PR_GET_DUMPABLE).
pub(crate) fn is_dumpable() -> bool {
    // SAFETY: no pointers.
    unsafe { process_control(libc::PR_GET_DUMPABLE, [0; 4]) == Ok(1) }
}

pub(crate) fn become_dumpable() {
    // SAFETY: no pointers. It cannot be refused.
    let _ = unsafe { process_control(libc::PR_SET_DUMPABLE, [1, 0, 0, 0]) };
}

/// The real, effective and saved user and group.
pub(crate) fn ids() -> [[u32; 3]; 2] {
    let three = |number: c_long| {
        let mut ids = [u32::MAX; 3];
        let [real, effective, saved] = &mut ids;
        let args = [real, effective, saved].map(|id| &raw mut *id as usize);
        let [a, b, c] = args;
        // SAFETY: three numbers to write.
        let _ = unsafe { syscall(number, [a, b, c, 0, 0, 0]) };
        ids
    };
    [three(libc::SYS_getresuid), three(libc::SYS_getresgid)]
}
