//! Processes that change their user, where their session may look at other users' calls only as
//! long as these are dumpable (docs/threat-model.md): root without CAP_SYS_PTRACE, in containers.
//!
//! The kernel takes that away from whoever changes its ids, until it starts another program
//! (PR_SET_DUMPABLE, prctl(2)); most who change them do start one. The others (apt's methods) get
//! it back when they first use the network, unless they have put it aside themselves.

use crate::filters::{self, Work};
use crate::{settings, sys};
use core::ffi::{c_int, c_ulong};
use core::sync::atomic::{AtomicBool, Ordering};

/// The program has said itself what it wants to be.
static IS_SETTLED: AtomicBool = AtomicBool::new(false);

/// Looks up the real function, which may be called in signal handlers.
pub(crate) fn resolve() {
    real!(socket);
}

/// The program says itself what it wants to be.
pub(crate) fn settle() {
    IS_SETTLED.store(true, Ordering::Relaxed);
}

/// Comes before each call that the guard is to look at.
pub(crate) fn stay() {
    if !settings::keeps_dumpable()
        || IS_SETTLED.load(Ordering::Relaxed)
        || filters::forbid(Work::StayDumpable)
        || sys::is_dumpable()
    {
        return;
    }
    // A program with other ids than it was started with had them changed, and has started none
    // since (execve(2) makes the saved id the effective one). One that was never dumpable has a file
    // that may not be read.
    let [users, groups] = sys::ids();
    let changed =
        |ids: [u32; 3], real, effective| ids != [real, effective, effective].map(started_with);
    if changed(users, libc::AT_UID, libc::AT_EUID) || changed(groups, libc::AT_GID, libc::AT_EGID) {
        sys::become_dumpable();
    }
}

fn started_with(id: c_ulong) -> u32 {
    // SAFETY: no memory is touched.
    (unsafe { libc::getauxval(id) }) as u32
}

hook! {
    /// socket(2): in some places the guard makes it
    unsafe fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int, absent -1 => {
        stay();
        // Not a raw call: another library behind ours may make sockets of its own (socket_wrapper).
        // SAFETY: the program's own arguments.
        unsafe { real!(socket)(family, kind, protocol) }
    }
}
