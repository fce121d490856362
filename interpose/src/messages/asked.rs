//! sendmsg and sendmmsg without a guard.
//!
//! The struct is copied once and the kernel gets the copy, so that what was decided is what is
//! sent. Data and control messages stay where the program has them: they carry no destination.

use super::{entry, has_address, sendmmsg, sendmsg, without_address};
use crate::gate::{self, Copied};
use crate::sys::Errno;
use crate::{errno, memory};
use core::ffi::{c_int, c_uint};
use hallpass_wire::{Call, MAX_SOCKADDR, Path, Socket};
use libc::{mmsghdr, msghdr, ssize_t};

/// # Safety
/// As sendmsg(2).
pub(super) unsafe fn send_message(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    match decide(fd, message, flags) {
        Err(errno) => gate::fail(errno) as ssize_t,
        // SAFETY: the program's own arguments.
        Ok(Decided::Unchanged) => unsafe { real!(sendmsg)(fd, message, flags) },
        Ok(Decided::Message(message)) => {
            // SAFETY: a copy of the struct, whose other pointers are the program's own.
            unsafe { real!(sendmsg)(fd, &raw const message, flags) }
        }
        Ok(Decided::Addressed(mut message, to)) => {
            message.msg_name = to.as_ptr().cast_mut().cast();
            message.msg_namelen = to.len();
            // SAFETY: as above; the kernel only reads the address.
            unsafe { real!(sendmsg)(fd, &raw const message, flags) }
        }
    }
}

/// Each message is decided when its turn comes. One that is refused ends the call with the count
/// of those before it, as any error does in the kernel.
///
/// # Safety
/// As sendmmsg(2).
pub(super) unsafe fn send_messages(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    if !any_address(messages, count) {
        // SAFETY: the program's own arguments.
        return unsafe { real!(sendmmsg)(fd, messages, count, flags) };
    }
    let before = errno::get();
    let mut sent: c_int = 0;
    for index in 0..count {
        // SAFETY: the program's own arguments, one message at a time.
        match unsafe { send_entry(fd, entry(messages, index as usize), flags) } {
            Ok(More::Yes) => sent = sent.saturating_add(1),
            Ok(More::No) => return sent.saturating_add(1),
            Err(errno) if sent == 0 => return gate::fail(errno),
            Err(_) => {
                // A count is a success, and a success leaves errno alone.
                errno::set(before);
                break;
            }
        }
    }
    sent
}

/// What of a message goes to the kernel.
enum Decided {
    /// The program's struct: the socket's family needs no decision.
    Unchanged,
    /// A copy of the struct, without an address.
    Message(msghdr),
    /// A copy of the struct, and of the address that is to be put into it.
    Addressed(msghdr, Copied),
}

fn decide(fd: c_int, message: *const msghdr, flags: c_int) -> Result<Decided, Errno> {
    match memory::copy_struct(message) {
        Ok(copy) if !has_address(&copy) => Ok(Decided::Message(without_address(copy))),
        Ok(copy) => decide_addressed(
            Call::SendMsg,
            fd,
            &gate::socket(fd, Call::SendMsg)?,
            copy,
            flags,
        ),
        // In the kernel's order: a bad descriptor comes before a bad pointer.
        Err(errno) => Err(gate::socket(fd, Call::SendMsg).err().unwrap_or(errno)),
    }
}

fn decide_addressed(
    call: Call,
    fd: c_int,
    socket: &Socket,
    message: msghdr,
    flags: c_int,
) -> Result<Decided, Errno> {
    if let Some(Path::Pass(_)) = socket.without_address() {
        return Ok(Decided::Unchanged);
    }
    // A negative length is EINVAL; one that is too long is cut here, unlike in sendto
    // (__copy_msghdr in net/socket.c).
    let len = match message.msg_namelen {
        len if len.cast_signed() < 0 => return Err(libc::EINVAL),
        len => len.min(MAX_SOCKADDR as u32),
    };
    let to = Copied::new(message.msg_name, len)?;
    gate::addressed(call, fd, socket, &to, flags)?;
    Ok(Decided::Addressed(message, to))
}

/// Whether any message has an address, as far as they can be read. QUIC and the like send on
/// connected sockets, and such calls stay one call.
fn any_address(messages: *const mmsghdr, count: c_uint) -> bool {
    let mut reader = memory::Reader::beside_the_stack();
    (0..count as usize).any(|index| {
        let (header, _) = entry(messages.cast_mut(), index);
        // An unreadable entry is met again when its turn comes.
        reader
            .copy(header)
            .map_or(true, |header| has_address(&header))
    })
}

enum More {
    Yes,
    /// A stream has taken the first message; whether all of it, the program must see for itself.
    No,
}

/// Decides and sends one message and writes its length back.
///
/// # Safety
/// What the entry's copy points to goes to the real sendmsg.
unsafe fn send_entry(
    fd: c_int,
    (header, length): (*const msghdr, *mut u32),
    flags: c_int,
) -> Result<More, Errno> {
    let socket = gate::socket(fd, Call::SendMmsg)?;
    let mut header = memory::copy_struct(header)?;
    let mut more = More::Yes;
    let to;
    if !has_address(&header) {
        header = without_address(header);
    } else if let Decided::Addressed(_, copied) =
        decide_addressed(Call::SendMmsg, fd, &socket, header, flags)?
    {
        to = copied;
        header.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_namelen = to.len();
        if socket.kind == libc::SOCK_STREAM as u32 {
            more = More::No;
        }
    }
    // SAFETY: a copy of the struct, whose other pointers are the program's own.
    let len = unsafe { real!(sendmsg)(fd, &raw const header, flags) };
    if len < 0 {
        return Err(errno::get());
    }
    memory::put_u32(length, len as u32)?;
    Ok(more)
}
