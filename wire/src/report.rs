//! What a program looked up: a name and the addresses it got for it.

use crate::address::ADDRESS_LEN;
use crate::bytes::{Reader, Writer, all_zero};
use crate::{Address, DecodeError, Protocol};

/// Longest host name in bytes; RFC 1035 allows 253 written out.
pub const MAX_NAME: usize = 255;
/// Most addresses in one report; the hook sends several for a name that has more.
pub const MAX_ADDRESSES: usize = 32;

/// Bytes of the body: two lengths, port, protocol, three zeros, name and a zero, addresses.
pub(crate) const REPORT_LEN: usize = 8 + MAX_NAME + 1 + MAX_ADDRESSES * ADDRESS_LEN;

const NO_ADDRESS: Address = Address::V4([0; 4]);

/// A name as the program spelt it, addresses that a look-up gave for it, and what for.
///
/// The name is 1 to [`MAX_NAME`] bytes of UTF-8 without control characters; case and a trailing
/// dot are as the program wrote them.
#[derive(Clone, PartialEq, Eq)]
pub struct NameReport {
    name: [u8; MAX_NAME],
    name_len: u8,
    addresses: [Address; MAX_ADDRESSES],
    count: u8,
    port: u16,
    protocol: Option<Protocol>,
}

impl NameReport {
    /// A report with no addresses yet.
    ///
    /// # Errors
    /// [`DecodeError::Name`] for a name that is empty, longer than [`MAX_NAME`], not UTF-8, or
    /// has control characters.
    pub fn new(name: &[u8]) -> Result<Self, DecodeError> {
        checked_name(name)?;
        let name_len = u8::try_from(name.len()).map_err(|_| DecodeError::Name)?;
        let mut copy = [0; MAX_NAME];
        for (to, from) in copy.iter_mut().zip(name) {
            *to = *from;
        }
        Ok(Self {
            name: copy,
            name_len,
            addresses: [NO_ADDRESS; MAX_ADDRESSES],
            count: 0,
            port: 0,
            protocol: None,
        })
    }

    /// Says what the look-up was for: a port in host order, 0 if it did not say, and a transport.
    pub fn set_purpose(&mut self, port: u16, protocol: Option<Protocol>) {
        self.port = port;
        self.protocol = protocol;
    }

    /// The port that the look-up was for, in host order; 0 if it did not say.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The transport that the look-up was for, if it said so.
    #[must_use]
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Adds an address; false if [`MAX_ADDRESSES`] are in already.
    pub fn push(&mut self, address: Address) -> bool {
        match self.addresses.get_mut(usize::from(self.count)) {
            Some(slot) => {
                *slot = address;
                // In bounds: `count` was an index of an array of MAX_ADDRESSES (32).
                self.count = self.count.saturating_add(1);
                true
            }
            None => false,
        }
    }

    /// Takes the addresses out, so that the rest of a long answer can follow.
    pub fn clear(&mut self) {
        self.addresses = [NO_ADDRESS; MAX_ADDRESSES];
        self.count = 0;
    }

    /// The name as the program spelt it.
    #[must_use]
    pub fn name(&self) -> &str {
        // Both are checked where the report is made; an empty name matches nothing.
        let bytes = self
            .name
            .get(..usize::from(self.name_len))
            .unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The addresses, in the order of the answer.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        self.addresses
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }

    /// Port, protocol, zero.
    pub(crate) fn purpose(&self) -> [u8; 4] {
        let [low, high] = self.port.to_le_bytes();
        [low, high, self.protocol.map_or(0, Protocol::number), 0]
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.put([self.name_len, self.count]);
        writer.put(self.purpose());
        writer.put([0; 2]);
        writer.put(self.name);
        writer.put([0]);
        for address in self.addresses() {
            writer.put(address.encode());
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [name_len, count] = reader.take()?;
        let (port, protocol) = read_purpose(reader)?;
        reader.zeros::<2>()?;
        let name: [u8; MAX_NAME] = reader.take()?;
        reader.zeros::<1>()?;
        let (used, unused) = name
            .split_at_checked(usize::from(name_len))
            .ok_or(DecodeError::Field("name_len"))?;
        all_zero(unused)?;
        let mut report = Self::new(used)?;
        report.set_purpose(port, protocol);
        if usize::from(count) > MAX_ADDRESSES {
            return Err(DecodeError::Field("count"));
        }
        for _ in 0..count {
            report.push(Address::decode(&reader.take()?)?);
        }
        Ok(report)
    }
}

/// The name as text, if a report can have it: see [`NameReport`].
pub(crate) fn checked_name(name: &[u8]) -> Result<&str, DecodeError> {
    let text = core::str::from_utf8(name).map_err(|_| DecodeError::Name)?;
    if name.is_empty() || name.len() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(DecodeError::Name);
    }
    Ok(text)
}

/// What [`NameReport::purpose`] writes.
pub(crate) fn read_purpose(
    reader: &mut Reader<'_>,
) -> Result<(u16, Option<Protocol>), DecodeError> {
    let port = reader.u16()?;
    let protocol = match reader.u8()? {
        0 => None,
        number => Some(Protocol::from_number(number)?),
    };
    reader.zeros::<1>()?;
    Ok((port, protocol))
}

impl core::fmt::Debug for NameReport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NameReport")
            .field("name", &self.name())
            .field("addresses", &self.addresses())
            .finish()
    }
}
