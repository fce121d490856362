//! `hook!` and `real!`, of redhook's shape: a hook is declared once, and its body can call the
//! function it stands in front of.
//!
//! Unlike redhook's, a hook here never falls back to the real function by itself, and a real
//! function that cannot be found fails with ENOSYS.

use core::ffi::{CStr, c_void};
use core::num::NonZeroUsize;
use once_cell::race::OnceNonZeroUsize;

/// The address of a function of the libraries behind us, looked up once.
pub(crate) struct Real(OnceNonZeroUsize);

impl Real {
    pub(crate) const fn new() -> Self {
        Self(OnceNonZeroUsize::new())
    }

    /// `absent` is taken where no library has the function.
    pub(crate) fn address(&self, name: &CStr, absent: NonZeroUsize) -> usize {
        let find = || {
            // SAFETY: `name` ends with a zero. RTLD_NEXT looks behind the library whose code calls.
            let found: *mut c_void = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
            NonZeroUsize::new(found as usize).unwrap_or(absent)
        };
        self.0.get_or_init(find).get()
    }
}

/// Declares the function that programs call instead of the C library's:
/// `hook! { unsafe fn NAME(ARG: TYPE, …) -> TYPE, absent VALUE => { BODY } }`.
///
/// `absent` is what it returns, with ENOSYS, where no library has such a function.
macro_rules! hook {
    (
        $(#[$doc:meta])*
        unsafe fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty, absent $absent:expr => $body:block
    ) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As the C library's function of this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> $ret $body

        /// Carries the way to the real function; shares its name, so that `real!` finds it.
        #[allow(non_camel_case_types, reason = "named like the function")]
        #[allow(dead_code, reason = "execv goes on to the real execve")]
        pub(crate) struct $name {}

        impl $name {
            /// The function that ours stands in front of.
            #[allow(dead_code, reason = "execv goes on to the real execve")]
            pub(crate) fn real() -> unsafe extern "C" fn($($ty),*) -> $ret {
                unsafe extern "C" fn absent($(_: $ty),*) -> $ret {
                    $crate::errno::set(libc::ENOSYS);
                    $absent
                }
                static REAL: $crate::hook::Real = $crate::hook::Real::new();
                const NAME: &core::ffi::CStr = match core::ffi::CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => c"",
                };
                let absent: unsafe extern "C" fn($($ty),*) -> $ret = absent;
                let absent = core::num::NonZeroUsize::new(absent as usize)
                    .unwrap_or(core::num::NonZeroUsize::MIN);
                let address = REAL.address(NAME, absent);
                // SAFETY: the address is that of `absent`, or of the C library's function of this
                // name, which has the signature of its manual page.
                unsafe {
                    core::mem::transmute::<usize, unsafe extern "C" fn($($ty),*) -> $ret>(address)
                }
            }
        }
    };
}

/// The real function behind a hook: `real!(connect)(fd, address, len)`.
macro_rules! real {
    ($($name:ident)::+) => {
        <$($name)::+>::real()
    };
}
