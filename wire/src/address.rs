//! Addresses and transports as they stand in a frame.

use crate::DecodeError;
use crate::bytes::{Reader, Writer};

/// Bytes one address takes: family, three zeros, scope id, sixteen octets.
pub(crate) const ADDRESS_LEN: usize = 24;

const V4: u8 = 4;
const V6: u8 = 6;

/// The transport a call would use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP, and what opens a connection like it: MPTCP, SCTP, DCCP.
    Tcp,
    /// UDP and UDP-Lite.
    Udp,
    /// ICMP and ICMPv6, on raw and on ping sockets.
    Icmp,
    /// Any other protocol of a raw socket.
    Raw,
}

impl Protocol {
    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 1,
            Self::Udp => 2,
            Self::Icmp => 3,
            Self::Raw => 4,
        }
    }

    pub(crate) fn from_number(number: u8) -> Result<Self, DecodeError> {
        match number {
            1 => Ok(Self::Tcp),
            2 => Ok(Self::Udp),
            3 => Ok(Self::Icmp),
            4 => Ok(Self::Raw),
            _ => Err(DecodeError::Field("protocol")),
        }
    }
}

/// An IP address in its one canonical form: a v4-mapped IPv6 address is its IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// IPv4, network order.
    V4([u8; 4]),
    /// IPv6. Build it with [`Address::v6`]: a frame with a v4-mapped one is refused.
    V6 {
        /// Network order.
        octets: [u8; 16],
        /// `sin6_scope_id`; 0 if there is none.
        scope_id: u32,
    },
}

impl Address {
    /// The address of a `sockaddr_in6`: IPv4 where it is v4-mapped (RFC 4291 2.5.5.2).
    #[must_use]
    pub fn v6(octets: [u8; 16], scope_id: u32) -> Self {
        match octets {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Self::V4([a, b, c, d]),
            _ => Self::V6 { octets, scope_id },
        }
    }

    pub(crate) fn encode(&self) -> [u8; ADDRESS_LEN] {
        let mut record = [0; ADDRESS_LEN];
        let mut writer = Writer::new(&mut record);
        match *self {
            Self::V4(octets) => {
                writer.put([V4, 0, 0, 0, 0, 0, 0, 0]);
                writer.put(octets);
            }
            Self::V6 { octets, scope_id } => {
                writer.put([V6, 0, 0, 0]);
                writer.put(scope_id.to_le_bytes());
                writer.put(octets);
            }
        }
        record
    }

    pub(crate) fn decode(record: &[u8; ADDRESS_LEN]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(record);
        let family = reader.u8()?;
        reader.zeros::<3>()?;
        match family {
            V4 => {
                reader.zeros::<4>()?;
                let octets = reader.take()?;
                reader.end()?;
                Ok(Self::V4(octets))
            }
            V6 => {
                let scope_id = reader.u32()?;
                match Self::v6(reader.take()?, scope_id) {
                    Self::V4(_) => Err(DecodeError::Field("address")),
                    address @ Self::V6 { .. } => Ok(address),
                }
            }
            _ => Err(DecodeError::Field("family")),
        }
    }
}
