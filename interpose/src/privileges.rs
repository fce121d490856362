//! Files that have privileges to give, and whose programs do not get them: under a guard that took
//! no_new_privs. Each is told when it is about to be started, however short it will live. It costs
//! two system calls for each program, and only there.

use crate::environment::{self, variable};
use crate::filters::{self, Work};
use crate::sys::{self, File};
use crate::{notes, settings};
use core::ffi::{CStr, c_char};

/// Longer paths are not told (docs/wire.md).
const MAX_PATH: usize = 255;

/// A program is about to be started from this path.
///
/// # Safety
/// `path` is a string, or what the program gave for one: it is read only where the kernel could.
pub(crate) unsafe fn starts(path: *const c_char) {
    if is_told() {
        // SAFETY: as the caller says.
        unsafe { tell(path) };
    }
}

/// A program is about to be started by this name, which is looked for in $PATH as execvp(3) does.
///
/// # Safety
/// `file` is a string.
pub(crate) unsafe fn starts_searched(file: *const c_char) {
    if !is_told() || file.is_null() {
        return;
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(file) }.to_bytes();
    if name.contains(&b'/') {
        // SAFETY: a string.
        unsafe { tell(file) };
        return;
    }
    let places = variable(environment::current(), b"PATH").unwrap_or(b"/bin:/usr/bin");
    for place in places.split(|byte| *byte == b':') {
        let mut path = [0_u8; MAX_PATH + 1];
        let whole = place.iter().chain(b"/").chain(name);
        // An empty place is the working directory; the last byte stays zero.
        let skipped = usize::from(place.is_empty());
        if place.len().saturating_add(name.len()).saturating_add(1) > MAX_PATH {
            continue;
        }
        for (to, from) in path.iter_mut().zip(whole.skip(skipped)) {
            *to = *from;
        }
        // SAFETY: it ends with a zero.
        if unsafe { tell(path.as_ptr().cast()) } != File::None {
            return;
        }
    }
}

fn is_told() -> bool {
    settings::is_guarded() && !filters::forbid(Work::LookAtFile) && sys::has_no_new_privileges()
}

/// # Safety
/// As [`starts`].
unsafe fn tell(path: *const c_char) -> File {
    // SAFETY: as the caller says.
    let file = unsafe { sys::file(path) };
    if file == File::Privileged {
        // SAFETY: the kernel has just read it.
        notes::unprivileged(unsafe { CStr::from_ptr(path) }.to_bytes());
    }
    file
}
