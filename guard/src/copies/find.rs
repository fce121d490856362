//! Which sockets other processes have: what /proc/PID/fd says.

use crate::sys::process;
pub(super) use crate::target::errno;
use hallpass_look as look;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, stat};
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::fs;

/// A descriptor of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) tid: u32,
    pub(super) fd: i32,
}

impl Place {
    fn path(self) -> String {
        format!("/proc/{}/fd/{}", self.tid, self.fd)
    }

    fn is_path(self) -> bool {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{}", self.tid, self.fd));
        info.is_ok_and(|it| says_path(&it))
    }

    /// The inode of the socket that is there.
    pub(super) fn socket(self, device: u64) -> Result<u64, Errno> {
        look::into(self.tid, || self.look(device))
    }

    fn look(self, device: u64) -> Result<u64, Errno> {
        match stat(self.path().as_str()) {
            Ok(it) if SFlag::from_bits_truncate(it.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK => {
                Err(if self.is_path() {
                    Errno::EBADF
                } else {
                    Errno::ENOTSOCK
                })
            }
            // A UNIX socket's file, opened with O_PATH.
            Ok(it) if it.st_dev != device => Err(Errno::EBADF),
            Ok(it) => Ok(it.st_ino),
            Err(Errno::ENOENT) => Err(Errno::EBADF),
            Err(errno) => Err(errno),
        }
    }
}

/// Whether a line of /proc/PID/fdinfo says O_PATH: to the kernel such a descriptor is none.
fn says_path(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|it| i32::from_str_radix(it.trim(), 8).ok());
    flags.is_some_and(|it| it & libc::O_PATH != 0)
}

/// What a socket is of which there is no copy: as much as can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// TCP or MPTCP.
    Tcp,
    /// UNIX, of a type that takes no address once it is connected.
    UnixConnection,
    Netlink,
    Other,
}

impl Unseen {
    pub(super) fn at(place: Place, inode: u64) -> Result<Self, Errno> {
        let path = CString::new(place.path()).map_err(|_| Errno::EINVAL)?;
        let name = look::into(place.tid, || process::socket_protocol(&path))?;
        Ok(match name.as_slice() {
            b"TCP" | b"TCPv6" | b"MPTCP" | b"MPTCPv6" => Self::Tcp,
            b"UNIX-STREAM" => Self::UnixConnection,
            b"NETLINK" => Self::Netlink,
            // Datagrams or sequenced packets; before Linux 5.15 of any type.
            b"UNIX" if is_unix_connection(place.tid, inode) => Self::UnixConnection,
            _ => Self::Other,
        })
    }
}

fn is_unix_connection(tid: u32, inode: u64) -> bool {
    let list = fs::read_to_string(format!("/proc/{tid}/net/unix")).unwrap_or_default();
    list.lines()
        .any(|line| unix_connection(line) == Some(inode))
}

/// The inode of a line of /proc/net/unix that is about a stream (1) or sequenced packets (5).
fn unix_connection(line: &str) -> Option<u64> {
    let mut words = line.split_ascii_whitespace();
    // Num RefCount Protocol Flags Type St Inode Path
    let kind = words.nth(4)?;
    let inode = words.nth(1)?.parse().ok()?;
    matches!(kind, "0001" | "0005").then_some(inode)
}

/// A network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network(u64, u64);

impl Network {
    pub(super) fn own() -> Result<Self, Errno> {
        Self::at("/proc/self/ns/net")
    }

    pub(super) fn of(tid: u32) -> Result<Self, Errno> {
        look::into(tid, || Self::at(&format!("/proc/{tid}/ns/net")))
    }

    fn at(path: &str) -> Result<Self, Errno> {
        stat(path).map(|it| Self(it.st_dev, it.st_ino))
    }
}

/// Where `wanted` sockets are, of all processes but this one.
pub(super) fn everywhere(wanted: &HashSet<u64>) -> HashMap<u64, Place> {
    let mut places = HashMap::new();
    let own = std::process::id();
    for pid in numbers("/proc").filter(|pid| *pid != own) {
        if table(pid, wanted, &mut places) == 0 {
            // A first thread that has ended has none; the others of its process may live.
            for tid in numbers(&format!("/proc/{pid}/task")).filter(|tid| *tid != pid) {
                if table(tid, wanted, &mut places) > 0 {
                    break;
                }
            }
        }
    }
    places
}

/// Looks through one table; returns how many descriptors it has.
fn table(tid: u32, wanted: &HashSet<u64>, places: &mut HashMap<u64, Place>) -> usize {
    look::into(tid, || look_through(tid, wanted, places))
}

fn look_through(tid: u32, wanted: &HashSet<u64>, places: &mut HashMap<u64, Place>) -> usize {
    let mut count = 0;
    for fd in numbers(&format!("/proc/{tid}/fd")) {
        count += 1;
        let link = fs::read_link(format!("/proc/{tid}/fd/{fd}"));
        let inode = link.ok().and_then(|it| socket_of(it.to_str()?));
        if let Some(inode) = inode.filter(|it| wanted.contains(it)) {
            let fd = fd.cast_signed();
            places.insert(inode, Place { tid, fd });
        }
    }
    count
}

/// `socket:[123]`
fn socket_of(link: &str) -> Option<u64> {
    let number = link.strip_prefix("socket:[")?.strip_suffix(']')?;
    number.parse().ok()
}

fn numbers(directory: &str) -> impl Iterator<Item = u32> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{Network, Place, Unseen, everywhere, socket_of, unix_connection};
    use nix::errno::Errno;
    use nix::sys::stat::fstat;
    use std::collections::HashSet;
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::process::{Command, Stdio};

    fn here(socket: &impl AsRawFd) -> Place {
        Place {
            tid: std::process::id(),
            fd: socket.as_raw_fd(),
        }
    }

    #[test]
    fn sockets_are_told_from_outside() {
        let (tcp, udp) = (
            TcpListener::bind("[::1]:0").unwrap(),
            UdpSocket::bind("127.0.0.1:0").unwrap(),
        );
        let device = fstat(&tcp).unwrap().st_dev;
        let inode = here(&tcp).socket(device).unwrap();
        assert_eq!(inode, fstat(&tcp).unwrap().st_ino);
        assert_eq!(Unseen::at(here(&tcp), inode), Ok(Unseen::Tcp));
        assert_eq!(Unseen::at(here(&udp), 0), Ok(Unseen::Other));
        let (stream, _peer) = UnixStream::pair().unwrap();
        let inode = here(&stream).socket(device).unwrap();
        assert_eq!(Unseen::at(here(&stream), inode), Ok(Unseen::UnixConnection));
        let datagrams = UnixDatagram::unbound().unwrap();
        let inode = here(&datagrams).socket(device).unwrap();
        assert_eq!(Unseen::at(here(&datagrams), inode), Ok(Unseen::Other));
        let file = tempfile::tempfile().unwrap();
        assert_eq!(here(&file).socket(device), Err(Errno::ENOTSOCK));
        let path = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH)
            .open("/")
            .unwrap();
        assert_eq!(here(&path).socket(device), Err(Errno::EBADF));
        let nothing = Place { tid: 1, fd: 9999 };
        assert!(nothing.socket(device).is_err());
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "0000000000000000: 00000002 00000000 00010000 0005 01 4711 /run/x";
        assert_eq!(unix_connection(line), Some(4711));
        let line = "0000000000000000: 00000002 00000000 00000000 0002 01 4711 @x 0001 1 4712";
        assert_eq!(unix_connection(line), None);
        assert_eq!(unix_connection("Num       RefCount Protocol"), None);
        assert_eq!(socket_of("socket:[12]"), Some(12));
        assert_eq!(socket_of("/tmp/socket:[12]"), None);
    }

    #[test]
    fn sockets_of_other_processes_are_found() {
        let (mine, theirs) = UnixStream::pair().unwrap();
        let inode = fstat(&theirs).unwrap().st_ino;
        let wanted = HashSet::from([inode, fstat(&mine).unwrap().st_ino]);
        let mut child = Command::new("sleep")
            .arg("20")
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let found = everywhere(&wanted);
        let place = Place {
            tid: child.id(),
            fd: 0,
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.get(&inode), Some(&place));
        assert_eq!(found.len(), 1, "its own do not count");
        assert_eq!(Network::own(), Network::of(std::process::id()));
    }
}
