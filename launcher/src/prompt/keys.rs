//! Bytes of a terminal in raw mode as keys. What is no key that decides something is [`Key::Other`].

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A printable ASCII character, lower case.
    Char(char),
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Escape alone.
    Escape,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-\.
    Quit,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-D.
    EndOfFile,
    /// Enter, space, letters that are not ASCII: decides nothing.
    Other,
    /// An escape sequence that is none of the above: a function key, the mouse, or the terminal's
    /// answer to something that a program has asked it, which may have letters in it.
    Report,
}

/// How many printable bytes in one read are typing; more is a paste, which decides nothing.
const TYPED: usize = 2;

/// The keys in what one read gave. A terminal sends a key's bytes together, so an escape at the
/// end is the key itself.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let (key, length) = match *first {
            0x03 => (Key::Interrupt, 1),
            0x04 => (Key::EndOfFile, 1),
            0x1a => (Key::Suspend, 1),
            0x1c => (Key::Quit, 1),
            0x1b => sequence(after),
            byte if byte.is_ascii_graphic() => {
                (Key::Char(char::from(byte.to_ascii_lowercase())), 1)
            }
            _ => (Key::Other, 1),
        };
        keys.push(key);
        rest = rest.get(length..).unwrap_or_default();
    }
    if keys.contains(&Key::Report) {
        // A program in the background can have the terminal write its own title, or where the
        // mouse was pressed: no key beside such a thing is sure to be a person's.
        keys.retain(|key| !matches!(key, Key::Char(_)));
    }
    let printable = |key: &&Key| matches!(key, Key::Char(_));
    if keys.iter().filter(printable).count() > TYPED {
        keys.retain(|key| !matches!(key, Key::Char(_)));
        keys.push(Key::Other);
    }
    keys
}

/// What follows an escape: a key and its length in bytes, the escape included.
fn sequence(after: &[u8]) -> (Key, usize) {
    match after {
        [] | [0x1b, ..] => (Key::Escape, 1),
        // ECMA-48: parameters and intermediates, then one final byte.
        [b'[', rest @ ..] => {
            let end = rest
                .iter()
                .position(|byte| (0x40..=0x7e).contains(byte))
                .unwrap_or(rest.len());
            let key = match (end, rest.get(end)) {
                (0, Some(b'C')) => Key::Right,
                (0, Some(b'D')) => Key::Left,
                _ => Key::Report,
            };
            (key, end.saturating_add(3).min(after.len() + 1))
        }
        [b'O', b'C', ..] => (Key::Right, 3),
        [b'O', b'D', ..] => (Key::Left, 3),
        [b'O', _, ..] => (Key::Report, 3),
        // Alt and a key, or a string's begin or end.
        [_, ..] => (Key::Report, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, decode};

    #[test]
    fn keys_that_decide() {
        assert_eq!(decode(b"y"), [Key::Char('y')]);
        assert_eq!(decode(b"N"), [Key::Char('n')]);
        assert_eq!(decode(b"y\r"), [Key::Char('y'), Key::Other]);
        assert_eq!(decode(b"\x03"), [Key::Interrupt]);
        assert_eq!(decode(b"\x04"), [Key::EndOfFile]);
        assert_eq!(decode(b"\x1a"), [Key::Suspend]);
        assert_eq!(decode(b"\x1c"), [Key::Quit]);
        assert_eq!(decode(b"\x1b"), [Key::Escape]);
        assert_eq!(decode(b"\x1b\x1b"), [Key::Escape, Key::Escape]);
        assert_eq!(decode(b"\x1b[D\x1b[C"), [Key::Left, Key::Right]);
        assert_eq!(decode(b"\x1bOD\x1bOC"), [Key::Left, Key::Right]);
    }

    #[test]
    fn keys_that_decide_nothing() {
        for bytes in [&b"\r"[..], b"\n", b" ", b"\t", b"\x7f", b"\x00", b"\xff"] {
            assert_eq!(decode(bytes), [Key::Other], "{bytes:?}");
        }
        for bytes in [
            &b"\x1b[A"[..],
            b"\x1b[1;5C",
            b"\x1b[15~",
            b"\x1b[200~",
            b"\x1b[",
            b"\x1b[1",
            b"\x1bOP",
            b"\x1by",
        ] {
            assert_eq!(decode(bytes), [Key::Report], "{bytes:?}");
        }
        assert_eq!(decode(b""), []);
    }

    /// What terminals write by themselves: a title (CSI 21 t), a mouse press in column 89
    /// (CSI M), a colour (OSC 4), the state of a setting (DECRQSS).
    #[test]
    fn a_terminals_own_words_decide_nothing() {
        for bytes in [
            &b"\x1b]ly\x1b\\"[..],
            b"\x1b[M y!",
            b"\x1b]4;1;rgb:dddd/dddd/dddd\x07",
            b"\x1bP1$r0m\x1b\\",
            b"y\x1b\\",
            b"y\x1b[0n",
        ] {
            let keys = decode(bytes);
            assert!(
                !keys.iter().any(|key| matches!(key, Key::Char(_))),
                "{bytes:?}"
            );
            assert!(keys.contains(&Key::Report), "{bytes:?}");
        }
    }

    #[test]
    fn a_paste_decides_nothing() {
        assert_eq!(decode(b"yes"), [Key::Other]);
        let pasted = decode(b"y\r\nsome text\x03");
        assert!(!pasted.contains(&Key::Char('y')));
        assert!(pasted.contains(&Key::Interrupt));
    }

    #[test]
    fn letters_beyond_ascii_are_no_keys() {
        assert_eq!(decode("ü".as_bytes()), [Key::Other, Key::Other]);
    }
}
