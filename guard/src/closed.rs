//! Calls that are refused whatever they say: the filter tells of them only so that it can be said
//! by name.

use crate::decide::Refusal;
use crate::filter;
use crate::listener::Notification;
use nix::errno::Errno;

/// What a closed call fails with, and why. Everything that is no connect or send ends here.
pub(crate) fn refusal(notification: &Notification) -> (Refusal, Errno) {
    if !filter::is_native(notification.arch, notification.number) {
        return (Refusal::Convention, Errno::ENOSYS);
    }
    // Arguments that are ints to the kernel.
    let [first, second, third, ..] = notification.arguments.map(|it| it as u32 as i32);
    match libc::c_long::from(notification.number) {
        libc::SYS_socket => match (first, second & SOCK_TYPE_MASK) {
            (_, SOCK_PACKET) => (Refusal::Family(libc::AF_PACKET), Errno::EAFNOSUPPORT),
            (libc::AF_INET | libc::AF_INET6, _) => (Refusal::RawHeader, Errno::EPERM),
            (family, _) => (Refusal::Family(family), Errno::EAFNOSUPPORT),
        },
        libc::SYS_setsockopt => match (second, third) {
            (libc::IPPROTO_IP, libc::IP_HDRINCL) | (libc::IPPROTO_IPV6, IPV6_HDRINCL) => {
                (Refusal::RawHeader, Errno::EPERM)
            }
            _ => (Refusal::Rerouting, Errno::EPERM),
        },
        libc::SYS_getsockopt => (Refusal::Rerouting, Errno::EPERM),
        libc::SYS_io_uring_setup => (Refusal::IoUring, Errno::ENOSYS),
        libc::SYS_ioctl => (Refusal::Typing, Errno::EPERM),
        _ => (Refusal::ForeignProcess, Errno::EPERM),
    }
}

/// Whether the filter tells of this socket(2) to have it refused, as its table says; where sockets
/// are made here it tells of the others as well.
pub(crate) fn is_closed_socket(family: i32, kind: i32, protocol: i32) -> bool {
    match (family, kind & SOCK_TYPE_MASK) {
        (libc::AF_UNIX | libc::AF_NETLINK, _) => false,
        (libc::AF_INET | libc::AF_INET6, SOCK_PACKET) => true,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_RAW) => protocol == libc::IPPROTO_RAW,
        (libc::AF_INET | libc::AF_INET6, _) => false,
        _ => true,
    }
}

const IPV6_HDRINCL: i32 = 36;
/// The type without SOCK_CLOEXEC and SOCK_NONBLOCK.
pub(crate) const SOCK_TYPE_MASK: i32 = 0xf;
const SOCK_PACKET: i32 = 10;

#[cfg(test)]
mod tests {
    use super::refusal;
    use crate::decide::Refusal;
    use crate::filter;
    use crate::listener::Notification;
    use nix::errno::Errno;

    fn native(number: libc::c_long, arguments: [u64; 6]) -> (Refusal, Errno) {
        refusal(&Notification {
            id: 1,
            tid: 1,
            arch: filter::machine().arch,
            number: number as i32,
            arguments,
        })
    }

    #[test]
    fn each_has_a_name() {
        let socket = native(libc::SYS_socket, [40, 1, 0, 0, 0, 0]);
        assert_eq!(socket, (Refusal::Family(40), Errno::EAFNOSUPPORT));
        let packet = native(libc::SYS_socket, [2, 10 | 0o2_000_000, 0x300, 0, 0, 0]);
        assert_eq!(packet, (Refusal::Family(17), Errno::EAFNOSUPPORT));
        let raw = native(libc::SYS_socket, [2, 3, 255, 0, 0, 0]);
        assert_eq!(raw, (Refusal::RawHeader, Errno::EPERM));
        let route = native(libc::SYS_setsockopt, [3, 0, 4, 1, 8, 0]);
        assert_eq!(route, (Refusal::Rerouting, Errno::EPERM));
        let ring = native(libc::SYS_io_uring_setup, [8, 0, 0, 0, 0, 0]);
        assert_eq!(ring, (Refusal::IoUring, Errno::ENOSYS));
        let typing = native(libc::SYS_ioctl, [0, 0x5412, 0, 0, 0, 0]);
        assert_eq!(typing, (Refusal::Typing, Errno::EPERM));
        let other = native(libc::SYS_ptrace, [16, 1, 0, 0, 0, 0]);
        assert_eq!(other, (Refusal::ForeignProcess, Errno::EPERM));
    }

    #[test]
    fn other_conventions_are_refused_whatever_the_number() {
        let (connect, arch) = (libc::SYS_connect as i32, filter::machine().compat_arch);
        for (arch, number) in [(arch, connect), (filter::machine().arch, 0x4000_0000 | 42)] {
            let notification = Notification {
                id: 1,
                tid: 1,
                arch,
                number,
                arguments: [0; 6],
            };
            assert_eq!(refusal(&notification), (Refusal::Convention, Errno::ENOSYS));
        }
    }
}
