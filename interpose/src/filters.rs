//! Programs that take a seccomp filter of their own (OpenSSH, Chromium, tor): from then on the hook
//! makes no system call that the filter would not let through, where it can do without. A filter
//! knows what its program needs, and often kills for anything else.
//!
//! Not known here: a filter that was there before the program was started, and one that is taken
//! by a raw system call. What the hook cannot do without is in docs/threat-model.md.

use crate::memory::Reader;
use crate::{dumpable, gate, sys};
use core::ffi::{c_int, c_long, c_ulong};
use core::sync::atomic::{AtomicU8, Ordering};
use hallpass_wire::{Instruction, Seen, lets_through};

/// What the hook does by calls that a filter may not know.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// A message by sendto.
    Send = 1,
    /// A message by pwritev2.
    SendVector = 2,
    /// Several messages one by one.
    SendSeveral = 4,
    /// A look at a file that is to be started.
    LookAtFile = 8,
    /// A process that stays open to its session.
    StayDumpable = 16,
    /// A look whether memory can be read or written to. Left out, a bad pointer is SIGSEGV.
    LookAtMemory = 32,
}

/// The calls of each, with their first two arguments as far as filters may look at them.
const CALLS: &[(Work, c_long, [u64; 2])] = &[
    (Work::Send, libc::SYS_sendto, [3, 0]),
    (Work::LookAtMemory, libc::SYS_rt_sigprocmask, [u64::MAX, 0]),
    (Work::SendVector, libc::SYS_pwritev2, [3, 0]),
    (
        Work::SendVector,
        libc::SYS_getsockopt,
        [3, libc::SOL_SOCKET as u64],
    ),
    (
        Work::SendSeveral,
        libc::SYS_fcntl,
        [3, libc::F_GETFL as u64],
    ),
    (
        Work::LookAtMemory,
        libc::SYS_futex,
        [0, sys::WAKE_OP as u64],
    ),
    (
        Work::LookAtFile,
        libc::SYS_prctl,
        [libc::PR_GET_NO_NEW_PRIVS as u64, 0],
    ),
    (
        Work::LookAtFile,
        libc::SYS_statx,
        [libc::AT_FDCWD as u64, 0],
    ),
    (Work::LookAtFile, libc::SYS_getxattr, [0, 0]),
    (
        Work::StayDumpable,
        libc::SYS_prctl,
        [libc::PR_GET_DUMPABLE as u64, 0],
    ),
    (
        Work::StayDumpable,
        libc::SYS_prctl,
        [libc::PR_SET_DUMPABLE as u64, 1],
    ),
    (Work::StayDumpable, libc::SYS_getresuid, [0, 0]),
    (Work::StayDumpable, libc::SYS_getresgid, [0, 0]),
];

/// AUDIT_ARCH_X86_64
#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 0xc000_003e;
/// AUDIT_ARCH_AARCH64
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 0xc000_00b7;

/// The bits of what the filters of this process do not let through.
static FORBIDDEN: AtomicU8 = AtomicU8::new(0);

/// Whether a filter that this process has asked for forbids it. Also where it did not get one:
/// nothing is lost but time.
pub(crate) fn forbid(work: Work) -> bool {
    FORBIDDEN.load(Ordering::Relaxed) & work as u8 != 0
}

/// The program is about to take a filter, from a `struct sock_fprog`; or the strict one, which
/// knows four calls.
#[cold]
fn begins(filter: Option<usize>) {
    // The last time that this may be looked after.
    dumpable::stay();
    let mut reader = Reader::new();
    // Under a filter that does not let the reader look nothing is read any more.
    let filter = filter.filter(|_| !forbid(Work::LookAtMemory));
    let program = filter.and_then(|at| reader.copy(at as *const libc::sock_fprog).ok());
    for (work, call, arguments) in CALLS {
        let seen = Seen::new(MACHINE, *call as u32, *arguments);
        let is_let_through = program.is_some_and(|program| {
            let first: *const Instruction = program.filter.cast();
            lets_through(&seen, |at| {
                let is_there = at < usize::from(program.len);
                is_there.then(|| reader.copy(first.wrapping_add(at)).ok())?
            })
        });
        if !is_let_through {
            FORBIDDEN.fetch_or(*work as u8, Ordering::Relaxed);
        }
    }
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
            libc::PR_SET_SECCOMP => {
                let takes_program = a == c_ulong::from(libc::SECCOMP_MODE_FILTER);
                begins(takes_program.then_some(b as usize));
            }
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
    match operation as u32 {
        libc::SECCOMP_SET_MODE_STRICT => begins(None),
        libc::SECCOMP_SET_MODE_FILTER => begins(Some(arguments)),
        _ => {}
    }
    // SAFETY: the program's own arguments.
    let result = unsafe { sys::seccomp(operation, flags, arguments) };
    result.unwrap_or_else(|errno| gate::fail(errno).into())
}
