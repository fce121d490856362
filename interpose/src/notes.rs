//! What a session with a guard is told: by `connect(-1, …)`, which its supervisor sees, with the
//! caller's pid from the kernel. No descriptor is needed, and no name of a socket. To anybody else
//! it is EBADF, and so it is here where the supervisor has died.

use crate::ask::LookUp;
use crate::{settings, sys};
use core::ffi::CStr;
use hallpass_wire::{NameReport, NoteBytes};

/// A look-up has succeeded. The session may hold the call (`--hold=name`); no signal ends that.
pub(crate) fn found(report: &NameReport) -> LookUp {
    let note = NoteBytes::found(report);
    loop {
        match sys::connect_nowhere(note.as_bytes()) {
            // A handler has run.
            libc::EINTR => {}
            libc::ECONNREFUSED => return LookUp::Refused,
            _ => return LookUp::GoesOn,
        }
    }
}

/// The calling thread is in getaddrinfo(3), until this is dropped. A thread that leaves by a jump
/// or is cancelled says nothing: the session does not believe in it for long.
pub(crate) struct LookingUp(());

impl LookingUp {
    /// None without a guard.
    pub(crate) fn enter(name: Option<&CStr>) -> Option<Self> {
        if !settings::is_guarded() {
            return None;
        }
        let name = name.map(CStr::to_bytes).unwrap_or_default();
        sys::connect_nowhere(NoteBytes::entered(name).as_bytes());
        Some(Self(()))
    }
}

impl Drop for LookingUp {
    fn drop(&mut self) {
        sys::connect_nowhere(NoteBytes::left().as_bytes());
    }
}
