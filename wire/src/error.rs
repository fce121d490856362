//! Why bytes are not a frame.

use core::fmt;

/// Why bytes are not a frame of this version. Whoever gets one refuses the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The first four bytes are not those of this kind of frame.
    Magic,
    /// The version is not [`crate::VERSION`].
    Version(u16),
    /// No kind of frame has this number.
    Kind(u8),
    /// A field holds a number that has no meaning, or a length beyond its bound.
    Field(&'static str),
    /// A byte that must be zero is not.
    Padding,
    /// A name is empty, too long, not UTF-8, or has control characters.
    Name,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("not a hallpass frame"),
            Self::Version(version) => write!(f, "frame of version {version}"),
            Self::Kind(kind) => write!(f, "frame of unknown kind {kind}"),
            Self::Field(field) => write!(f, "bad value in field `{field}`"),
            Self::Padding => f.write_str("padding is not zero"),
            Self::Name => f.write_str("bad host name"),
        }
    }
}

impl core::error::Error for DecodeError {}
