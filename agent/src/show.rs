//! Text from sessions, made fit for a window: nothing invisible, nothing longer than its place.
//!
//! Sessions escape what programs say before it leaves them; this is the second wall, and it
//! clips to what a line of the window can hold.

use crate::letters;
use hallpass_session::escape::{ELLIPSIS, escape};

/// `text` in at most `max` characters, cut at its end.
///
/// The session's own escapes (`\n`, `\u{202e}`) and cut marks stay as they are; what it would
/// have escaped is escaped.
#[must_use]
pub fn clip(text: &str, max: usize) -> String {
    let safe = tidy(text, max);
    if safe.chars().count() <= max {
        return safe;
    }
    let mut short: String = safe.chars().take(max.saturating_sub(1)).collect();
    short.push(ELLIPSIS);
    short
}

/// `text` in at most `max` characters, cut in its middle: of a path or a host name the end tells
/// most, and a cut end could hide it.
#[must_use]
pub fn clip_middle(text: &str, max: usize) -> String {
    // Far beyond what is shown the tail is read only for its last characters.
    let safe = tidy(text, text.len());
    let count = safe.chars().count();
    if count <= max {
        return safe;
    }
    let kept = max.saturating_sub(1);
    let head = kept / 3;
    let tail = kept - head;
    let mut short: String = safe.chars().take(head).collect();
    short.push(ELLIPSIS);
    short.extend(safe.chars().skip(count - tail));
    short
}

/// Escapes what is not plain and what no font has, and leaves backslashes and cut marks, which are the session's.
fn tidy(text: &str, reach: usize) -> String {
    let mut out = String::new();
    let mut chars = 0;
    for piece in text.split_inclusive(['\\', ELLIPSIS]) {
        let mark = piece
            .chars()
            .next_back()
            .filter(|c| ['\\', ELLIPSIS].contains(c));
        let plain = mark.map_or(piece, |mark| &piece[..piece.len() - mark.len_utf8()]);
        let safe = escape(plain, plain.len().saturating_mul(10));
        for c in safe.chars() {
            match letters::is_known(c) {
                true => out.push(c),
                false => out.extend(c.escape_unicode()),
            }
        }
        chars += safe.chars().count() + usize::from(mark.is_some());
        out.extend(mark);
        if chars > reach {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{clip, clip_middle};

    #[test]
    fn what_the_session_escaped_stays_as_it_is() {
        for text in [
            "curl",
            r"a\nb",
            r"C:\\x",
            r"\u{202e}exe",
            "cut…",
            "münchen.example",
        ] {
            assert_eq!(clip(text, 100), text);
            assert_eq!(clip_middle(text, 100), text);
        }
    }

    #[test]
    fn nothing_invisible_gets_through() {
        assert_eq!(clip("a\u{202e}b\nc", 100), r"a\u{202e}b\nc");
        assert_eq!(clip_middle("a\u{200b}b", 100), r"a\u{200b}b");
    }

    #[test]
    fn long_text_ends_where_its_place_does() {
        let name = "a".repeat(5000);
        assert_eq!(clip(&name, 10), "aaaaaaaaa…");
        let host = format!("{}.evil.test", "a".repeat(5000));
        let short = clip_middle(&host, 20);
        assert_eq!(short.chars().count(), 20);
        assert!(short.ends_with(".evil.test"), "{short}");
        assert_eq!(clip("abc", 0).chars().count(), 1);
    }
}
