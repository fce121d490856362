//! Programs that write a title over their command line, by which the session knows what script an
//! interpreter runs.

use core::ffi::{CStr, c_char};

unsafe extern "C" {
    /// The last part of argv\[0\], by the C library (program_invocation_short_name(3)).
    static program_invocation_short_name: *const c_char;
}

/// Whether the program is one whose scripts often do so (`process.title` of npm, pnpm and many a
/// coding agent). Telling the session costs such a program less than a thousandth of its start.
pub(crate) fn are_likely() -> bool {
    // SAFETY: the C library has set it before any constructor runs, and no other thread is there.
    let name = unsafe { program_invocation_short_name };
    if name.is_null() {
        return false;
    }
    // SAFETY: an argument, or a literal of the C library's; both are terminated.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_bytes().starts_with(b"node")
}
