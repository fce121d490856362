//! The calling thread's errno. Nothing else here touches it: our own system calls are raw.

use core::ffi::c_int;

/// Sets errno.
pub(crate) fn set(errno: c_int) {
    // SAFETY: gives the calling thread's own errno, which lives as long as the thread.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: valid and aligned, see above.
    unsafe { place.write(errno) };
}

/// The value of errno.
pub(crate) fn get() -> c_int {
    // SAFETY: gives the calling thread's own errno, which lives as long as the thread.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: valid and aligned, see above.
    unsafe { place.read() }
}
