//! The hooks whose address is in a struct: sendmsg and sendmmsg. Each only converts and delegates:
//! without a guard every address is asked about ([`asked`]), with one the guard looks at addresses
//! and what carries none goes a cheaper way ([`cheap`]).

mod asked;
mod cheap;

use crate::{dumpable, settings};
use core::ffi::{c_int, c_uint};
use core::ptr;
use libc::{mmsghdr, msghdr, ssize_t};

/// The kernel sends no more messages in one call (UIO_MAXIOV of sendmmsg(2)).
const MAX_MESSAGES: c_uint = 1024;

/// Looks up the real functions that may be called in signal handlers.
pub(crate) fn resolve() {
    real!(sendmsg);
    real!(sendmmsg);
    if settings::is_guarded() {
        cheap::resolve();
    }
}

hook! {
    /// sendmsg(2)
    unsafe fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t, absent -1 => {
        if settings::is_guarded() {
            dumpable::stay();
            // SAFETY: the program's own arguments.
            return unsafe { cheap::send_message(fd, message, flags) };
        }
        // SAFETY: the program's own arguments.
        unsafe { asked::send_message(fd, message, flags) }
    }
}

hook! {
    /// sendmmsg(2)
    unsafe fn sendmmsg(
        fd: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
    ) -> c_int, absent -1 => {
        let count = count.min(MAX_MESSAGES);
        if settings::is_guarded() {
            dumpable::stay();
            // SAFETY: the program's own arguments.
            return unsafe { cheap::send_messages(fd, messages, count, flags) };
        }
        // SAFETY: the program's own arguments.
        unsafe { asked::send_messages(fd, messages, count, flags) }
    }
}

/// Whether the kernel would look at an address; a negative length is for it to refuse.
fn has_address(message: &msghdr) -> bool {
    !message.msg_name.is_null() && message.msg_namelen != 0
}

fn without_address(mut message: msghdr) -> msghdr {
    message.msg_name = ptr::null_mut();
    message.msg_namelen = 0;
    message
}

/// The entry at `index`, and where its length is written to.
fn entry(messages: *mut mmsghdr, index: usize) -> (*const msghdr, *mut u32) {
    let entry = messages.wrapping_add(index);
    let length = entry.wrapping_byte_add(core::mem::offset_of!(mmsghdr, msg_len));
    (entry.cast_const().cast(), length.cast())
}
