//! From a program's arguments to what is to be done with its call.

use crate::ask::{self, Answer, Refusal};
use crate::memory::Reader;
use crate::sys::{self, Errno};
use crate::{dumpable, errno, settings};
use core::ffi::{c_int, c_void};
use hallpass_wire::{Bypass, Call, MAX_SOCKADDR, Path, Refused, Socket};
use libc::{sockaddr, socklen_t};

/// An address copied once: decided on, and given to the kernel, from here.
pub(crate) struct Copied {
    bytes: [u8; MAX_SOCKADDR],
    len: usize,
}

impl Copied {
    /// Copies at most [`MAX_SOCKADDR`] bytes.
    ///
    /// # Errors
    /// EFAULT for a bad pointer, EINVAL for a length that the kernel does not take.
    pub(crate) fn new(address: *const c_void, len: socklen_t) -> Result<Self, Errno> {
        let mut copied = Self {
            bytes: [0; MAX_SOCKADDR],
            len: len as usize,
        };
        // A negative length is a large one here, and EINVAL for both.
        let bytes = copied.bytes.get_mut(..copied.len).ok_or(libc::EINVAL)?;
        Reader::beside_the_stack().copy_bytes(address.cast(), bytes)?;
        Ok(copied)
    }

    pub(crate) fn as_ptr(&self) -> *const sockaddr {
        self.bytes.as_ptr().cast()
    }

    pub(crate) fn len(&self) -> socklen_t {
        self.len as socklen_t
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// How a call goes on.
#[expect(
    dead_code,
    reason = "the names are for a debugger; nothing here reads them"
)]
pub(crate) enum Permit {
    /// As the program made it: the guard sees it, whatever the hook does.
    Guarded,
    /// As the program made it: nothing in its address could matter.
    Unchanged(Bypass),
    /// With the copy that was looked at.
    Copy(Go, Copied),
}

/// Why a call goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    /// The session allowed it.
    Allowed,
    /// It needed no decision.
    Bypassed(Bypass),
}

/// Whether a call with this address may go on; holds it until that is known.
///
/// # Errors
/// The errno that the call fails with.
pub(crate) fn permit(
    call: Call,
    fd: c_int,
    address: *const c_void,
    len: socklen_t,
    flags: c_int,
) -> Result<Permit, Errno> {
    if settings::is_guarded() {
        dumpable::stay();
        return Ok(Permit::Guarded);
    }
    // In the kernel's order: the descriptor, then the address; but connect(2) copies the address
    // before it looks whether the descriptor is a socket.
    let socket = match socket(fd, call) {
        Ok(socket) => socket,
        Err(libc::ENOTSOCK) if call == Call::Connect => {
            return Err(Copied::new(address, len).err().unwrap_or(libc::ENOTSOCK));
        }
        Err(errno) => return Err(errno),
    };
    if let Some(Path::Pass(bypass)) = socket.without_address() {
        return Ok(Permit::Unchanged(bypass));
    }
    let to = Copied::new(address, len)?;
    let go = addressed(call, fd, &socket, &to, flags)?;
    Ok(Permit::Copy(go, to))
}

/// Sets errno, and gives what a failed call returns.
pub(crate) fn fail(errno: Errno) -> c_int {
    errno::set(errno);
    -1
}

/// What the kernel says of a descriptor. `call` says what it most likely is, which saves a question;
/// a socket that is something else is asked all.
///
/// # Errors
/// What the call itself would fail with: EBADF, ENOTSOCK.
pub(crate) fn socket(fd: c_int, call: Call) -> Result<Socket, Errno> {
    let number = |name| sys::int_option(fd, libc::SOL_SOCKET, name);
    let mut socket = Socket {
        domain: u16::try_from(number(libc::SO_DOMAIN)?).unwrap_or(u16::MAX),
        kind: 0,
        protocol: 0,
        own_header: false,
    };
    if socket.without_address().is_some() {
        return Ok(socket);
    }
    if let Some((kind, protocol)) = usual(fd, call) {
        socket.kind = kind.cast_unsigned();
        socket.protocol = protocol.cast_unsigned();
        return Ok(socket);
    }
    socket.kind = number(libc::SO_TYPE)?.cast_unsigned();
    socket.protocol = number(libc::SO_PROTOCOL)?.cast_unsigned();
    if socket.kind == libc::SOCK_RAW as u32 {
        socket.own_header = writes_header(fd, socket.domain);
    }
    Ok(socket)
}

/// Type and protocol of an IP socket that answers to its protocol's own level. TCP's is answered by
/// MPTCP and SMC as well, whose sockets are of the same type and decided as the same; UDP's by
/// UDP-Lite likewise. All others, raw sockets of these numbers included, say ENOPROTOOPT
/// (`tcp_getsockopt`, `udp_lib_getsockopt` and their neighbours in Linux 6.18).
fn usual(fd: c_int, call: Call) -> Option<(c_int, c_int)> {
    const UDP_CORK: c_int = 1;
    let (level, name, kind) = match call {
        Call::Connect => (libc::IPPROTO_TCP, libc::TCP_NODELAY, libc::SOCK_STREAM),
        Call::SendTo | Call::SendMsg | Call::SendMmsg => {
            (libc::IPPROTO_UDP, UDP_CORK, libc::SOCK_DGRAM)
        }
    };
    sys::int_option(fd, level, name).ok()?;
    Some((kind, level))
}

/// IP_HDRINCL; where it cannot be read the stricter answer.
fn writes_header(fd: c_int, domain: u16) -> bool {
    const IPV6_HDRINCL: c_int = 36;
    let option = if domain == libc::AF_INET as u16 {
        sys::int_option(fd, libc::IPPROTO_IP, libc::IP_HDRINCL)
    } else {
        sys::int_option(fd, libc::IPPROTO_IPV6, IPV6_HDRINCL)
    };
    option != Ok(0)
}

/// Whether `call` on `fd` to the copied address may go on; holds it until that is known.
///
/// # Errors
/// ECONNREFUSED, or EINTR where a signal handler ended the wait.
pub(crate) fn addressed(
    call: Call,
    fd: c_int,
    socket: &Socket,
    to: &Copied,
    flags: c_int,
) -> Result<Go, Errno> {
    match socket.path(call, to.bytes(), flags & libc::MSG_FASTOPEN != 0) {
        Path::Pass(bypass) => Ok(Go::Bypassed(bypass)),
        Path::Refuse { address_family } => {
            let socket_family = socket.domain;
            ask::tell_refused(Refused {
                call,
                socket_family,
                address_family,
            });
            Err(errno_of(Refusal::UnknownFamily))
        }
        Path::Decide(ask) => match ask::ask(ask, || has_send_timeout(fd)) {
            Answer::Allow => Ok(Go::Allowed),
            Answer::Deny(refusal) => Err(errno_of(refusal)),
            Answer::Interrupted => Err(libc::EINTR),
        },
    }
}

/// Every refusal looks the same to the program.
fn errno_of(refusal: Refusal) -> Errno {
    match refusal {
        Refusal::Verdict | Refusal::NoSession | Refusal::BadFrame | Refusal::UnknownFamily => {
            libc::ECONNREFUSED
        }
    }
}

/// A call on a socket with SO_SNDTIMEO is never restarted (signal(7)).
fn has_send_timeout(fd: c_int) -> bool {
    let mut timeout = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let read = sys::option(fd, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &mut timeout);
    read.is_ok() && (timeout.tv_sec != 0 || timeout.tv_usec != 0)
}
