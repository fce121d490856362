//! The one environment variable: how the launcher tells the hook which session it belongs to.

use crate::SessionName;
use crate::bytes::Writer;
use crate::session_name::SUN_PATH_LEN;
use core::fmt;

/// The variable's name.
pub const VARIABLE: &str = "HALLPASS";
/// Longest DIR: `DIR/ask` and a zero must fit a `sun_path`.
pub const MAX_DIR: usize = SUN_PATH_LEN - 1 - 4;
/// Longest value: `SESSION;guard=on,dumpable;dir=DIR`.
pub const MAX_VARIABLE: usize = 19 + 18 + 5 + MAX_DIR;

/// Who decides a program's calls, and what the hook does for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardMode {
    /// The session, which the hook asks.
    Off,
    /// The seccomp guard.
    On,
    /// The same, and its session may look into processes of other users only as long as they are
    /// dumpable (root without CAP_SYS_PTRACE): what changes its user by itself is to stay so.
    OnDumpable,
}

impl GuardMode {
    /// Whether there is one.
    #[must_use]
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    fn word(self) -> &'static [u8] {
        match self {
            Self::Off => b"guard=off",
            Self::On => b"guard=on",
            Self::OnDumpable => b"guard=on,dumpable",
        }
    }
}

/// What `HALLPASS=SESSION;guard=on|on,dumpable|off[;dir=DIR]` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Which session.
    pub session: SessionName,
    /// Whether the seccomp guard decides; else the hook asks.
    pub guard: GuardMode,
    /// The session's runtime directory: an absolute path without control bytes, at most
    /// [`MAX_DIR`] long.
    pub dir: Option<&'a [u8]>,
}

/// Why a value is not one of ours. The hook then refuses every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableError {
    /// Longer than [`MAX_VARIABLE`].
    TooLong,
    /// The first field is not `PID-8hex`.
    Session,
    /// The second field is not `guard=` and one of its words.
    Guard,
    /// The third field is not `dir=` and an absolute path without control bytes that fits.
    Dir,
}

impl fmt::Display for VariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "HALLPASS is too long",
            Self::Session => "HALLPASS does not begin with a session's name",
            Self::Guard => "HALLPASS does not say guard=on or guard=off",
            Self::Dir => "HALLPASS has no usable dir=",
        })
    }
}

impl core::error::Error for VariableError {}

impl<'a> Variable<'a> {
    /// Reads the variable's value. Fields stand in this order; `dir` takes all that is left, so a
    /// path may have semicolons.
    ///
    /// # Errors
    /// A [`VariableError`] for everything that [`Variable::encode`] would not write.
    pub fn parse(value: &'a [u8]) -> Result<Self, VariableError> {
        if value.len() > MAX_VARIABLE {
            return Err(VariableError::TooLong);
        }
        let (session, rest) = split_field(value);
        let session = SessionName::parse(session).ok_or(VariableError::Session)?;
        let (guard, rest) = split_field(rest.ok_or(VariableError::Guard)?);
        let guard = [GuardMode::Off, GuardMode::On, GuardMode::OnDumpable]
            .into_iter()
            .find(|it| it.word() == guard)
            .ok_or(VariableError::Guard)?;
        let dir = match rest {
            None => None,
            Some(field) => {
                let dir = field.strip_prefix(b"dir=").ok_or(VariableError::Dir)?;
                Some(usable_dir(dir).ok_or(VariableError::Dir)?)
            }
        };
        Ok(Self {
            session,
            guard,
            dir,
        })
    }

    /// Writes the variable's value.
    ///
    /// # Errors
    /// [`VariableError::Dir`] for a directory that [`Variable::parse`] would refuse.
    pub fn encode(&self) -> Result<VariableText, VariableError> {
        let mut text = VariableText {
            bytes: [0; MAX_VARIABLE],
            len: 0,
        };
        let (session, session_len) = self.session.text();
        text.append(session.get(..session_len).unwrap_or_default());
        text.append(b";");
        text.append(self.guard.word());
        if let Some(dir) = self.dir {
            text.append(b";dir=");
            text.append(usable_dir(dir).ok_or(VariableError::Dir)?);
        }
        Ok(text)
    }
}

/// The variable's value, ready for an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableText {
    bytes: [u8; MAX_VARIABLE],
    len: usize,
}

impl VariableText {
    /// The value, without the name and without a zero at the end.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends a field; MAX_VARIABLE is the sum of all bounds, so there is room.
    fn append(&mut self, field: &[u8]) {
        let mut writer = Writer::new(self.bytes.get_mut(self.len..).unwrap_or_default());
        for byte in field {
            writer.put([*byte]);
        }
        self.len = self.len.saturating_add(field.len());
    }
}

/// Splits at the first semicolon; None where there is none.
fn split_field(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |byte| *byte == b';');
    (parts.next().unwrap_or_default(), parts.next())
}

fn usable_dir(dir: &[u8]) -> Option<&[u8]> {
    let fits = dir.len() <= MAX_DIR && dir.first() == Some(&b'/');
    (fits && !dir.iter().any(u8::is_ascii_control)).then_some(dir)
}

/// A decimal number without sign or leading zeros.
pub(crate) fn parse_decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || (digits.len() > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let value = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
        number.checked_mul(10)?.checked_add(u32::from(value))
    })
}
