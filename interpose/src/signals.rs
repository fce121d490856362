//! Signals during an ask: kept away while we hold descriptors, let through in between.
//!
//! A handler may leave by siglongjmp (wget does), so it must never run while anything of ours is
//! open. Signals are therefore blocked during an ask; one that would run a handler, stop or
//! kill makes us withdraw the ask, and is delivered when the mask is restored.

use crate::sys;
use core::ffi::c_int;

/// All but SIGSYS, which the program's own seccomp filter may raise at a system call of ours
/// (SECCOMP_RET_TRAP): blocked it would kill the program, where the handler most often has the call
/// fail.
const KEPT_AWAY: u64 = !bit(libc::SIGSYS);
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;

/// The C library's own signals (nptl(7)): cancellation and setxid. They never end a call.
const LIBRARY: [u32; 2] = [32, 33];

/// What the kernel discards where nothing else is said.
const IGNORED_BY_DEFAULT: u64 =
    bit(libc::SIGCHLD) | bit(libc::SIGCONT) | bit(libc::SIGURG) | bit(libc::SIGWINCH);

const fn bit(signal: c_int) -> u64 {
    1_u64 << ((signal as u32).wrapping_sub(1) & 63)
}

/// Signals are blocked while this lives.
pub(crate) struct Blocked {
    /// The program's own mask.
    before: u64,
}

impl Blocked {
    pub(crate) fn new() -> Self {
        Self {
            before: sys::block_signals(KEPT_AWAY),
        }
    }

    /// The signals that would be delivered now if the program's own mask held: neither blocked by
    /// it nor discarded by the kernel.
    pub(crate) fn wanted(&self) -> u64 {
        signals(!self.before)
            .filter(|signal| !is_discarded(*signal))
            .fold(0, |set, signal| set | bit(signal as c_int))
    }

    /// What waits to be delivered, if anything does.
    pub(crate) fn due(&self) -> Option<Due> {
        let mut due = None;
        for signal in signals(sys::pending_signals() & !self.before) {
            if is_discarded(signal) {
                continue;
            }
            let due = due.get_or_insert(Due {
                handler: false,
                interrupts: false,
            });
            let (handler, flags) = sys::signal_action(signal).unwrap_or((SIG_DFL, 0));
            if handler != SIG_DFL && !LIBRARY.contains(&signal) {
                due.handler = true;
                due.interrupts |= flags & libc::SA_RESTART as usize == 0;
            }
        }
        due
    }
}

impl Drop for Blocked {
    /// Handlers run here, at the end of the system call; they may never come back.
    fn drop(&mut self) {
        sys::set_signal_mask(self.before);
    }
}

/// What the pending signals mean for the call that is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// A handler of the program will run.
    pub(crate) handler: bool,
    /// One of them was installed without SA_RESTART: the call ends with EINTR (signal(7)).
    pub(crate) interrupts: bool,
}

/// The numbers of the signals in a set.
fn signals(set: u64) -> impl Iterator<Item = u32> {
    (1..=64_u32).filter(move |signal| set & bit(*signal as c_int) != 0)
}

fn is_discarded(signal: u32) -> bool {
    match sys::signal_action(signal) {
        // SIGKILL and SIGSTOP have no action to ask for, and are not ours to wait for.
        None => true,
        Some((SIG_IGN, _)) => true,
        Some((SIG_DFL, _)) => IGNORED_BY_DEFAULT & bit(signal as c_int) != 0,
        Some(_) => false,
    }
}
