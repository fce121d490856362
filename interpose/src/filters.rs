//! Programs that take a seccomp filter of their own (OpenSSH, Chromium, tor): from then on the hook
//! makes no system call that they do not make themselves, where it can do without. A filter knows
//! what its program needs, and often kills for anything else.
//!
//! Not known here: a filter that was there before the program was started, and one that is taken
//! by a raw system call. What the hook cannot do without is in docs/threat-model.md.

use crate::{dumpable, gate, sys};
use core::ffi::{c_int, c_long, c_ulong};
use core::sync::atomic::{AtomicBool, Ordering};

static IS_FILTERED: AtomicBool = AtomicBool::new(false);

/// Whether this process has asked for a filter. Also where it did not get one: nothing is lost but
/// time.
pub(crate) fn is_filtered() -> bool {
    IS_FILTERED.load(Ordering::Relaxed)
}

/// The program is about to take a filter.
fn begins() {
    // The last time that this may be looked after.
    dumpable::stay();
    IS_FILTERED.store(true, Ordering::Relaxed);
}

hook! {
    /// prctl(2), whose arguments after the first are up to four words
    unsafe fn prctl(
        option: c_int,
        a: c_ulong,
        b: c_ulong,
        c: c_ulong,
        d: c_ulong,
    ) -> c_int, absent -1 => {
        match option {
            libc::PR_SET_DUMPABLE => dumpable::settle(),
            libc::PR_SET_SECCOMP => begins(),
            _ => {}
        }
        // SAFETY: the program's own arguments.
        let result = unsafe {
            sys::process_control(option, [a as usize, b as usize, c as usize, d as usize])
        };
        result.unwrap_or_else(gate::fail)
    }
}

/// seccomp(2), which the C library has no function for.
///
/// # Safety
/// As seccomp(2).
pub(crate) unsafe fn seccomp(operation: usize, flags: usize, arguments: usize) -> c_long {
    // The others ask what there is.
    if matches!(
        operation as u32,
        libc::SECCOMP_SET_MODE_STRICT | libc::SECCOMP_SET_MODE_FILTER
    ) {
        begins();
    }
    // SAFETY: the program's own arguments.
    let result = unsafe { sys::seccomp(operation, flags, arguments) };
    result.unwrap_or_else(|errno| gate::fail(errno).into())
}
