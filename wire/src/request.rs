//! What the hook sends: one request a connection.

use crate::address::{ADDRESS_LEN, Address, Protocol};
use crate::bytes::{Reader, Writer};
use crate::nested::{NESTED_LEN, Nested};
use crate::report::{NameReport, REPORT_LEN};
use crate::{DecodeError, VERSION};

/// Bytes of a request frame, whatever its kind: header, the longest body, and the stamp.
pub const REQUEST_LEN: usize = STAMP_AT + 8;

/// Where the stamp is.
const STAMP_AT: usize = HEADER_LEN + REPORT_LEN;

const HEADER_LEN: usize = 8;
const MAGIC: [u8; 4] = *b"hpRQ";
const ASK: u8 = 1;
const NAMES: u8 = 2;
const REFUSED: u8 = 3;
const NESTED: u8 = 4;
const STARTED: u8 = 5;
const RESUMED: u8 = 1;

// The longest body decides; an ask must fit as well.
const _: () = assert!(HEADER_LEN + 8 + ADDRESS_LEN <= REQUEST_LEN);
const _: () = assert!(NESTED_LEN <= REPORT_LEN);

/// One frame from the hook to the session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "no allocation here; a request lives on one stack frame"
)]
pub enum Request {
    /// May this call go on? Answered by [`crate::Reply::Held`] any number of times, then
    /// [`crate::Reply::Verdict`].
    Ask(Ask),
    /// A look-up has succeeded. Answered by [`crate::Reply::Noted`] before the program sees it;
    /// where it is held (`--hold=name`) by [`crate::Reply::Held`] any number of times before
    /// that, or at last by a [`crate::Reply::Verdict`] that denies.
    Names(NameReport),
    /// The hook has refused a call by itself and says so. Answered by [`crate::Reply::Noted`].
    Refused(Refused),
    /// A `hallpass run` inside the session says this. Answered by [`crate::Reply::Noted`] for yes,
    /// by a [`crate::Reply::Verdict`] that denies for no.
    Nested(Nested),
    /// The program has just started, and may write over its command line soon: who wants to know
    /// which script it runs looks now. Answered by [`crate::Reply::Noted`].
    Started,
}

/// The hooked function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// connect(2)
    Connect,
    /// sendto(2)
    SendTo,
    /// sendmsg(2)
    SendMsg,
    /// One entry of a sendmmsg(2)
    SendMmsg,
}

impl Call {
    fn number(self) -> u8 {
        match self {
            Self::Connect => 1,
            Self::SendTo => 2,
            Self::SendMsg => 3,
            Self::SendMmsg => 4,
        }
    }

    fn from_number(number: u8) -> Result<Self, DecodeError> {
        match number {
            1 => Ok(Self::Connect),
            2 => Ok(Self::SendTo),
            3 => Ok(Self::SendMsg),
            4 => Ok(Self::SendMmsg),
            _ => Err(DecodeError::Field("call")),
        }
    }
}

/// A call that waits for a verdict. Who asks is the peer of the connection (SO_PEERCRED).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The hooked function.
    pub call: Call,
    /// The transport of the socket.
    pub protocol: Protocol,
    /// Where to.
    pub address: Address,
    /// Host order; 0 for a protocol without ports.
    pub port: u16,
    /// The same call was withdrawn a moment ago to let a signal handler run, and goes on.
    pub resumed: bool,
}

/// A call that the hook refused without asking: its family is not one that can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// The hooked function.
    pub call: Call,
    /// The socket's own family (SO_DOMAIN), an `AF_*` number.
    pub socket_family: u16,
    /// The family in the address (`sa_family`), an `AF_*` number.
    pub address_family: u16,
}

impl Request {
    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        match self {
            Self::Ask(ask) => ask.encode(),
            Self::Names(report) => report.encode(),
            Self::Refused(refused) => refused.encode(),
            Self::Nested(nested) => nested.encode(),
            Self::Started => Self::started(),
        }
    }

    /// The bytes of a [`Request::Started`].
    #[must_use]
    pub fn started() -> [u8; REQUEST_LEN] {
        frame(STARTED, |_| {})
    }

    /// Reads a frame of any origin.
    ///
    /// # Errors
    /// A [`DecodeError`] that says which part is not of this version's layout.
    pub fn decode(frame: &[u8; REQUEST_LEN]) -> Result<Self, DecodeError> {
        let (frame, _) = frame
            .split_last_chunk::<8>()
            .ok_or(DecodeError::Field("length"))?;
        let mut reader = Reader::new(frame);
        reader.begin(MAGIC)?;
        let kind = reader.u8()?;
        reader.zeros::<1>()?;
        let request = match kind {
            ASK => Self::Ask(Ask::decode(&mut reader)?),
            NAMES => Self::Names(NameReport::decode(&mut reader)?),
            REFUSED => Self::Refused(Refused::decode(&mut reader)?),
            NESTED => Self::Nested(Nested::decode(&mut reader)?),
            STARTED => Self::Started,
            _ => return Err(DecodeError::Kind(kind)),
        };
        reader.end()?;
        Ok(request)
    }
}

/// Says in a request which program image sends it: a number that is another after each execve(2)
/// of a process, such as a hash of its AT_RANDOM (getauxval(3)). 0 says nothing. The session
/// need not look at a process again whose image it knows.
pub fn stamp(frame: &mut [u8; REQUEST_LEN], image: u64) {
    if let Some((_, stamp)) = frame.split_last_chunk_mut() {
        *stamp = image.to_le_bytes();
    }
}

/// What [`stamp`] has written into a frame of any origin.
#[must_use]
pub fn image(frame: &[u8; REQUEST_LEN]) -> u64 {
    frame
        .split_last_chunk()
        .map_or(0, |(_, stamp)| u64::from_le_bytes(*stamp))
}

/// A frame of one kind; the rest of it is zero.
fn frame(kind: u8, body: impl FnOnce(&mut Writer<'_>)) -> [u8; REQUEST_LEN] {
    let mut frame = [0; REQUEST_LEN];
    let mut writer = Writer::new(&mut frame);
    writer.put(MAGIC);
    writer.put(VERSION.to_le_bytes());
    writer.put([kind, 0]);
    body(&mut writer);
    frame
}

impl NameReport {
    /// The bytes of a [`Request::Names`].
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        frame(NAMES, |writer| self.write(writer))
    }
}

impl Nested {
    /// The bytes of a [`Request::Nested`].
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        frame(NESTED, |writer| self.write(writer))
    }
}

impl Ask {
    /// The bytes of a [`Request::Ask`].
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        frame(ASK, |writer| {
            let flags = if self.resumed { RESUMED } else { 0 };
            writer.put([self.call.number(), self.protocol.number(), flags, 0]);
            writer.put(self.port.to_le_bytes());
            writer.put([0; 2]);
            writer.put(self.address.encode());
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let call = Call::from_number(reader.u8()?)?;
        let protocol = Protocol::from_number(reader.u8()?)?;
        let resumed = match reader.u8()? {
            0 => false,
            RESUMED => true,
            _ => return Err(DecodeError::Field("flags")),
        };
        reader.zeros::<1>()?;
        let port = reader.u16()?;
        reader.zeros::<2>()?;
        let address = Address::decode(&reader.take()?)?;
        Ok(Self {
            call,
            protocol,
            address,
            port,
            resumed,
        })
    }
}

impl Refused {
    /// The bytes of a [`Request::Refused`].
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        frame(REFUSED, |writer| {
            writer.put([self.call.number(), 0]);
            writer.put(self.socket_family.to_le_bytes());
            writer.put(self.address_family.to_le_bytes());
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let call = Call::from_number(reader.u8()?)?;
        reader.zeros::<1>()?;
        Ok(Self {
            call,
            socket_family: reader.u16()?,
            address_family: reader.u16()?,
        })
    }
}
