//! A session's name, and the socket names made from it.

use crate::bytes::Writer;
use crate::variable::parse_decimal;

/// Bytes of `sockaddr_un.sun_path`.
pub const SUN_PATH_LEN: usize = 108;

const MAX_TEXT: usize = 19;
const PREFIX: [u8; 10] = *b"\0hallpass/";
const ASK: [u8; 4] = *b"/ask";

/// `PID-8hex`: the session's process id in its own pid namespace, and eight random hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionName {
    /// Process id of the session; the hook compares it with its peer's.
    pub pid: u32,
    /// What tells two sessions apart that had the same pid.
    pub nonce: u32,
}

impl SessionName {
    /// Reads `PID-8hex`: decimal without leading zeros, then eight lower-case hex digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (rest, hex) = text.split_last_chunk::<8>()?;
        let (dash, digits) = rest.split_last()?;
        if *dash != b'-' {
            return None;
        }
        let pid = parse_decimal(digits)?;
        let mut nonce = 0_u32;
        for digit in hex {
            let value = match *digit {
                digit @ b'0'..=b'9' => digit.wrapping_sub(b'0'),
                digit @ b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
                _ => return None,
            };
            nonce = (nonce << 4) | u32::from(value);
        }
        // pid_t is signed, and 0 is no process.
        (pid != 0 && pid <= i32::MAX as u32).then_some(Self { pid, nonce })
    }

    /// The name's text and its length.
    pub(crate) fn text(self) -> ([u8; MAX_TEXT], usize) {
        let mut digits = [0_u8; 10];
        let mut left = self.pid;
        let mut used: usize = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0'.wrapping_add((left % 10) as u8);
            left /= 10;
            used = used.saturating_add(1);
            if left == 0 {
                break;
            }
        }
        let mut text = [0; MAX_TEXT];
        let mut writer = Writer::new(&mut text);
        for digit in digits.iter().skip(digits.len().saturating_sub(used)) {
            writer.put([*digit]);
        }
        writer.put(*b"-");
        for shift in [28, 24, 20, 16, 12, 8, 4, 0] {
            let value = ((self.nonce >> shift) & 0xf) as u8;
            writer.put([if value < 10 {
                b'0' + value
            } else {
                b'a' + (value - 10)
            }]);
        }
        (text, used.saturating_add(9))
    }
}

impl core::fmt::Display for SessionName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}-{:08x}", self.pid, self.nonce)
    }
}

/// Writes the abstract name of a session's ask socket, `\0hallpass/SESSION/ask`, into a
/// `sun_path` and gives its length. Its `sockaddr_un` is two bytes longer, with no zero at the end.
pub fn abstract_ask_name(session: SessionName, sun_path: &mut [u8; SUN_PATH_LEN]) -> usize {
    *sun_path = [0; SUN_PATH_LEN];
    let (text, len) = session.text();
    let mut writer = Writer::new(sun_path);
    writer.put(PREFIX);
    for byte in text.iter().take(len) {
        writer.put([*byte]);
    }
    writer.put(ASK);
    (PREFIX.len() + ASK.len()).saturating_add(len)
}

/// Writes the path of a session's ask socket, `DIR/ask`, into a `sun_path` and gives its length
/// without the zero that follows. None if it does not fit.
pub fn path_ask_name(dir: &[u8], sun_path: &mut [u8; SUN_PATH_LEN]) -> Option<usize> {
    *sun_path = [0; SUN_PATH_LEN];
    if dir.len() > crate::MAX_DIR {
        return None;
    }
    let mut writer = Writer::new(sun_path);
    for byte in dir {
        writer.put([*byte]);
    }
    writer.put(ASK);
    Some(dir.len().saturating_add(ASK.len()))
}
