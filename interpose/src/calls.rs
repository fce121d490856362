//! The hooks that carry one address: connect and sendto. Each only converts and delegates.

use crate::gate::{self, Permit};
use core::ffi::{c_int, c_void};
use hallpass_wire::Call;
use libc::{size_t, sockaddr, socklen_t, ssize_t};

/// Looks up the real functions that may be called in signal handlers.
pub(crate) fn resolve() {
    real!(connect);
    real!(sendto);
}

hook! {
    /// connect(2)
    unsafe fn connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int, absent -1 => {
        match gate::permit(Call::Connect, fd, address.cast(), len, 0) {
            Err(errno) => gate::fail(errno),
            // SAFETY: the program's own arguments.
            Ok(Permit::Unchanged(_) | Permit::Guarded) => unsafe { real!(connect)(fd, address, len) },
            // SAFETY: the copy outlives the call.
            Ok(Permit::Copy(_, to)) => unsafe { real!(connect)(fd, to.as_ptr(), to.len()) },
        }
    }
}

hook! {
    /// connect(2) under the other name that glibc exports it by.
    unsafe fn __connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int, absent -1 => {
        // SAFETY: the program's own arguments.
        unsafe { connect(fd, address, len) }
    }
}

hook! {
    /// sendto(2); without an address it is send(2), whose address connect has decided.
    unsafe fn sendto(
        fd: c_int,
        data: *const c_void,
        size: size_t,
        flags: c_int,
        address: *const sockaddr,
        len: socklen_t,
    ) -> ssize_t, absent -1 => {
        if address.is_null() {
            // SAFETY: the program's own arguments.
            return unsafe { real!(sendto)(fd, data, size, flags, address, len) };
        }
        match gate::permit(Call::SendTo, fd, address.cast(), len, flags) {
            Err(errno) => gate::fail(errno) as ssize_t,
            // SAFETY: the program's own arguments.
            Ok(Permit::Unchanged(_) | Permit::Guarded) => unsafe { real!(sendto)(fd, data, size, flags, address, len) },
            // SAFETY: the copy outlives the call.
            Ok(Permit::Copy(_, to)) => unsafe {
                real!(sendto)(fd, data, size, flags, to.as_ptr(), to.len())
            },
        }
    }
}
