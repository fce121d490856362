//! A child that another thread forks while a call is held gets copies of our descriptors, and
//! nobody in it who would close them. So they are written down while a call is held, and closed
//! in the child by a handler of pthread_atfork(3).
//!
//! vfork and posix_spawn run no such handlers and need none: their children close on exec.

use crate::sys::{self, Fd};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Held calls whose descriptors are written down; what more there are is left to exec.
const PLACES: usize = 64;

/// Process and descriptor; 0 where there is none. The process, because a vfork child shares this
/// memory, and if it is killed while it is held its entry stays.
static HELD: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];
/// The process that forks.
static FORKING: AtomicU32 = AtomicU32::new(0);

type Handler = extern "C" fn();
/// What glibc's pthread_atfork calls; that one itself is in its static part.
type Register = unsafe extern "C" fn(
    prepare: Option<Handler>,
    parent: Option<Handler>,
    child: Option<Handler>,
    library: *mut c_void,
) -> c_int;

/// Installs the handlers, from the constructor: the C library keeps a list of them. Looked up by
/// name, because programs of another C library than ours load this library as well; musl has no
/// such function, and there a copy stays open until exec.
pub(crate) fn resolve() {
    // SAFETY: a string that ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__register_atfork".as_ptr()) };
    if found.is_null() {
        return;
    }
    // SAFETY: the function of this name has this signature (glibc, nptl/pthread_atfork.c).
    let register = unsafe { core::mem::transmute::<*mut c_void, Register>(found) };
    // SAFETY: two functions that are here as long as the program: a preload is never unloaded.
    unsafe { register(Some(prepare), None, Some(child), core::ptr::null_mut()) };
}

/// A descriptor that is written down as long as this lives.
pub(crate) struct Noted(Option<&'static AtomicU64>);

impl Noted {
    pub(crate) fn new(fd: &Fd) -> Self {
        let entry = u64::from(sys::process()) << 32 | u64::from(fd.number().cast_unsigned());
        Self(HELD.iter().find(|place| {
            place
                .compare_exchange(0, entry, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        }))
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.store(0, Ordering::Release);
        }
    }
}

extern "C" fn prepare() {
    FORKING.store(sys::process(), Ordering::Relaxed);
}

extern "C" fn child() {
    let parent = u64::from(FORKING.load(Ordering::Relaxed));
    for place in &HELD {
        let entry = place.load(Ordering::Acquire);
        if entry != 0 && entry >> 32 == parent {
            place.store(0, Ordering::Relaxed);
            sys::close(entry as u32 as c_int);
        }
    }
}
