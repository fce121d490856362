//! What the session sends: keep-alives, acknowledgements, verdicts.

use crate::bytes::{Reader, Writer};
use crate::{DecodeError, VERSION};

/// Bytes of a reply frame.
pub const REPLY_LEN: usize = 24;

const MAGIC: [u8; 4] = *b"hpRP";
const HELD: u8 = 1;
const NOTED: u8 = 2;
const VERDICT: u8 = 3;

/// One frame from the session to the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The call, or the look-up, is held; sent at once and then once a second until the verdict.
    Held,
    /// A report ([`crate::Request::Names`], [`crate::Request::Refused`]) has been taken in.
    Noted,
    /// The end of an ask, or of a look-up that is refused.
    Verdict {
        /// Whether the call goes on to the kernel; else it fails with ECONNREFUSED.
        allow: bool,
        /// Why, as a number that the session chooses. The hook does not look at it.
        reason: u8,
        /// Leave to settle equal calls alike without asking; none where each has to be asked.
        keep: Option<Keep>,
    },
}

/// Until when a verdict may be used again, and where each use is counted ([`crate::Page`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The verdict holds while the shared page shows this generation; never 0.
    pub generation: u64,
    /// Index of the counter.
    pub counter: u32,
}

impl Reply {
    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; REPLY_LEN] {
        let mut frame = [0; REPLY_LEN];
        let mut writer = Writer::new(&mut frame);
        writer.put(MAGIC);
        writer.put(VERSION.to_le_bytes());
        match *self {
            Self::Held => writer.put([HELD]),
            Self::Noted => writer.put([NOTED]),
            Self::Verdict {
                allow,
                reason,
                keep,
            } => {
                writer.put([VERDICT, u8::from(allow), reason, 0, 0, 0]);
                // Generation 0 says that the verdict must not be kept.
                let Keep {
                    generation,
                    counter,
                } = keep.unwrap_or(Keep {
                    generation: 0,
                    counter: 0,
                });
                writer.put(counter.to_le_bytes());
                writer.put(generation.to_le_bytes());
            }
        }
        frame
    }

    /// Reads a frame of any origin.
    ///
    /// # Errors
    /// A [`DecodeError`] that says which part is not of this version's layout.
    pub fn decode(frame: &[u8; REPLY_LEN]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        reader.begin(MAGIC)?;
        let reply = match reader.u8()? {
            HELD => Self::Held,
            NOTED => Self::Noted,
            VERDICT => {
                let allow = match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(DecodeError::Field("allow")),
                };
                let reason = reader.u8()?;
                reader.zeros::<3>()?;
                let counter = u32::from_le_bytes(reader.take()?);
                let generation = u64::from_le_bytes(reader.take()?);
                let keep = match generation {
                    0 if counter != 0 => return Err(DecodeError::Field("counter")),
                    0 => None,
                    _ => Some(Keep {
                        generation,
                        counter,
                    }),
                };
                Self::Verdict {
                    allow,
                    reason,
                    keep,
                }
            }
            kind => return Err(DecodeError::Kind(kind)),
        };
        reader.end()?;
        Ok(reply)
    }
}
