//! Makes untrusted bytes safe to show: in a terminal, a window, a log line.
//!
//! What comes out holds no control, bidi, zero-width or otherwise invisible character, is as
//! short as the caller says, and tells different inputs apart (a backslash is doubled, and an
//! ellipsis of the input's own is escaped, so that ours always means "cut here").
//! Escape once, where the bytes come in; what is escaped again shows doubled backslashes.

use hallpass_policy::{MAX_MARKS, is_mark};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Stands at the end of what was too long.
pub const ELLIPSIS: char = '…';

/// Enough characters for any path that a Linux system call accepts (`PATH_MAX` is 4096 bytes)
/// even if each of its bytes had to be written as `\u{1b}`. Paths that rules match on are cut
/// nowhere below this, or two programs could look like one.
pub const WHOLE_PATH: usize = 6 * 4096;

/// Escapes `bytes` into at most `max_chars` characters (at most four times as many bytes).
///
/// Valid UTF-8 that is visible stays as it is. `\` becomes `\\`, newline, tab and carriage
/// return become `\n`, `\t`, `\r`, whatever else cannot be seen becomes `\u{…}`, and a byte that
/// is no UTF-8 becomes `\xNN`. What does not fit is replaced by one [`ELLIPSIS`]; an escape is
/// never cut in two. Reads no more of `bytes` than it could show.
#[must_use]
pub fn escape_bytes(bytes: &[u8], max_chars: usize) -> String {
    // A character is at most four bytes, so one character more than fits is enough to know
    // that something has to be cut.
    let reach = max_chars.saturating_add(1).saturating_mul(4);
    let bytes = bytes.get(..reach).unwrap_or(bytes);
    let mut out = Bounded::new(max_chars);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if !out.push(c) {
                return out.text;
            }
        }
        for byte in chunk.invalid() {
            if !out.push_escaped(&format!("\\x{byte:02x}")) {
                return out.text;
            }
        }
    }
    out.text
}

/// A program's path as rules name it, whole. A blank at its end is seen by nobody, and is written
/// out as well.
#[must_use]
pub fn escape_path(path: &Path) -> String {
    let path = path.as_os_str().as_bytes();
    let blanks = path.iter().rev().take_while(|byte| **byte == b' ').count();
    let visible = path.get(..path.len() - blanks).unwrap_or(path);
    escape_bytes(visible, WHOLE_PATH) + &r"\u{20}".repeat(blanks)
}

/// [`escape_bytes`] for text that is already UTF-8.
#[must_use]
pub fn escape(text: &str, max_chars: usize) -> String {
    escape_bytes(text.as_bytes(), max_chars)
}

/// Shortens text that is escaped already to at most `max_chars` characters; cuts no escape in two.
#[must_use]
pub fn clip(escaped: &str, max_chars: usize) -> String {
    let mut out = Bounded::new(max_chars);
    let mut rest = escaped;
    while let Some(first) = rest.chars().next() {
        let length = match rest.as_bytes() {
            [b'\\', b'u', ..] => rest.find('}').map_or(rest.len(), |end| end + 1),
            [b'\\', b'x', _, _, ..] => 4,
            [b'\\', _, ..] => 2,
            _ => first.len_utf8(),
        };
        // What is no escape of ours is cut between any two characters.
        let Some((piece, after)) = rest.split_at_checked(length) else {
            return escape(escaped, max_chars);
        };
        if !out.add(piece) {
            break;
        }
        rest = after;
    }
    out.text
}

/// True where `text` could be shown as it is: [`escape`] would change nothing.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    escape(text, usize::MAX) == text
}

/// Text that never grows beyond its limit.
struct Bounded {
    text: String,
    chars: usize,
    max: usize,
    /// Length in bytes up to which the text may stay if an ellipsis has to follow it.
    keep: usize,
    /// Combining marks since the last base character.
    marks: usize,
    /// Whether a combining mark now would join a character of the input that is shown raw.
    has_base: bool,
}

impl Bounded {
    fn new(max: usize) -> Self {
        Self {
            text: String::new(),
            chars: 0,
            max,
            keep: 0,
            marks: 0,
            has_base: false,
        }
    }

    /// Adds one character of the input; false where the text is full.
    fn push(&mut self, c: char) -> bool {
        match show(c) {
            Shown::Raw => {
                self.has_base = true;
                self.marks = 0;
                self.add(c.encode_utf8(&mut [0; 4]))
            }
            Shown::Mark if self.has_base && self.marks < MAX_MARKS => {
                self.marks += 1;
                self.add(c.encode_utf8(&mut [0; 4]))
            }
            Shown::Short(short) => self.push_escaped(short),
            Shown::Mark | Shown::Code => self.push_escaped(&c.escape_unicode().to_string()),
        }
    }

    /// Adds an escape, which no combining mark may change.
    fn push_escaped(&mut self, piece: &str) -> bool {
        self.has_base = false;
        self.marks = 0;
        self.add(piece)
    }

    fn add(&mut self, piece: &str) -> bool {
        let chars = piece.chars().count();
        if self.max - self.chars < chars {
            self.text.truncate(self.keep);
            if self.max > 0 {
                self.text.push(ELLIPSIS);
            }
            return false;
        }
        self.text.push_str(piece);
        self.chars += chars;
        if self.chars < self.max {
            self.keep = self.text.len();
        }
        true
    }
}

/// How one character is shown.
enum Shown {
    Raw,
    /// Raw behind a base character, else as its code.
    Mark,
    Short(&'static str),
    Code,
}

fn show(c: char) -> Shown {
    match c {
        ' '..='[' | ']'..='~' => Shown::Raw,
        '\\' => Shown::Short("\\\\"),
        '\n' => Shown::Short("\\n"),
        '\t' => Shown::Short("\\t"),
        '\r' => Shown::Short("\\r"),
        ELLIPSIS => Shown::Code,
        c if looks_empty(c) => Shown::Code,
        // Where std's Debug keeps a character, it is neither control, format (bidi, zero-width),
        // private, unassigned nor a space.
        c if c.escape_debug().len() == 1 => Shown::Raw,
        c if is_mark(c) => Shown::Mark,
        _ => Shown::Code,
    }
}

/// Characters that std calls printable and that show nothing: the rest of Unicode's
/// `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt), and the blank Braille pattern.
fn looks_empty(c: char) -> bool {
    matches!(c,
        '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn visible_text_stays() {
        for text in [
            "",
            "curl -s http://example.com/?a=1&b='x y'",
            "Größe",
            "日本語",
            "хлеб",
            "हिन्दी",
            "e\u{301}",
        ] {
            assert_eq!(escape(text, 100), text);
            assert!(is_plain(text));
        }
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(escape("a\nb\tc\r", 100), r"a\nb\tc\r");
        assert_eq!(
            escape("\u{1b}[2J\u{7}\0\u{7f}\u{9b}", 100),
            r"\u{1b}[2J\u{7}\u{0}\u{7f}\u{9b}"
        );
        assert_eq!(escape("moc.\u{202e}elpmaxe", 100), r"moc.\u{202e}elpmaxe");
        assert_eq!(
            escape("a\u{200b}\u{2066}\u{feff}b", 100),
            r"a\u{200b}\u{2066}\u{feff}b"
        );
        assert_eq!(
            escape("\u{3164}\u{a0}\u{2028}\u{e0041}\u{fe0f}", 100),
            r"\u{3164}\u{a0}\u{2028}\u{e0041}\u{fe0f}"
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_are_hex() {
        assert_eq!(escape_bytes(b"/tmp/\xff\xc3(", 100), r"/tmp/\xff\xc3(");
        assert_eq!(escape_bytes(b"\xed\xa0\x80", 100), r"\xed\xa0\x80");
    }

    #[test]
    fn backslash_and_ellipsis_cannot_pretend() {
        assert_eq!(escape(r"\x1b", 100), r"\\x1b");
        assert_eq!(escape("cut…", 100), r"cut\u{2026}");
    }

    #[test]
    fn marks_join_their_letter_and_nothing_else() {
        assert_eq!(escape("\u{301}x", 100), r"\u{301}x");
        assert_eq!(escape("\n\u{301}", 100), r"\n\u{301}");
        assert_eq!(
            escape("e\u{301}\u{302}\u{303}\u{304}", 100),
            "e\u{301}\u{302}\u{303}\\u{304}"
        );
    }

    #[test]
    fn too_long_ends_in_an_ellipsis_and_cuts_no_escape() {
        assert_eq!(escape("abcdef", 6), "abcdef");
        assert_eq!(escape("abcdefg", 6), "abcde…");
        assert_eq!(escape("abcd\u{1b}", 6), "abcd…");
        assert_eq!(escape("日本語日本語", 3), "日本…");
        assert_eq!(escape("ab", 1), "…");
        assert_eq!(escape("ab", 0), "");
        assert_eq!(escape(&"x".repeat(5_000_000), 10), "xxxxxxxxx…");
    }

    #[test]
    fn clipping_cuts_no_escape_and_changes_nothing_that_fits() {
        assert_eq!(clip(r"ab\u{1b}cd", 100), r"ab\u{1b}cd");
        assert_eq!(clip(r"ab\u{1b}cd", 7), "ab…");
        assert_eq!(clip(r"ab\u{1b}cd", 9), "ab\\u{1b}…");
        assert_eq!(clip(r"\xff\\", 5), "\\xff…");
        assert_eq!(clip("日本語", 2), "日…");
        assert_eq!(clip("x\\", 2), "x\\");
    }

    /// True for what must never reach a terminal; written down apart from the code under test.
    fn hostile(c: char) -> bool {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
                | '\u{e0000}'..='\u{e007f}')
    }

    /// What the escapes mean, to see that nothing was lost.
    fn unescape(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            let kind = rest.chars().next().unwrap();
            rest = &rest[1..];
            match kind {
                '\\' => out.push(b'\\'),
                'n' => out.push(b'\n'),
                't' => out.push(b'\t'),
                'r' => out.push(b'\r'),
                'x' => {
                    out.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                    rest = &rest[2..];
                }
                'u' => {
                    let end = rest.find('}').unwrap();
                    let c =
                        char::from_u32(u32::from_str_radix(&rest[1..end], 16).unwrap()).unwrap();
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[end + 1..];
                }
                other => panic!("unknown escape {other}"),
            }
        }
        out
    }

    #[test]
    fn every_character_is_safe_and_comes_back() {
        for c in ('\0'..=char::MAX).filter(|&c| c != ELLIPSIS) {
            let shown = escape(&c.to_string(), 100);
            assert!(!shown.chars().any(hostile), "{:x} shown raw", c as u32);
            assert_eq!(unescape(&shown), c.to_string().as_bytes());
        }
    }

    proptest! {
        #[test]
        fn nothing_hostile_and_never_too_long(bytes in prop::collection::vec(any::<u8>(), 0..300), max in 0usize..200) {
            let shown = escape_bytes(&bytes, max);
            prop_assert!(!shown.chars().any(hostile));
            prop_assert!(shown.chars().count() <= max);
            if shown.ends_with(ELLIPSIS) {
                let whole = escape_bytes(&bytes, usize::MAX);
                prop_assert!(whole.chars().count() > max);
                prop_assert!(whole.starts_with(shown.trim_end_matches(ELLIPSIS)));
            }
        }

        #[test]
        fn clipping_is_escaping_with_a_smaller_limit(bytes in prop::collection::vec(any::<u8>(), 0..100), max in 0usize..120) {
            let whole = escape_bytes(&bytes, usize::MAX);
            prop_assert_eq!(clip(&whole, max), escape_bytes(&bytes, max));
        }

        #[test]
        fn nothing_is_lost(text in "\\PC{0,40}|[\\x00-\\x{24f}\u{2000}-\u{206f}]{0,40}", tail in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = text.into_bytes();
            bytes.extend(tail);
            prop_assert_eq!(unescape(&escape_bytes(&bytes, usize::MAX)), bytes);
        }
    }
}
