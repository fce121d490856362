//! sendmsg and sendmmsg under the guard, which is told of both because an address may be in them.
//! What has no room for one is sent by a call that has none either, and that the guard's filter
//! lets through: sendto(2) without an address, or pwritev2(2).
//!
//! Only where nothing but the time it takes is another. Whatever does not fit goes to the guard as
//! the program made it, and so does whatever the kernel would refuse before it sends: which of two
//! errors comes first is the kernel's to say. What is the same is from net/socket.c and
//! fs/read_write.c of Linux 6.18; tests/hook/messages.rs compares.

use super::{entry, has_address, sendmmsg, sendmsg};
use crate::calls::sendto;
use crate::filters::{self, Work};
use crate::gate;
use crate::hook::Real;
use crate::memory::Reader;
use crate::{errno, sys};
use core::ffi::{c_int, c_uint, c_void};
use core::num::NonZeroUsize;
use core::ptr;
use libc::{iovec, mmsghdr, msghdr, off64_t, ssize_t};

/// MSG_CMSG_COMPAT: EINVAL for these two calls, and for no other.
const COMPAT: c_int = 0x8000_0000_u32.cast_signed();
/// More parts are EMSGSIZE here and EINVAL elsewhere (UIO_MAXIOV).
const MAX_PARTS: usize = 1024;
/// How many parts are looked at.
const FEW: usize = 8;
/// How many bytes are gathered: the stack they lie on may be a signal handler's.
const GATHERED: usize = 1024;
/// No single call sends more (MAX_RW_COUNT).
const MAX_BYTES: usize = 0x7fff_f000;
/// Addresses from here on may be no program's at all, and are for the kernel to refuse: in sendto
/// it does that before it looks at the descriptor.
#[cfg(target_arch = "x86_64")]
const END_OF_MEMORY: usize = (1 << 47) - 4096;
/// See above.
#[cfg(target_arch = "aarch64")]
const END_OF_MEMORY: usize = 1 << 48;

const RWF_NOWAIT: c_int = 0x8;
/// Since Linux 6.18; EOPNOTSUPP before.
const RWF_NOSIGNAL: c_int = 0x100;

/// Looks up what is called besides.
pub(super) fn resolve() {
    real!(sendto);
    pwritev2();
}

/// # Safety
/// As sendmsg(2).
pub(super) unsafe fn send_message(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    let mut reader = Reader::beside_the_stack();
    if !filters::forbid(Work::Send)
        && let Ok(header) = reader.copy(message)
        && let Some(way) = Way::of(&header, flags, &mut reader)
        // SAFETY: the program's own data.
        && let Some(sent) = unsafe { way.send(fd, flags, &mut reader) }
    {
        return sent;
    }
    // SAFETY: the program's own arguments.
    unsafe { real!(sendmsg)(fd, message, flags) }
}

/// The cheap ones at the front; the first that is not, and all after it, as one call.
///
/// # Safety
/// As sendmmsg(2).
pub(super) unsafe fn send_messages(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    let before = errno::get();
    let mut sent: c_uint = 0;
    // In the middle of several a signal ends the kernel's call, where one of ours would go on
    // waiting: so those that may wait are left to it.
    let none_waits = || count == 1 || flags & libc::MSG_DONTWAIT != 0 || sys::is_nonblocking(fd);
    let is_forbidden = filters::forbid(Work::Send) || filters::forbid(Work::SendSeveral);
    if !is_forbidden && none_waits() {
        let mut reader = Reader::beside_the_stack();
        while sent < count {
            // SAFETY: the program's own arguments.
            match unsafe { send_entry(fd, entry(messages, sent as usize), flags, &mut reader) } {
                Entry::NotCheap => break,
                Entry::Whole => sent = sent.saturating_add(1),
                Entry::Part => return sent.saturating_add(1).cast_signed(),
                Entry::Failed(errno) if sent == 0 => return gate::fail(errno),
                Entry::Failed(_) => {
                    // A count is a success, and a success leaves errno alone.
                    errno::set(before);
                    return sent.cast_signed();
                }
            }
        }
        if sent != 0 && sent == count {
            return sent.cast_signed();
        }
    }
    let rest = messages.wrapping_add(sent as usize);
    // SAFETY: the program's own arguments.
    let more = unsafe { real!(sendmmsg)(fd, rest, count.saturating_sub(sent), flags) };
    if more < 0 && sent != 0 {
        errno::set(before);
        return sent.cast_signed();
    }
    more.saturating_add(sent.cast_signed())
}

/// What became of one message of several.
enum Entry {
    NotCheap,
    Whole,
    /// The kernel sends none after it.
    Part,
    Failed(sys::Errno),
}

/// # Safety
/// What the entry points to is sent.
unsafe fn send_entry(
    fd: c_int,
    (header, length): (*const msghdr, *mut u32),
    flags: c_int,
    reader: &mut Reader,
) -> Entry {
    let Ok(header) = reader.copy(header) else {
        return Entry::NotCheap;
    };
    // Of a message's own flags sendmmsg looks at this one, and sendmsg at none.
    let flags = flags | (header.msg_flags & libc::MSG_EOR);
    let Some(way) = Way::of(&header, flags, reader) else {
        return Entry::NotCheap;
    };
    let Some(bytes) = way.bytes() else {
        return Entry::NotCheap;
    };
    // SAFETY: the program's own data.
    let Some(sent) = (unsafe { way.send(fd, flags, reader) }) else {
        return Entry::NotCheap;
    };
    let Ok(sent) = usize::try_from(sent) else {
        return Entry::Failed(errno::get());
    };
    if let Err(errno) = reader.put_u32(length, sent as u32) {
        return Entry::Failed(errno);
    }
    if sent < bytes {
        Entry::Part
    } else {
        Entry::Whole
    }
}

/// How a message without an address goes.
enum Way {
    /// By sendto: it is in one piece.
    Whole { base: *const c_void, len: usize },
    /// By sendto, after it has been put together.
    Gather {
        parts: [iovec; FEW],
        count: usize,
        bytes: usize,
    },
    /// By pwritev2.
    Vector {
        parts: *const iovec,
        count: usize,
        /// Where all of it has been looked at.
        bytes: Option<usize>,
    },
}

impl Way {
    /// None where only the guard can send it.
    fn of(message: &msghdr, flags: c_int, reader: &mut Reader) -> Option<Self> {
        if flags & COMPAT != 0 || has_address(message) || message.msg_controllen != 0 {
            return None;
        }
        let (parts, count) = (message.msg_iov.cast_const(), message.msg_iovlen);
        match count {
            0 => Some(Self::Whole {
                base: ptr::null(),
                len: 0,
            }),
            1 => {
                let part = plain(reader.copy(parts).ok()?)?;
                Some(Self::Whole {
                    base: part.iov_base.cast_const(),
                    len: part.iov_len,
                })
            }
            2..=MAX_PARTS => Self::of_several(parts, count, flags, reader),
            _ => None,
        }
    }

    #[inline(never)]
    fn of_several(
        at: *const iovec,
        count: usize,
        flags: c_int,
        reader: &mut Reader,
    ) -> Option<Self> {
        // The kernel would go on using the program's own memory.
        if flags & libc::MSG_ZEROCOPY != 0 {
            return None;
        }
        const NOTHING: iovec = iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        let mut parts = [NOTHING; FEW];
        let mut bytes: usize = 0;
        for (index, part) in parts.iter_mut().enumerate().take(count) {
            *part = plain(reader.copy(at.wrapping_add(index)).ok()?)?;
            bytes = bytes.saturating_add(part.iov_len);
        }
        let all = count <= FEW;
        if all && bytes <= GATHERED {
            return Some(Self::Gather {
                parts,
                count,
                bytes,
            });
        }
        if filters::forbid(Work::SendVector) {
            return None;
        }
        // A vector of nothing is not sent at all, where an empty message would be.
        let sayable = flags & !(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) == 0;
        (sayable && bytes != 0).then_some(Self::Vector {
            parts: at,
            count,
            bytes: all.then_some(bytes),
        })
    }

    /// How much there is to send, where that is known.
    fn bytes(&self) -> Option<usize> {
        let bytes = match self {
            Self::Whole { len, .. } => Some(*len),
            Self::Gather { bytes, .. } => Some(*bytes),
            Self::Vector { bytes, .. } => *bytes,
        };
        bytes.map(|bytes| bytes.min(MAX_BYTES))
    }

    /// What the real call returns, errno set as it sets it; None where nothing has been sent and
    /// the guard must.
    ///
    /// # Safety
    /// The parts are the program's own; the kernel checks them.
    unsafe fn send(&self, fd: c_int, flags: c_int, reader: &mut Reader) -> Option<ssize_t> {
        let before = errno::get();
        let sent = match *self {
            // SAFETY: as the caller says.
            Self::Whole { base, len } => Some(unsafe { send_bytes(fd, base, len, flags) }),
            Self::Gather {
                ref parts, count, ..
            } => send_gathered(fd, parts.get(..count)?, flags, reader),
            // SAFETY: as the caller says.
            Self::Vector { parts, count, .. } => unsafe { send_vector(fd, parts, count, flags) },
        };
        if sent? < 0 && self.may_fail_alone(errno::get()) {
            errno::set(before);
            return None;
        }
        sent
    }

    /// Whether an error may be one that the program's own call would not meet: of a filter that
    /// was there before the program (containers, systemd's SystemCallFilter), or of an older
    /// kernel (EOPNOTSUPP). If it is the socket's own word, that will say it again.
    fn may_fail_alone(&self, error: sys::Errno) -> bool {
        match error {
            libc::ENOSYS | libc::EPERM => true,
            libc::EOPNOTSUPP => matches!(self, Self::Vector { .. }),
            _ => false,
        }
    }
}

/// A part that means the same to every call.
fn plain(part: iovec) -> Option<iovec> {
    // With the sign bit it is EINVAL for these two calls alone.
    let len = usize::try_from(part.iov_len.cast_signed()).ok()?;
    let end = (part.iov_base as usize).checked_add(len.min(MAX_BYTES))?;
    (end <= END_OF_MEMORY).then_some(part)
}

/// # Safety
/// As send(2).
unsafe fn send_bytes(fd: c_int, base: *const c_void, len: usize, flags: c_int) -> ssize_t {
    // SAFETY: as the caller says; no address.
    unsafe { real!(sendto)(fd, base, len, flags, ptr::null(), 0) }
}

/// None where a part cannot be read: how much is sent before that is found, the kernel must say.
#[inline(never)]
fn send_gathered(fd: c_int, parts: &[iovec], flags: c_int, reader: &mut Reader) -> Option<ssize_t> {
    let mut gathered = [0_u8; GATHERED];
    let mut rest = gathered.as_mut_slice();
    for part in parts {
        let (place, after) = rest.split_at_mut_checked(part.iov_len)?;
        reader
            .copy_bytes(part.iov_base.cast_const().cast(), place)
            .ok()?;
        rest = after;
    }
    let bytes = GATHERED.saturating_sub(rest.len());
    // SAFETY: our own buffer.
    Some(unsafe { send_bytes(fd, gathered.as_ptr().cast(), bytes, flags) })
}

/// # Safety
/// The parts are the program's own; the kernel checks them.
unsafe fn send_vector(
    fd: c_int,
    parts: *const iovec,
    count: usize,
    flags: c_int,
) -> Option<ssize_t> {
    // What is no socket would be written to; and a vector ends a record of SOCK_SEQPACKET.
    let kind = sys::int_option(fd, libc::SOL_SOCKET, libc::SO_TYPE).ok()?;
    if kind != libc::SOCK_STREAM && kind != libc::SOCK_DGRAM {
        return None;
    }
    let mut how = 0;
    if flags & libc::MSG_NOSIGNAL != 0 {
        how |= RWF_NOSIGNAL;
    }
    if flags & libc::MSG_DONTWAIT != 0 {
        how |= RWF_NOWAIT;
    }
    // SAFETY: as the caller says. -1: at no offset.
    Some(unsafe { pwritev2()(fd, parts, count as c_int, -1, how) })
}

type PwriteV2 = unsafe extern "C" fn(c_int, *const iovec, c_int, off64_t, c_int) -> ssize_t;

/// The C library's pwritev2(2): a cancellation point, as sendmsg is.
fn pwritev2() -> PwriteV2 {
    unsafe extern "C" fn absent(
        _: c_int,
        _: *const iovec,
        _: c_int,
        _: off64_t,
        _: c_int,
    ) -> ssize_t {
        errno::set(libc::ENOSYS);
        -1
    }
    static REAL: Real = Real::new();
    let absent: PwriteV2 = absent;
    let absent = NonZeroUsize::new(absent as usize).unwrap_or(NonZeroUsize::MIN);
    let address = REAL.address(c"pwritev2", absent);
    // SAFETY: the address is that of `absent`, or of pwritev2(2), which has this signature on
    // machines of 64 bits.
    unsafe { core::mem::transmute::<usize, PwriteV2>(address) }
}
