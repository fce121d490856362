//! What the hook tells a session that has a guard: `connect(-1, note, len)`, which the guard's
//! filter sees and the supervisor reads. To anybody else such a connect is EBADF.
//!
//! A note is as long as what it says, so that a short one costs little to copy.

use crate::address::ADDRESS_LEN;
use crate::bytes::{Reader, Writer};
use crate::nested::{NESTED_LEN, Nested};
use crate::report::{MAX_ADDRESSES, MAX_NAME, NameReport, checked_name, read_purpose};
use crate::{Address, DecodeError, VERSION};

/// Longest note in bytes.
pub const MAX_NOTE: usize = HEADER_LEN + 6 + MAX_NAME + MAX_ADDRESSES * ADDRESS_LEN;

const HEADER_LEN: usize = 8;
/// No address family has this number, so that no sockaddr begins like it.
const MAGIC: [u8; 4] = *b"hpNT";
const ENTERED: u8 = 1;
const FOUND: u8 = 2;
const LEFT: u8 = 3;
const UNPRIVILEGED: u8 = 4;
const NESTED: u8 = 5;
const STARTED: u8 = 6;

// The longest look-up decides; what a nested run says must fit as well.
const _: () = assert!(HEADER_LEN + NESTED_LEN <= MAX_NOTE);

/// One note of a thread. Notes of a thread come in the order in which it wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "no allocation here; a note lives on one stack frame"
)]
pub enum Note<'a> {
    /// The thread enters getaddrinfo(3) or one of gethostbyname(3), for this name; empty where it
    /// has none, or one that no host can have.
    Entered(&'a str),
    /// A look-up has given these addresses for a name; the program does not have them yet.
    Found(NameReport),
    /// The thread has left it.
    Left,
    /// The process is about to start this file, which has a user, a group or capabilities to give,
    /// and will not: a path from its root, or from its working directory. 1 to 255 bytes.
    Unprivileged(&'a [u8]),
    /// A `hallpass run` inside the session says this.
    Nested(Nested),
    /// The program has just started, and may write over its command line soon: who wants to know
    /// which script it runs looks now.
    Started,
}

/// The bytes of a note.
pub struct NoteBytes {
    bytes: [u8; MAX_NOTE],
    len: usize,
}

impl NoteBytes {
    /// What to pass on.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn new(kind: u8, body: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut bytes = [0; MAX_NOTE];
        let mut writer = Writer::new(&mut bytes);
        writer.put(MAGIC);
        writer.put(VERSION.to_le_bytes());
        writer.put([kind, 0]);
        body(&mut writer);
        let len = MAX_NOTE.saturating_sub(writer.left());
        Self { bytes, len }
    }

    /// The note of a thread that enters getaddrinfo(3); a `name` that no host can have is left out.
    #[must_use]
    pub fn entered(name: &[u8]) -> Self {
        let name = checked_name(name).unwrap_or_default();
        Self::new(ENTERED, |writer| {
            // A checked name is at most MAX_NAME long, which is 255.
            writer.put([u8::try_from(name.len()).unwrap_or(0), 0]);
            writer.put_all(name.as_bytes());
        })
    }

    /// The note of a look-up that has succeeded.
    #[must_use]
    pub fn found(report: &NameReport) -> Self {
        Self::new(FOUND, |writer| {
            let addresses = report.addresses();
            let name = report.name();
            writer.put([
                u8::try_from(name.len()).unwrap_or(0),
                u8::try_from(addresses.len()).unwrap_or(0),
            ]);
            writer.put(report.purpose());
            writer.put_all(name.as_bytes());
            for address in addresses {
                writer.put(address.encode());
            }
        })
    }

    /// The note of a thread that has left it.
    #[must_use]
    pub fn left() -> Self {
        Self::new(LEFT, |_| {})
    }

    /// The note of a program that has just started.
    #[must_use]
    pub fn started() -> Self {
        Self::new(STARTED, |_| {})
    }

    /// The note of a program that will run without what its file gives; none for a path that is
    /// too long.
    #[must_use]
    pub fn unprivileged(path: &[u8]) -> Option<Self> {
        let len = u8::try_from(path.len()).ok().filter(|len| *len > 0)?;
        Some(Self::new(UNPRIVILEGED, |writer| {
            writer.put([len, 0]);
            writer.put_all(path);
        }))
    }

    /// The note of a `hallpass run` inside the session.
    #[must_use]
    pub fn nested(nested: &Nested) -> Self {
        Self::new(NESTED, |writer| nested.write(writer))
    }
}

impl<'a> Note<'a> {
    /// The note's bytes.
    #[must_use]
    pub fn encode(&self) -> NoteBytes {
        match self {
            Self::Entered(name) => NoteBytes::entered(name.as_bytes()),
            Self::Found(report) => NoteBytes::found(report),
            Self::Left => NoteBytes::left(),
            // A path that was decoded is none too long.
            Self::Unprivileged(path) => {
                NoteBytes::unprivileged(path).unwrap_or_else(NoteBytes::left)
            }
            Self::Nested(nested) => NoteBytes::nested(nested),
            Self::Started => NoteBytes::started(),
        }
    }

    /// Reads a note of any origin; all of `bytes` must be the note.
    ///
    /// # Errors
    /// A [`DecodeError`] that says which part is not of this version's layout.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_NOTE {
            return Err(DecodeError::Field("length"));
        }
        let mut reader = Reader::new(bytes);
        reader.begin(MAGIC)?;
        let kind = reader.u8()?;
        reader.zeros::<1>()?;
        let note = match kind {
            ENTERED => {
                let len = reader.u8()?;
                reader.zeros::<1>()?;
                match reader.slice(usize::from(len))? {
                    [] => Self::Entered(""),
                    name => Self::Entered(checked_name(name)?),
                }
            }
            FOUND => {
                let [name_len, count] = reader.take()?;
                if usize::from(count) > MAX_ADDRESSES {
                    return Err(DecodeError::Field("count"));
                }
                let (port, protocol) = read_purpose(&mut reader)?;
                let mut report = NameReport::new(reader.slice(usize::from(name_len))?)?;
                report.set_purpose(port, protocol);
                for _ in 0..count {
                    report.push(Address::decode(&reader.take()?)?);
                }
                Self::Found(report)
            }
            LEFT => Self::Left,
            UNPRIVILEGED => {
                let len = reader.u8()?;
                reader.zeros::<1>()?;
                match reader.slice(usize::from(len))? {
                    path if !path.is_empty() && !path.contains(&0) => Self::Unprivileged(path),
                    _ => return Err(DecodeError::Field("path")),
                }
            }
            NESTED => Self::Nested(Nested::decode(&mut reader)?),
            STARTED => Self::Started,
            _ => return Err(DecodeError::Kind(kind)),
        };
        if reader.is_empty() {
            Ok(note)
        } else {
            Err(DecodeError::Field("length"))
        }
    }
}
