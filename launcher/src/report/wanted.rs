//! `--report FORMAT[=FILE]` as it is written.

use clap::builder::{OsStringValueParser, TypedValueParser, ValueParser};
use hallpass_session::escape::escape_bytes;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// docs/report.schema.json.
    Json,
    /// A test case for each destination.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations, step summary, step outputs.
    Github,
    /// A code-quality report.
    Gitlab,
}

/// A report that a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// In which form.
    pub(crate) format: Format,
    /// Where; none for stderr (and for GitHub its own files).
    pub(crate) file: Option<PathBuf>,
}

const FORMATS: [(&str, Format); 6] = [
    ("text", Format::Text),
    ("json", Format::Json),
    ("junit", Format::Junit),
    ("sarif", Format::Sarif),
    ("github", Format::Github),
    ("gitlab", Format::Gitlab),
];

impl Wanted {
    /// Reads the flag's value.
    pub(crate) fn parser() -> ValueParser {
        ValueParser::new(OsStringValueParser::new().try_map(|text| parse(&text)))
    }

    /// The flag's value in its two parts, as yet unread.
    pub(crate) fn split(text: &OsStr) -> (&OsStr, Option<&OsStr>) {
        let bytes = text.as_bytes();
        let mut parts = bytes.splitn(2, |byte| *byte == b'=').map(OsStr::from_bytes);
        (parts.next().unwrap_or_default(), parts.next())
    }
}

fn parse(text: &OsStr) -> Result<Wanted, String> {
    let (word, file) = Wanted::split(text);
    let found = FORMATS.iter().find(|(name, _)| *name == word);
    let Some((name, format)) = found else {
        let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "{} is no format; write {}, then =FILE",
            escape_bytes(word.as_bytes(), 50),
            names.join(", ")
        ));
    };
    let needs_file = !matches!(format, Format::Text | Format::Github);
    match file {
        None if needs_file => Err(format!("{name} is for a file; write {name}=FILE")),
        Some(file) if file.is_empty() => Err(format!("the file has no name; write {name}=FILE")),
        file => Ok(Wanted {
            format: *format,
            file: file.map(PathBuf::from),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_and_a_file() {
        let wanted = parse(OsStr::new("json=out/a=b.json")).unwrap();
        assert_eq!(wanted.format, Format::Json);
        assert_eq!(wanted.file.unwrap(), PathBuf::from("out/a=b.json"));
        assert_eq!(parse(OsStr::new("text")).unwrap().file, None);
        for (text, part) in [
            ("sarif", "sarif=FILE"),
            ("json=", "json=FILE"),
            ("html=x", "junit"),
            ("\u{1b}=x", "\\u{1b}"),
        ] {
            let error = parse(OsStr::new(text)).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
