//! Text from outside, made fit to be shown in an error.

/// How many characters of somebody's input an error repeats.
const SHOWN: usize = 80;

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
    }

    #[test]
    fn long_input_is_clipped() {
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), SHOWN + 3);
        assert_eq!(quoted("short"), "`short`");
    }
}
