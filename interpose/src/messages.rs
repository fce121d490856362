//! The hooks whose address is in a struct: sendmsg and sendmmsg.
//!
//! The struct is copied once and the kernel gets the copy, so that what was decided is what is
//! sent. Data and control messages stay where the program has them: they carry no destination.

use crate::gate::{self, Copied};
use crate::sys::Errno;
use crate::{errno, memory, settings};
use core::ffi::{c_int, c_uint};
use core::mem::{offset_of, size_of};
use core::ptr;
use hallpass_wire::{Call, MAX_SOCKADDR, Path, Socket};
use libc::{mmsghdr, msghdr, ssize_t};

/// The kernel sends no more messages in one call (UIO_MAXIOV of sendmmsg(2)).
const MAX_MESSAGES: c_uint = 1024;

/// Looks up the real functions that may be called in signal handlers.
pub(crate) fn resolve() {
    real!(sendmsg);
    real!(sendmmsg);
}

hook! {
    /// sendmsg(2)
    unsafe fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t, absent -1 => {
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
}

hook! {
    /// sendmmsg(2): each message is decided when its turn comes. One that is refused ends the
    /// call with the count of those before it, as any error does in the kernel.
    unsafe fn sendmmsg(
        fd: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
    ) -> c_int, absent -1 => {
        let count = count.min(MAX_MESSAGES);
        if settings::is_guarded() || !any_address(messages, count) {
            // SAFETY: the program's own arguments.
            return unsafe { real!(sendmmsg)(fd, messages, count, flags) };
        }
        let before = errno::get();
        let mut sent: c_int = 0;
        for index in 0..count {
            let entry = messages.wrapping_add(index as usize);
            // SAFETY: the program's own arguments, one message at a time.
            match unsafe { send_entry(fd, entry, flags) } {
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
}

/// What of a message goes to the kernel.
enum Decided {
    /// The program's struct: the socket's family needs no decision, or the guard decides.
    Unchanged,
    /// A copy of the struct, without an address.
    Message(msghdr),
    /// A copy of the struct, and of the address that is to be put into it.
    Addressed(msghdr, Copied),
}

fn decide(fd: c_int, message: *const msghdr, flags: c_int) -> Result<Decided, Errno> {
    if settings::is_guarded() {
        return Ok(Decided::Unchanged);
    }
    match memory::copy_struct(message) {
        Ok(copy) if !has_address(&copy) => Ok(Decided::Message(without_address(copy))),
        Ok(copy) => decide_addressed(Call::SendMsg, fd, &gate::socket(fd)?, copy, flags),
        // In the kernel's order: a bad descriptor comes before a bad pointer.
        Err(errno) => Err(gate::socket(fd).err().unwrap_or(errno)),
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

/// Whether the kernel would look at an address; a negative length is for it to refuse.
fn has_address(message: &msghdr) -> bool {
    !message.msg_name.is_null() && message.msg_namelen != 0
}

fn without_address(mut message: msghdr) -> msghdr {
    message.msg_name = ptr::null_mut();
    message.msg_namelen = 0;
    message
}

/// Whether any message has an address, as far as they can be read. QUIC and the like send on
/// connected sockets, and such calls stay one call.
fn any_address(messages: *const mmsghdr, count: c_uint) -> bool {
    let mut reader = memory::Reader::new();
    (0..count as usize).any(|index| {
        let header = messages.wrapping_add(index).cast::<msghdr>();
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
unsafe fn send_entry(fd: c_int, entry: *mut mmsghdr, flags: c_int) -> Result<More, Errno> {
    let socket = gate::socket(fd)?;
    let mut header = memory::copy_struct(entry.cast::<msghdr>())?;
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
    let place = entry
        .wrapping_byte_add(offset_of!(mmsghdr, msg_len))
        .cast::<u32>();
    memory::put_u32(place, len as u32)?;
    Ok(more)
}

const _: () = assert!(size_of::<mmsghdr>() > size_of::<msghdr>());
