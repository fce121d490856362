//! What a `hallpass run` inside a session says to it: the rules it adds for what it starts. With a
//! guard as a note, without one as a request; the bytes of the body are the same.
//!
//! Whoever says it is known from the kernel, and can only narrow what it and its own children may
//! do, so any process of the session may.

use crate::DecodeError;
use crate::bytes::{Reader, Writer};

/// Most bytes of rules in one frame.
pub const MAX_PART: usize = 1000;
/// Longest body.
pub(crate) const NESTED_LEN: usize = 4 + MAX_PART;

const HELLO: u8 = 1;
const PART: u8 = 2;
const JOIN: u8 = 3;
const MARKED: u8 = 4;
const LEFT: u8 = 5;
const REFUSED: u8 = 6;
const ALLOWED: u8 = 7;

/// One thing said. Each is answered by yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "no allocation here; it lives on one stack frame"
)]
pub enum Nested {
    /// Is there a session that hears this?
    Hello,
    /// The next bytes of the caller's rules.
    Part(Part),
    /// The rules are whole, this many bytes: they hold from now on for what the caller starts.
    Join(u32),
    /// The calling thread, of the process that has joined, bears a seccomp filter more than that
    /// process had then; and so does all that it starts, whatever becomes of the process.
    Marked,
    /// Nothing of what the caller started is left.
    Left,
    /// Have more calls than this been refused to what the caller started?
    Refused(u64),
    /// Have more than this been allowed?
    Allowed(u64),
}

/// Bytes of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    bytes: [u8; MAX_PART],
    len: u16,
}

impl Part {
    /// None where there are no bytes, or more than [`MAX_PART`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut part = Self {
            bytes: [0; MAX_PART],
            len: u16::try_from(bytes.len()).ok().filter(|len| *len > 0)?,
        };
        part.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(part)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Nested {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        let mut head = |kind, len: u16| {
            writer.put([kind, 0]);
            writer.put(len.to_le_bytes());
        };
        match self {
            Self::Hello => head(HELLO, 0),
            Self::Part(part) => {
                head(PART, part.len);
                writer.put_all(part.as_bytes());
            }
            Self::Join(length) => {
                head(JOIN, 4);
                writer.put(length.to_le_bytes());
            }
            Self::Marked => head(MARKED, 0),
            Self::Left => head(LEFT, 0),
            Self::Refused(number) => {
                head(REFUSED, 8);
                writer.put(number.to_le_bytes());
            }
            Self::Allowed(number) => {
                head(ALLOWED, 8);
                writer.put(number.to_le_bytes());
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        reader.zeros::<1>()?;
        let len = reader.u16()?;
        let exactly = |wanted| {
            let fits = len == wanted;
            fits.then_some(()).ok_or(DecodeError::Field("length"))
        };
        match kind {
            HELLO => exactly(0).map(|()| Self::Hello),
            PART => {
                let bytes = reader.slice(usize::from(len))?;
                let part = Part::new(bytes).ok_or(DecodeError::Field("length"))?;
                Ok(Self::Part(part))
            }
            JOIN => {
                exactly(4)?;
                reader.u32().map(Self::Join)
            }
            MARKED => exactly(0).map(|()| Self::Marked),
            LEFT => exactly(0).map(|()| Self::Left),
            REFUSED => {
                exactly(8)?;
                reader.u64().map(Self::Refused)
            }
            ALLOWED => {
                exactly(8)?;
                reader.u64().map(Self::Allowed)
            }
            _ => Err(DecodeError::Kind(kind)),
        }
    }
}
