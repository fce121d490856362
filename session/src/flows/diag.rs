//! The bytes of sock_diag(7) for internet sockets: `struct inet_diag_req_v2`, `inet_diag_msg`
//! and `tcp_info` of linux/inet_diag.h and linux/tcp.h. All numbers in the host's byte order,
//! but ports and addresses. Nothing is read that is not there.

use super::socket::{Socket, Stage, canonical};
use crate::control::protocol::State;
use hallpass_policy::Protocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HEADER: usize = 16;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
const DUMP: u16 = 0x301;
/// `INET_DIAG_INFO`, and the bit that asks for it.
const INFO: u16 = 2;
const WANT_INFO: u8 = 1 << (INFO - 1);
/// `INET_DIAG_SHUTDOWN`: which ways are shut down, and RCV_SHUTDOWN | SEND_SHUTDOWN.
const SHUTDOWN: u16 = 8;
const BOTH_WAYS: u8 = 3;
/// `INET_DIAG_REQ_PROTOCOL`, for protocols whose number is more than a byte.
const REQ_PROTOCOL: u16 = 3;
const IPPROTO_MPTCP: u32 = 262;

/// A question: all sockets of one protocol and family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Tcp4,
    Tcp6,
    Udp4,
    Udp6,
    Mptcp4,
    Mptcp6,
}

impl Ask {
    /// MPTCP first: its TCP connections are listed by themselves, too, under the inode of the one
    /// socket that the program has.
    pub(super) const ALL: [Self; 6] = [
        Self::Mptcp4,
        Self::Mptcp6,
        Self::Tcp4,
        Self::Tcp6,
        Self::Udp4,
        Self::Udp6,
    ];

    fn protocol(self) -> Protocol {
        match self {
            Self::Udp4 | Self::Udp6 => Protocol::Udp,
            Self::Tcp4 | Self::Tcp6 | Self::Mptcp4 | Self::Mptcp6 => Protocol::Tcp,
        }
    }

    pub(super) fn is_mptcp(self) -> bool {
        matches!(self, Self::Mptcp4 | Self::Mptcp6)
    }

    /// The netlink message that asks.
    pub(super) fn request(self) -> Vec<u8> {
        let family = match self {
            Self::Tcp4 | Self::Udp4 | Self::Mptcp4 => libc::AF_INET,
            Self::Tcp6 | Self::Udp6 | Self::Mptcp6 => libc::AF_INET6,
        };
        let number = match self {
            // For MPTCP what counts comes in an attribute.
            Self::Tcp4 | Self::Tcp6 | Self::Mptcp4 | Self::Mptcp6 => libc::IPPROTO_TCP as u8,
            Self::Udp4 | Self::Udp6 => libc::IPPROTO_UDP as u8,
        };
        let mut body = vec![family as u8, number, WANT_INFO, 0];
        // Every state; the rest of the socket's identity is not looked at in a dump.
        body.extend(u32::MAX.to_ne_bytes());
        body.extend([0; 48]);
        if self.is_mptcp() {
            body.extend(8_u16.to_ne_bytes());
            body.extend(REQ_PROTOCOL.to_ne_bytes());
            body.extend(IPPROTO_MPTCP.to_ne_bytes());
        }
        let length = (HEADER + body.len()) as u32;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message.extend(DUMP.to_ne_bytes());
        // A number for the request, and ours; neither is needed on a socket for one question.
        message.extend([0; 8]);
        message.extend(body);
        message
    }
}

/// One message of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Socket(Socket),
    /// A socket that goes nowhere, or a message of another kind.
    Nothing,
    /// The kernel refuses: an errno.
    Error(i32),
    /// That was all.
    End,
}

/// The messages in one buffer, in order; a broken one ends it all.
pub(super) fn pieces(mut bytes: &[u8], ask: Ask) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let Some((kind, body, rest)) = message(bytes) else {
            pieces.push(Piece::Error(libc::EBADMSG));
            break;
        };
        bytes = rest;
        pieces.push(match kind {
            NLMSG_DONE => Piece::End,
            NLMSG_ERROR => {
                let errno = u32_at(body, 0).map_or(libc::EBADMSG, |number| {
                    number.cast_signed().checked_neg().unwrap_or(libc::EBADMSG)
                });
                Piece::Error(if errno > 0 { errno } else { libc::EBADMSG })
            }
            SOCK_DIAG_BY_FAMILY => socket(body, ask).map_or(Piece::Nothing, Piece::Socket),
            _ => Piece::Nothing,
        });
    }
    pieces
}

fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let body = bytes.get(HEADER..length)?;
    let next = length.next_multiple_of(4).min(bytes.len());
    Some((u16_at(bytes, 4)?, body, bytes.get(next..)?))
}

/// `struct inet_diag_msg`: family, state, timer, retransmissions; ports, addresses, interface,
/// cookie; timer's end, queues, user, inode; then attributes.
fn socket(body: &[u8], ask: Ask) -> Option<Socket> {
    const ATTRIBUTES: usize = 72;
    let family = i32::from(*body.first()?);
    let stage = Stage::of(*body.get(1)?, ask.protocol())?;
    let attributes = body.get(ATTRIBUTES..)?;
    if ask.protocol() == Protocol::Udp && attribute(attributes, SHUTDOWN) == Some(&[BOTH_WAYS]) {
        // It keeps its state, but nothing goes through it any more.
        return None;
    }
    let local = address(body.get(8..24)?, family)?;
    let remote = address(body.get(24..40)?, family)?;
    let cookie = u64::from(u32_at(body, 44)?) | u64::from(u32_at(body, 48)?) << 32;
    let info = if ask.protocol() == Protocol::Tcp && !ask.is_mptcp() {
        attribute(attributes, INFO)
    } else {
        None
    };
    Some(Socket {
        protocol: ask.protocol(),
        local: canonical(local, port_at(body, 4)?),
        remote: canonical(remote, port_at(body, 6)?),
        stage,
        inode: u64::from(u32_at(body, 68)?),
        cookie: Some(cookie),
        sent: info.and_then(sent),
        received: info.and_then(|info| received(info, stage)),
    })
}

/// Bytes of data sent: all that TCP has sent less what it has sent again (Linux 4.19), else what
/// was acknowledged (4.1), in which the SYN counts as one.
fn sent(info: &[u8]) -> Option<u64> {
    let (sent, again) = (u64_at(info, 200), u64_at(info, 208));
    match (sent, again) {
        (Some(sent), Some(again)) => Some(sent.saturating_sub(again)),
        _ => Some(u64_at(info, 120)?.saturating_sub(1)),
    }
}

/// Bytes of data received (4.1). The other end's FIN counts as one, once it is here.
fn received(info: &[u8], stage: Stage) -> Option<u64> {
    let has_fin = matches!(
        stage,
        Stage::Live(State::CloseWait | State::LastAck | State::Closing)
    );
    Some(u64_at(info, 128)?.saturating_sub(u64::from(has_fin)))
}

fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(4..length)?;
        if u16_at(bytes, 2)? == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

fn address(bytes: &[u8], family: i32) -> Option<IpAddr> {
    match family {
        libc::AF_INET => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        libc::AF_INET6 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

fn port_at(bytes: &[u8], at: usize) -> Option<u16> {
    chunk(bytes, at).map(u16::from_be_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    chunk(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    chunk(bytes, at).map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    chunk(bytes, at).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message_of(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// An established connection from 10.0.0.1:40000 to 10.0.0.2:443, inode 77, cookie 5.
    fn connection(state: u8) -> Vec<u8> {
        let mut body = vec![libc::AF_INET as u8, state, 0, 0];
        body.extend(40000_u16.to_be_bytes());
        body.extend(443_u16.to_be_bytes());
        body.extend([10, 0, 0, 1]);
        body.extend([0; 12]);
        body.extend([10, 0, 0, 2]);
        body.extend([0; 12]);
        body.extend(0_u32.to_ne_bytes());
        body.extend(5_u32.to_ne_bytes());
        body.extend(0_u32.to_ne_bytes());
        body.extend([0; 16]);
        body.extend(77_u32.to_ne_bytes());
        // An attribute that nobody asked for, then tcp_info.
        body.extend([5, 0, 9, 0, 1, 0, 0, 0]);
        let mut info = vec![0; 216];
        info[128..136].copy_from_slice(&1001_u64.to_ne_bytes());
        info[200..208].copy_from_slice(&500_u64.to_ne_bytes());
        info[208..216].copy_from_slice(&20_u64.to_ne_bytes());
        body.extend(220_u16.to_ne_bytes());
        body.extend(INFO.to_ne_bytes());
        body.extend(info);
        body
    }

    fn only(bytes: &[u8]) -> Piece {
        let mut pieces = pieces(bytes, Ask::Tcp4);
        assert_eq!(pieces.len(), 1, "{pieces:?}");
        pieces.remove(0)
    }

    #[test]
    fn a_connection_is_read() {
        let bytes = message_of(SOCK_DIAG_BY_FAMILY, &connection(1));
        let Piece::Socket(socket) = only(&bytes) else {
            panic!()
        };
        assert_eq!(socket.local, "10.0.0.1:40000".parse().unwrap());
        assert_eq!(socket.remote, "10.0.0.2:443".parse().unwrap());
        assert_eq!((socket.inode, socket.cookie), (77, Some(5)));
        assert_eq!((socket.sent, socket.received), (Some(480), Some(1001)));
        assert_eq!(socket.stage, Stage::Live(State::Established));
        // The FIN is no byte of data.
        let bytes = message_of(SOCK_DIAG_BY_FAMILY, &connection(8));
        let Piece::Socket(socket) = only(&bytes) else {
            panic!()
        };
        assert_eq!(socket.received, Some(1000));
    }

    #[test]
    fn time_wait_goes_nowhere_and_ends_and_refusals_are_seen() {
        let gone = message_of(SOCK_DIAG_BY_FAMILY, &connection(6));
        assert_eq!(only(&gone), Piece::Nothing);
        assert_eq!(only(&message_of(NLMSG_DONE, &[0; 4])), Piece::End);
        let refused = (-libc::ENOENT).to_ne_bytes();
        assert_eq!(
            only(&message_of(NLMSG_ERROR, &refused)),
            Piece::Error(libc::ENOENT)
        );
        for nonsense in [&i32::MIN.to_ne_bytes()[..], &[0; 4], &[1, 0, 0, 0], &[]] {
            assert_eq!(
                only(&message_of(NLMSG_ERROR, nonsense)),
                Piece::Error(libc::EBADMSG)
            );
        }
    }

    #[test]
    fn every_cut_is_noticed_or_does_no_harm() {
        let whole = message_of(SOCK_DIAG_BY_FAMILY, &connection(1));
        for length in 1..whole.len() {
            assert_eq!(only(&whole[..length]), Piece::Error(libc::EBADMSG));
        }
        // A body that is too short for what it says, in a message that says so itself.
        let body = connection(1);
        for length in 0..body.len() {
            let bytes = message_of(SOCK_DIAG_BY_FAMILY, &body[..length]);
            match only(&bytes) {
                Piece::Nothing => assert!(length < 72),
                Piece::Socket(socket) => assert_eq!(socket.received, None),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn lengths_that_lie_end_the_buffer() {
        for length in [0_u32, 1, 15, u32::MAX, 1000] {
            let mut bytes = message_of(SOCK_DIAG_BY_FAMILY, &connection(1));
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(only(&bytes), Piece::Error(libc::EBADMSG));
        }
        for length in [0_u16, 1, 3] {
            let mut body = connection(1);
            body[72..74].copy_from_slice(&length.to_ne_bytes());
            let Piece::Socket(socket) = only(&message_of(SOCK_DIAG_BY_FAMILY, &body)) else {
                panic!()
            };
            assert_eq!((socket.sent, socket.received), (None, None));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_loop(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            for ask in Ask::ALL {
                prop_assert!(pieces(&bytes, ask).len() <= bytes.len());
            }
        }
    }
}
