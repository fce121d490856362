//! Thread cancellation (pthreads(7)): the held calls are cancellation points, so a held thread
//! that is cancelled must end.
//!
//! With deferred cancellation the C library sends no signal to a thread that is in no call of its
//! own. While an ask is under way the type is therefore asynchronous, with all signals blocked:
//! pthread_cancel then sends its signal, which stays pending and is seen like any other. The type
//! is deferred again before the mask is restored, so nothing happens before we have closed what
//! is ours.

use core::ffi::c_int;

unsafe extern "C" {
    fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int;
    fn pthread_testcancel();
}

const DEFERRED: c_int = 0;
const ASYNCHRONOUS: c_int = 1;

/// Ends the thread if it has been cancelled. Nothing of ours may be open.
pub(crate) fn point() {
    // SAFETY: no arguments. It may unwind the stack; no frame of ours has anything to clean up.
    unsafe { pthread_testcancel() };
}

/// While this lives pthread_cancel sends its signal. Signals must be blocked before and after.
pub(crate) struct Signalled {
    before: c_int,
}

impl Signalled {
    pub(crate) fn new() -> Self {
        let mut before = DEFERRED;
        // SAFETY: an int to write to.
        unsafe { pthread_setcanceltype(ASYNCHRONOUS, &raw mut before) };
        Self { before }
    }
}

impl Drop for Signalled {
    fn drop(&mut self) {
        let mut ours = ASYNCHRONOUS;
        // SAFETY: an int to write to.
        unsafe { pthread_setcanceltype(self.before, &raw mut ours) };
    }
}
