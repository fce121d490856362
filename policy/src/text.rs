//! Text from outside, made fit to be shown in an error.

/// How many characters of somebody's input an error repeats.
const SHOWN: usize = 80;

/// How many combining marks one character may have. Real writing needs one to three; more only
/// paints over neighbouring lines.
pub const MAX_MARKS: usize = 3;

/// The input in backticks: control, bidi and zero-width characters escaped, clipped.
pub(crate) fn quoted(input: &str) -> String {
    let mut shown = String::from("`");
    let mut characters = input.chars();
    for character in characters.by_ref().take(SHOWN) {
        push_escaped(&mut shown, character);
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

/// The input with control, bidi and zero-width characters escaped, whole.
pub(crate) fn escaped(input: &str) -> String {
    let mut shown = String::with_capacity(input.len());
    for character in input.chars() {
        push_escaped(&mut shown, character);
    }
    shown
}

fn push_escaped(shown: &mut String, character: char) {
    match character {
        // escape_debug would also escape these, which are harmless here.
        '\'' | '"' | '\\' => shown.push(character),
        _ => shown.extend(character.escape_debug()),
    }
}

/// Whether a text has a character that could garble a line it is shown in, or hide in it. A
/// combining mark behind another character does neither, as it is how many languages are written,
/// unless there are many.
pub(crate) fn has_hidden(text: &str) -> bool {
    // How many more marks may follow: none at the beginning.
    let mut room = 0;
    text.chars().any(|character| {
        if !is_hidden(character) {
            room = MAX_MARKS;
            return false;
        }
        let joins = room > 0 && is_mark(character);
        room = room.saturating_sub(1);
        !joins
    })
}

/// Whether a character is a combining mark: std escapes one only where it begins a text.
#[must_use]
pub fn is_mark(character: char) -> bool {
    is_hidden(character)
        && ['a', character]
            .iter()
            .collect::<String>()
            .escape_debug()
            .count()
            == 2
}

/// The message of a `serde_json` error without the place, which it has at its end.
#[must_use]
pub fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |it| it.0)
}

/// Whether a character could garble a line it is shown in, or hide in it.
pub(crate) fn is_hidden(character: char) -> bool {
    !matches!(character, ' '..='~') && character.escape_debug().len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_garbles_a_line_is_escaped() {
        assert_eq!(
            escaped("a\u{202e}b\u{200b}\x1b[31m\n"),
            "a\\u{202e}b\\u{200b}\\u{1b}[31m\\n"
        );
        assert_eq!(escaped("münchen 'x' \"y\" \\"), "münchen 'x' \"y\" \\");
        assert!(is_hidden('\u{2066}') && is_hidden('\u{feff}') && is_hidden('\0'));
        assert!(!is_hidden('ü') && !is_hidden('"'));
        assert!(!has_hidden("/opt/cafe\u{301}/हिन्दी") && has_hidden("\u{301}a"));
        assert!(has_hidden("e\u{301}\u{301}\u{301}\u{301}"));
        assert!(has_hidden("/a\u{202e}b") && has_hidden("/a\u{200b}") && has_hidden("/a\n"));
    }

    #[test]
    fn long_input_is_clipped() {
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), SHOWN + 3);
        assert_eq!(quoted("short"), "`short`");
    }
}
