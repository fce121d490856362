//! Rule files: JSON in, rules out, or an error with place and remedy; and JSON out.

mod read;

use crate::text::{escaped, quoted, without_place};
use crate::{Action, Rule};
use serde::Serialize;
use std::fmt;

/// The version of rule files that is written and read.
pub const FILE_VERSION: u32 = 1;

/// Largest rule file that is read, in bytes.
pub const FILE_MAX: usize = 8 * 1024 * 1024;

/// Longest note of a rule, in bytes.
pub const NOTE_MAX: usize = 1000;

/// Longest message repeated from the JSON parser, in characters.
const MESSAGE_MAX: usize = 300;

/// What a rule file holds (docs/policy.md, docs/policy.schema.json).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleFile {
    /// [`FILE_VERSION`].
    pub version: u32,
    /// What holds where no rule matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Action>,
    /// The rules; their order does not matter.
    pub rules: Vec<Rule>,
}

/// Why a file is no rule file. Safe to show: what it repeats is escaped and clipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file, as it was named to [`RuleFile::parse`].
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = escaped(&self.origin);
        let Self {
            line,
            column,
            message,
            remedy,
            ..
        } = self;
        write!(f, "{origin}:{line}:{column}: {message}; {remedy}")
    }
}

impl std::error::Error for FileError {}

impl Default for RuleFile {
    fn default() -> Self {
        Self {
            version: FILE_VERSION,
            default: None,
            rules: Vec::new(),
        }
    }
}

impl RuleFile {
    /// Reads a rule file; `origin` is its name in errors.
    ///
    /// # Errors
    /// Anything but one JSON object of this version with known fields and valid values.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self, FileError> {
        parse(bytes).map_err(|problem| FileError {
            origin: origin.to_owned(),
            line: problem.line,
            column: problem.column,
            message: problem.message,
            remedy: problem.remedy,
        })
    }

    /// The file as it is saved: indented JSON with a newline at its end, which reads back as
    /// the same rules.
    ///
    /// # Errors
    /// None for values of this type; the JSON writer's signature has one.
    pub fn to_json_pretty(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}

struct Problem {
    line: usize,
    column: usize,
    message: String,
    remedy: String,
}

impl Problem {
    fn at_start(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            line: 1,
            column: 1,
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// How a remedy travels inside a serde error, which has room for one text only.
const REMEDY: char = '\u{1f}';

const MINIMAL: &str = "{ \"version\": 1, \"rules\": [] }";

fn parse(bytes: &[u8]) -> Result<RuleFile, Problem> {
    if bytes.len() > FILE_MAX {
        return Err(Problem::at_start(
            format!("the file has {} bytes", bytes.len()),
            format!("a rule file has at most {FILE_MAX}; split it into several"),
        ));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Problem::at_start(
            "the file begins with a byte order mark",
            "save it as UTF-8 without one",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = position(bytes, error.valid_up_to());
        Problem {
            line,
            column,
            message: "the file is not UTF-8 text".to_owned(),
            remedy: "save it as UTF-8".to_owned(),
        }
    })?;
    if text.trim().is_empty() {
        return Err(Problem::at_start(
            "the file is empty",
            format!("write at least {MINIMAL}"),
        ));
    }
    read::version(text)
        .and_then(|()| read::file(text))
        .map_err(|error| explain(text, &error))
}

/// A serde_json error with its place and a remedy.
fn explain(text: &str, error: &serde_json::Error) -> Problem {
    let whole = error.to_string();
    let plain = without_place(&whole);
    let (message, remedy) = match plain.split_once(REMEDY) {
        Some((message, remedy)) => (message.to_owned(), remedy.to_owned()),
        None => plain_words(error, plain),
    };
    let end = offset_of(text, error.line(), error.column());
    let (line, column) = position(
        text.as_bytes(),
        token_start(text, end, plain, error.is_data()),
    );
    Problem {
        line,
        column,
        message,
        remedy,
    }
}

fn plain_words(error: &serde_json::Error, plain: &str) -> (String, String) {
    let known = [
        ("trailing comma", "remove the comma in front of the bracket"),
        (
            "trailing characters",
            "a rule file is one JSON object and nothing after it",
        ),
        (
            "key must be a string",
            "write names in double quotes; JSON has no comments",
        ),
        (
            "EOF while parsing",
            "the file ends too early: close what is still open",
        ),
        ("control character", "write it as an escape, such as \\n"),
        (
            "expected value",
            "write a JSON value here; JSON has no comments and no single quotes",
        ),
        ("expected `,`", "put a comma between two entries"),
        ("expected `:`", "put a colon between name and value"),
    ];
    let found = plain
        .strip_prefix("invalid type: ")
        .or_else(|| plain.strip_prefix("invalid value: "))
        .and_then(|found| found.rsplit_once(", expected "));
    if let (Some((found, expected)), true) = (found, error.is_data()) {
        let found = match found {
            "map" => "an object",
            "sequence" => "a list",
            other => other,
        };
        let message = clipped(&format!("{found} cannot stand here"));
        return (message, format!("write {expected}"));
    }
    // What serde_json says of a word that is neither true, false nor null.
    if plain == "expected ident" {
        let remedy = "a rule file is one JSON object, and text in it stands in double quotes";
        return ("this is no JSON".to_owned(), remedy.to_owned());
    }
    let remedy = known
        .iter()
        .find(|(part, _)| plain.contains(part))
        .map_or("write JSON as docs/policy.md describes", |(_, remedy)| {
            *remedy
        });
    (clipped(plain), remedy.to_owned())
}

fn clipped(message: &str) -> String {
    let mut shown: String = message.chars().take(MESSAGE_MAX).collect();
    if shown.len() < message.len() {
        shown.push('…');
    }
    shown
}

/// Byte offset of a place that serde_json gave: line from 1, column in bytes.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column).min(text.len())
}

/// Where the token starts that the error is about: serde_json reports a place at its end.
fn token_start(text: &str, end: usize, plain: &str, is_data: bool) -> usize {
    let bytes = text.as_bytes();
    let last = end.saturating_sub(1).min(bytes.len().saturating_sub(1));
    let before = bytes.get(..last).unwrap_or_default();
    let opening = match plain {
        _ if plain.starts_with("invalid type: map") => Some(b'{'),
        _ if plain.starts_with("invalid type: sequence") => Some(b'['),
        _ => None,
    };
    match (opening, bytes.get(last)) {
        (Some(opening), Some(at)) if *at != opening => before
            .iter()
            .rposition(|byte| *byte == opening)
            .unwrap_or(last),
        (None, Some(b'"')) if is_data => string_start(before).unwrap_or(last),
        (None, Some(byte)) if is_word(*byte) => before
            .iter()
            .rposition(|byte| !is_word(*byte))
            .map_or(0, |at| at + 1),
        _ => last,
    }
}

/// Numbers, `true`, `null` and unquoted words.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_')
}

/// The quote that opens the string whose closing quote follows `before`.
fn string_start(before: &[u8]) -> Option<usize> {
    let line = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let is_escaped = |at: usize| {
        let front = before.get(..at).unwrap_or_default();
        front
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count()
            % 2
            == 1
    };
    (line..before.len())
        .rev()
        .find(|at| before.get(*at) == Some(&b'"') && !is_escaped(*at))
}

/// Line and column, from 1, the column in characters.
fn position(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let this_line = before.get(line_start..).unwrap_or_default();
    (line, String::from_utf8_lossy(this_line).chars().count() + 1)
}

fn with_remedy(message: impl fmt::Display, remedy: impl fmt::Display) -> String {
    format!("{message}{REMEDY}{remedy}")
}

fn unknown_field(field: &str, known: &[&str]) -> String {
    with_remedy(
        format!("{} is no field of this object", quoted(field)),
        format!("its fields are {}", known.join(", ")),
    )
}
