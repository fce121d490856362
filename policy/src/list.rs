//! Lists of destinations: what `--allow-list` reads.
//!
//! Each line is a destination (docs/policy.md), a line of a hosts file (`0.0.0.0 example.com`),
//! or a rule of a domain list (`||example.com^`). Blank lines and comments (`#`, `!`) are left
//! out. Nothing is guessed: a line that is none of these is an error with its place.

use crate::text::{escaped, quoted};
use crate::{Destination, FileError};

/// Largest list that is read, in bytes.
pub const LIST_MAX: usize = 128 * 1024 * 1024;

/// Reads a list; `origin` is its name in errors. Never empty.
///
/// # Errors
/// A line that is no destination, and a list without any: allowing nothing is written otherwise.
pub fn parse_list(bytes: &[u8], origin: &str) -> Result<Vec<Destination>, FileError> {
    let error = |line: usize, column: usize, message: String, remedy: String| FileError {
        origin: origin.to_owned(),
        line,
        column,
        message,
        remedy,
    };
    if bytes.len() > LIST_MAX {
        return Err(error(
            1,
            1,
            format!("the list has {} bytes", bytes.len()),
            format!("a list has at most {LIST_MAX}; split it into several"),
        ));
    }
    let lines = || bytes.split(|byte| *byte == b'\n');
    let mut all = Vec::with_capacity(lines().count());
    for (index, line) in lines().enumerate() {
        let number = index + 1;
        let line = std::str::from_utf8(line).map_err(|_| {
            let (message, remedy) = ("the line is not UTF-8 text", "save the list as UTF-8");
            error(number, 1, message.to_owned(), remedy.to_owned())
        })?;
        if let Err(wrong) = read_line(line, &mut all) {
            return Err(error(number, wrong.column, wrong.message, wrong.remedy));
        }
    }
    if all.is_empty() {
        return Err(error(
            1,
            1,
            "the list is empty".to_owned(),
            "name a destination in it; to allow nothing, leave it out and write --default deny"
                .to_owned(),
        ));
    }
    all.shrink_to_fit();
    Ok(all)
}

struct Wrong {
    column: usize,
    message: String,
    remedy: String,
}

fn read_line(line: &str, all: &mut Vec<Destination>) -> Result<(), Wrong> {
    let content = without_comment(line.strip_suffix('\r').unwrap_or(line));
    let text = content.trim();
    if text.is_empty() {
        return Ok(());
    }
    let start = content.len() - content.trim_start().len();
    let column = |at: usize| line.get(..at).map_or(1, |front| front.chars().count() + 1);
    let wrong = |at: usize, message: String, remedy: &str| Wrong {
        column: column(at),
        message,
        remedy: remedy.to_owned(),
    };
    if text.starts_with("@@") {
        return Err(wrong(
            start,
            format!("{} is an exception", quoted(text)),
            "remove it: in a list of what is allowed there is nothing to except from",
        ));
    }
    if let Some(rule) = text.strip_prefix("||") {
        let Some(domain) = rule.strip_suffix('^') else {
            return Err(wrong(
                start,
                format!("{} is more than a domain", quoted(text)),
                "write ||example.com^, without path, wildcard or $options",
            ));
        };
        if domain.contains(['*', '/', ':', '@']) {
            return Err(wrong(
                start + 2,
                format!("{} is no domain", quoted(domain)),
                "write ||example.com^ for a domain and all below it",
            ));
        }
        push(domain, column(start + 2), all)?;
        // What is below a name is written as the name is; below anything else there is nothing.
        let below = all.last().and_then(Destination::all_below);
        return match below {
            Some(below) => {
                all.push(below);
                Ok(())
            }
            None => push(&format!("*.{domain}"), column(start + 2), all),
        };
    }
    let Some((first, _)) = text.split_once(char::is_whitespace) else {
        return push(text, column(start), all);
    };
    if !matches!(first, "0.0.0.0" | "127.0.0.1" | "::" | "::1") {
        return Err(wrong(
            start,
            format!("{} is more than one word", quoted(text)),
            "write one destination a line; a line of a hosts file begins with 0.0.0.0 or 127.0.0.1",
        ));
    }
    let mut at = start;
    for word in content
        .split_inclusive(char::is_whitespace)
        .skip_while(|word| word.trim().is_empty())
    {
        let name = word.trim();
        if at > start && !name.is_empty() {
            let is_name = !name.contains(['*', '/', ':', '@']);
            if !is_name {
                return Err(wrong(
                    at,
                    format!("{} is no host name", quoted(name)),
                    "write names after the address of a hosts file's line",
                ));
            }
            push(name, column(at), all)?;
        }
        at += word.len();
    }
    Ok(())
}

fn push(text: &str, column: usize, all: &mut Vec<Destination>) -> Result<(), Wrong> {
    match text.parse() {
        Ok(destination) => {
            all.push(destination);
            Ok(())
        }
        Err(error) => {
            let error: crate::DestinationError = error;
            Err(Wrong {
                column,
                message: escaped(&error.message),
                remedy: error.remedy,
            })
        }
    }
}

/// What stands before a comment: `#` or `!` at the start, or `#` after a blank.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', '!']) {
        return "";
    }
    let follows_blank = |at: &usize| {
        line.get(..*at)
            .is_some_and(|front| front.ends_with(char::is_whitespace))
    };
    let mut signs = line.match_indices('#').map(|(at, _)| at);
    let comment = signs.find(follows_blank);
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        match parse_list(text.as_bytes(), "l.txt") {
            Ok(all) => Ok(all.iter().map(ToString::to_string).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_kind_of_line() {
        let text = "# comment\n! comment\n\n example.com:443  # why\r\n10.0.0.0/8\n@lan\n\
                    0.0.0.0 a.test  b.test # two\n::1 c.test\n||d.test^\nunix:/run/x.sock\n";
        assert_eq!(
            read(text).unwrap(),
            [
                "example.com:443",
                "10.0.0.0/8",
                "@lan",
                "a.test",
                "b.test",
                "c.test",
                "d.test",
                "*.d.test",
                "unix:/run/x.sock"
            ]
        );
    }

    #[test]
    fn mistakes_have_their_place_and_what_to_write() {
        for (text, place, part) in [
            ("", "l.txt:1:1", "--default deny"),
            ("# nothing\n", "l.txt:1:1", "empty"),
            ("a.test\n  127.1\n", "l.txt:2:3", "127.0.0.1"),
            ("0.0.0.0 a.test b..test\n", "l.txt:1:16", ""),
            ("0.0.0.0 *.test\n", "l.txt:1:9", "no host name"),
            ("10.0.0.7 nas.lan\n", "l.txt:1:1", "one destination a line"),
            ("||a.test^$third-party\n", "l.txt:1:1", "||example.com^"),
            ("||a.*^\n", "l.txt:1:3", "||example.com^"),
            ("@@||a.test^\n", "l.txt:1:1", "except"),
            ("http://a.test/\n", "l.txt:1:1", ""),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(place), "{text}: {error}");
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(
            parse_list(b"a.test\n\xff\n", "l")
                .unwrap_err()
                .to_string()
                .starts_with("l:2:1")
        );
    }
}
