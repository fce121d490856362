//! The socket calls with an address, a message and control data as bytes.

use super::{check, owned};
use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// socket(2).
pub(crate) fn create(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: three integers, no memory.
    owned(unsafe { libc::socket(family, kind, protocol) }.into())
}

/// listen(2).
pub(crate) fn listen(socket: BorrowedFd<'_>, backlog: i32) -> Result<(), Errno> {
    // SAFETY: two integers, no memory.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) }.into()).map(drop)
}

/// getsockname(2) or getpeername(2).
type Name = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

fn name(socket: BorrowedFd<'_>, which: Name) -> Result<Vec<u8>, Errno> {
    let mut bytes = [0; size_of::<libc::sockaddr_storage>()];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: `bytes` is valid for writes of `length` bytes, and both outlive the call.
    let result = unsafe {
        which(
            socket.as_raw_fd(),
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    check(result.into())?;
    Ok(bytes.get(..length as usize).unwrap_or(&bytes).to_vec())
}

/// The bytes of the sockaddr that it is bound to.
pub(crate) fn local_address(socket: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    name(socket, libc::getsockname)
}

/// Whether it is connected, or was until its peer left.
pub(crate) fn has_peer(socket: BorrowedFd<'_>) -> bool {
    name(socket, libc::getpeername).is_ok()
}

/// connect(2) with the bytes of a sockaddr.
pub(crate) fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> Result<(), Errno> {
    let length = length(address)?;
    // SAFETY: the kernel reads `length` bytes from `address`, which outlives the call.
    let result = unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) };
    check(result.into()).map(drop)
}

/// One message: what sendmsg(2) takes.
pub(crate) struct Message<'a> {
    /// The bytes of a sockaddr.
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) data: &'a [u8],
    /// Control messages, aligned as `cmsghdr`.
    pub(crate) control: &'a [u64],
    /// Bytes of `control` that count.
    pub(crate) control_length: usize,
    pub(crate) flags: i32,
}

/// sendmsg(2).
pub(crate) fn send(socket: BorrowedFd<'_>, message: &Message<'_>) -> Result<usize, Errno> {
    let mut data = libc::iovec {
        iov_base: message.data.as_ptr().cast_mut().cast(),
        iov_len: message.data.len(),
    };
    let mut header = std::mem::MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: a msghdr of zeroes is an empty message without address.
    let header = unsafe { header.assume_init_mut() };
    if let Some(name) = message.name {
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = length(name)?;
    }
    header.msg_iov = &raw mut data;
    header.msg_iovlen = 1;
    if message.control_length > 0 {
        if message.control_length > size_of_val(message.control) {
            return Err(Errno::EINVAL);
        }
        header.msg_control = message.control.as_ptr().cast_mut().cast();
        header.msg_controllen = message.control_length as _;
    }
    // SAFETY: name, data and control are valid for reads of the lengths given and outlive the
    // call; sendmsg writes to none of them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), header, message.flags) };
    let sent = check(sent as libc::c_long)?;
    usize::try_from(sent).map_err(|_| Errno::EIO)
}

fn length(address: &[u8]) -> Result<libc::socklen_t, Errno> {
    libc::socklen_t::try_from(address.len()).map_err(|_| Errno::EINVAL)
}

/// An integer of getsockopt(2) at level SOL_SOCKET.
pub(crate) fn option(socket: BorrowedFd<'_>, name: i32) -> Result<i32, Errno> {
    let mut value: i32 = 0;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `value` is valid for writes of `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    check(result.into())?;
    Ok(value)
}

/// The process at the other end of a connected UNIX socket (SO_PEERCRED); 0 for one that has no
/// number here.
pub(crate) fn peer(socket: BorrowedFd<'_>) -> Result<u32, Errno> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let credentials = getsockopt(&socket, PeerCredentials)?;
    Ok(u32::try_from(credentials.pid()).unwrap_or(0))
}

/// SO_SNDTIMEO: seconds and microseconds, 0 and 0 for none.
pub(crate) fn send_timeout(socket: BorrowedFd<'_>) -> Result<libc::timeval, Errno> {
    let mut value = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let mut length = size_of::<libc::timeval>() as libc::socklen_t;
    // SAFETY: `value` is valid for writes of `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    check(result.into())?;
    Ok(value)
}

/// Sets SO_SNDTIMEO. Negative seconds: never wait.
pub(crate) fn set_send_timeout(socket: BorrowedFd<'_>, value: libc::timeval) -> Result<(), Errno> {
    // SAFETY: `value` is valid for reads of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw const value).cast(),
            size_of::<libc::timeval>() as libc::socklen_t,
        )
    };
    check(result.into()).map(drop)
}

/// Device and inode of a descriptor of ours; of another file where it has been closed meanwhile.
pub(crate) fn inode(fd: RawFd) -> Result<(u64, u64), Errno> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `status` is valid for writes of its size; any number may be given.
    check(unsafe { libc::fstat(fd, status.as_mut_ptr()) }.into())?;
    // SAFETY: the structure holds integers only, so zeroes and what the kernel wrote are valid.
    let status = unsafe { status.assume_init() };
    Ok((status.st_dev, status.st_ino))
}

/// shutdown(2) of the sending half.
pub(crate) fn stop_sending(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: two integers, no memory.
    check(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) }.into()).map(drop)
}
