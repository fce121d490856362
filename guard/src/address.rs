//! The bytes of a sockaddr: copied once, read here, and given to the kernel as they were read.

use crate::socket::{Family, Kind, Socket};
use crate::target::{Memory, Piece};
use nix::errno::Errno;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// `sizeof(struct sockaddr_storage)`: the kernel refuses longer addresses.
const MAX: usize = 128;
const FAMILY: usize = size_of::<libc::sa_family_t>();
/// sockaddr_in, and sockaddr_in6 without its scope id, which RFC 2133 did not have.
const INET: usize = 16;
const INET6: usize = 24;

/// A copy of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    bytes: [u8; MAX],
    length: usize,
}

/// What an IP socket makes of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// This endpoint.
    Endpoint(SocketAddr),
    /// No endpoint: connect undoes a connection, a send goes where the socket is connected to.
    Nothing,
}

impl Address {
    /// Copies `length` (an int) bytes from the caller's memory, as the kernel would.
    pub(crate) fn copy(memory: Memory, address: u64, length: u64) -> Result<Self, Errno> {
        Self::copied(length, |part| memory.read(address, part)).map(|(copy, ())| copy)
    }

    /// The same, and the data that go there, to the front of `buffer` in the same go: true where
    /// all of them could be read.
    pub(crate) fn copy_with(
        memory: Memory,
        (address, length): (u64, u64),
        data: Piece,
        buffer: &mut [u8],
    ) -> Result<(Self, bool), Errno> {
        Self::copied(length, |part| {
            memory.read_two((address, part), data, buffer)
        })
    }

    fn copied<T>(
        length: u64,
        read: impl FnOnce(&mut [u8]) -> Result<T, Errno>,
    ) -> Result<(Self, T), Errno> {
        let length = usize::try_from(length as u32 as i32).map_err(|_| Errno::EINVAL)?;
        let mut bytes = [0; MAX];
        let read = read(bytes.get_mut(..length).ok_or(Errno::EINVAL)?)?;
        Ok((Self { bytes, length }, read))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// AF_*; none for an address too short to have one.
    pub(crate) fn family(&self) -> Option<i32> {
        let bytes = self.bytes().get(..FAMILY)?;
        Some(libc::sa_family_t::from_ne_bytes(bytes.try_into().ok()?).into())
    }

    /// To where connect(2) on an IP socket would go.
    pub(crate) fn for_connect(&self) -> Result<Meaning, Errno> {
        match self.family() {
            None => Err(Errno::EINVAL),
            Some(libc::AF_UNSPEC) => Ok(Meaning::Nothing),
            Some(libc::AF_INET) => self.inet().map(Meaning::Endpoint),
            Some(libc::AF_INET6) => self.inet6().map(Meaning::Endpoint),
            Some(_) => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// To where a message on `socket`, one of IP, would go.
    pub(crate) fn for_send(&self, socket: &Socket) -> Result<Meaning, Errno> {
        match (self.family(), socket.family) {
            (None, _) => Err(Errno::EINVAL),
            // "Forgot to set AF_INET": the kernel takes it for granted.
            (Some(libc::AF_UNSPEC | libc::AF_INET), Family::Inet) => {
                self.inet().map(Meaning::Endpoint)
            }
            // As much is taken for granted by raw sockets of IPv6.
            (Some(libc::AF_UNSPEC), _) if socket.kind == Kind::Raw => {
                self.inet6().map(Meaning::Endpoint)
            }
            (Some(libc::AF_UNSPEC), _) => Ok(Meaning::Nothing),
            (Some(libc::AF_INET), _) => self.inet().map(Meaning::Endpoint),
            (Some(libc::AF_INET6), Family::Inet6) => self.inet6().map(Meaning::Endpoint),
            (Some(_), Family::Inet) => Err(Errno::EAFNOSUPPORT),
            (Some(_), _) => Err(Errno::EINVAL),
        }
    }

    fn inet(&self) -> Result<SocketAddr, Errno> {
        let bytes: [u8; INET] = self.prefix()?;
        let [_, _, p0, p1, a, b, c, d, ..] = bytes;
        let port = u16::from_be_bytes([p0, p1]);
        Ok(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into())
    }

    fn inet6(&self) -> Result<SocketAddr, Errno> {
        let bytes: [u8; INET6] = self.prefix()?;
        let [_, _, p0, p1, _, _, _, _, octets @ ..] = bytes;
        let scope = self
            .bytes()
            .get(INET6..INET6 + 4)
            .and_then(|it| it.try_into().ok())
            .map_or(0, u32::from_ne_bytes);
        let port = u16::from_be_bytes([p0, p1]);
        Ok(SocketAddrV6::new(Ipv6Addr::from(octets), port, 0, scope).into())
    }

    fn prefix<const N: usize>(&self) -> Result<[u8; N], Errno> {
        self.bytes()
            .get(..N)
            .and_then(|it| it.try_into().ok())
            .ok_or(Errno::EINVAL)
    }

    /// What follows the family of a UNIX address: a path ended by a zero or by the address's own
    /// end, or an abstract name behind a zero. EINVAL for other families and for no name at all.
    pub(crate) fn unix(&self) -> Result<UnixName<'_>, Errno> {
        if self.family() != Some(libc::AF_UNIX) || self.length > size_of::<libc::sockaddr_un>() {
            return Err(Errno::EINVAL);
        }
        match self.bytes().get(FAMILY..) {
            None | Some([]) => Err(Errno::EINVAL),
            Some([0, name @ ..]) => Ok(UnixName::Abstract(name)),
            Some(path) => Ok(UnixName::Path(
                path.split(|byte| *byte == 0).next().unwrap_or(path),
            )),
        }
    }
}

/// A UNIX socket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnixName<'a> {
    Path(&'a [u8]),
    Abstract(&'a [u8]),
}

#[cfg(test)]
mod tests {
    use super::{Address, Meaning, UnixName};
    use crate::socket::Socket;
    use crate::target::Memory;
    use nix::errno::Errno;
    use std::net::{TcpListener, UdpSocket};

    fn address(bytes: &[u8]) -> Address {
        let me = Memory::of(std::process::id());
        Address::copy(me, bytes.as_ptr() as u64, bytes.len() as u64).unwrap()
    }

    fn inet(family: i32) -> Vec<u8> {
        let mut bytes = (family as u16).to_ne_bytes().to_vec();
        bytes.extend([0, 80, 10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    fn inet6(length: usize) -> Vec<u8> {
        let mut bytes = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        bytes.extend([1, 0, 9, 9, 9, 9]);
        bytes.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend(3u32.to_ne_bytes());
        bytes.truncate(length);
        bytes
    }

    fn endpoint(text: &str) -> Result<Meaning, Errno> {
        Ok(Meaning::Endpoint(text.parse().unwrap()))
    }

    #[test]
    fn lengths_are_checked_before_anything_is_copied() {
        let me = Memory::of(std::process::id());
        for length in [129, 1 << 31, u64::from(u32::MAX)] {
            let copy = Address::copy(me, 8, length).map(drop);
            assert_eq!(copy, Err(Errno::EINVAL), "{length}");
        }
        assert_eq!(Address::copy(me, 8, 16).map(drop), Err(Errno::EFAULT));
        assert!(Address::copy(me, 8, 0).is_ok(), "nothing is read");
        // An int: the upper half of the register is not the kernel's.
        assert!(Address::copy(me, inet(2).as_ptr() as u64, 16 | 1 << 32).is_ok());
    }

    #[test]
    fn connects_read_the_familys_own_form() {
        assert_eq!(address(&inet(2)).for_connect(), endpoint("10.0.0.7:80"));
        assert_eq!(
            address(&inet6(28)).for_connect(),
            endpoint("[fe80::1%3]:256")
        );
        assert_eq!(address(&inet6(24)).for_connect(), endpoint("[fe80::1]:256"));
        assert_eq!(address(&inet(0)).for_connect(), Ok(Meaning::Nothing));
        assert_eq!(address(&inet(0)[..2]).for_connect(), Ok(Meaning::Nothing));
        assert_eq!(address(&inet(2)[..15]).for_connect(), Err(Errno::EINVAL));
        assert_eq!(address(&inet6(23)).for_connect(), Err(Errno::EINVAL));
        assert_eq!(address(&inet(40)).for_connect(), Err(Errno::EAFNOSUPPORT));
        assert_eq!(address(&[2]).for_connect(), Err(Errno::EINVAL));
        assert_eq!(address(&[]).for_connect(), Err(Errno::EINVAL));
    }

    #[test]
    fn an_unspecified_family_is_an_address_to_datagrams_of_ipv4() {
        let four = Socket::new(UdpSocket::bind("127.0.0.1:0").unwrap().into()).unwrap();
        let six = Socket::new(UdpSocket::bind("[::1]:0").unwrap().into()).unwrap();
        assert_eq!(address(&inet(0)).for_send(&four), endpoint("10.0.0.7:80"));
        assert_eq!(address(&inet(0)).for_send(&six), Ok(Meaning::Nothing));
        assert_eq!(address(&inet(2)).for_send(&six), endpoint("10.0.0.7:80"));
        assert_eq!(
            address(&inet6(28)).for_send(&six),
            endpoint("[fe80::1%3]:256")
        );
        assert_eq!(
            address(&inet6(28)).for_send(&four),
            Err(Errno::EAFNOSUPPORT)
        );
        let stream = Socket::new(TcpListener::bind("127.0.0.1:0").unwrap().into()).unwrap();
        assert!(stream.ignores_names() && !four.ignores_names());
    }

    #[test]
    fn unix_names_are_paths_or_abstract() {
        let unix = |name: &[u8]| {
            let mut bytes = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
            bytes.extend(name);
            address(&bytes)
        };
        assert_eq!(unix(b"/run/x\0junk").unix(), Ok(UnixName::Path(b"/run/x")));
        assert_eq!(unix(b"x").unix(), Ok(UnixName::Path(b"x")));
        assert_eq!(unix(b"\0a\0b").unix(), Ok(UnixName::Abstract(b"a\0b")));
        assert_eq!(unix(b"").unix(), Err(Errno::EINVAL));
        assert_eq!(unix(&[b'a'; 109]).unix(), Err(Errno::EINVAL));
        assert_eq!(address(&inet(2)).unix(), Err(Errno::EINVAL));
    }
}
