//! What a session with a guard is told: by `connect(-1, …)`, which its supervisor sees, with the
//! caller's pid from the kernel. No descriptor is needed, and no name of a socket. To anybody else
//! it is EBADF, and so it is here where the supervisor has died.

use crate::ask::LookUp;
use crate::sys;
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

/// The calling thread looks a name up, until this is dropped. A thread that leaves by a jump or is
/// cancelled says nothing: the session does not believe in it for long.
#[derive(PartialEq, Eq)]
pub(crate) struct LookingUp(());

impl LookingUp {
    /// None where the look-up is refused: no rule could allow the name.
    pub(crate) fn enter(name: &[u8]) -> Option<Self> {
        let note = NoteBytes::entered(name);
        loop {
            match sys::connect_nowhere(note.as_bytes()) {
                libc::EINTR => {}
                libc::ECONNREFUSED => return None,
                _ => return Some(Self(())),
            }
        }
    }
}

/// The program has just started: the session is to look who it is.
pub(crate) fn started() {
    // A handler has run, which is one of another library's constructor.
    while sys::connect_nowhere(NoteBytes::started().as_bytes()) == libc::EINTR {}
}

/// This process starts a file that has a user, a group or capabilities to give, and will not.
pub(crate) fn unprivileged(path: &[u8]) {
    if let Some(note) = NoteBytes::unprivileged(path) {
        sys::connect_nowhere(note.as_bytes());
    }
}

impl Drop for LookingUp {
    fn drop(&mut self) {
        sys::connect_nowhere(NoteBytes::left().as_bytes());
    }
}
