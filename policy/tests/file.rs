//! Rule files: what is read, what is refused, where and with which remedy.

use hallpass_policy::{Action, FILE_MAX, FileError, RuleFile};

fn refused(text: &str) -> FileError {
    match RuleFile::parse(text.as_bytes(), "rules.json") {
        Ok(file) => panic!("{text} was read as {file:?}"),
        Err(error) => error,
    }
}

/// Place and a part of the text.
fn assert_refused(text: &str, line: usize, column: usize, part: &str) {
    let error = refused(text);
    let shown = error.to_string();
    assert!(
        shown.contains(part),
        "{text}\ngave {shown}\nwithout {part:?}"
    );
    assert_eq!(
        (error.line, error.column),
        (line, column),
        "{text}\ngave {shown}"
    );
    assert!(
        shown.starts_with(&format!("rules.json:{line}:{column}: ")),
        "{shown}"
    );
    assert!(
        !shown.contains('\u{1f}') && !error.remedy.is_empty(),
        "{shown:?}"
    );
}

#[test]
fn a_whole_file_is_read_and_written_back() {
    let text = r#"{
  "version": 1,
  "default": "deny",
  "rules": [
    {
      "do": "allow",
      "to": [
        "*.example.org:443",
        "10.0.0.0/8"
      ],
      "app": "script:/usr/lib/node_modules/npm/bin/npm-cli.js",
      "note": "registry \"mirror\"",
      "until": "2026-12-31T00:00:00Z"
    }
  ]
}
"#;
    let file = RuleFile::parse(text.as_bytes(), "x").unwrap();
    assert_eq!(file.default, Some(Action::Deny));
    assert_eq!(
        file.rules[0].to_string(),
        "allow *.example.org:443, 10.0.0.0/8 for script:/usr/lib/node_modules/npm/bin/npm-cli.js \
         until 2026-12-31T00:00:00Z (registry \"mirror\")"
    );
    assert_eq!(file.to_json_pretty().unwrap(), text);
}

#[test]
fn short_files_are_files() {
    let file = RuleFile::parse(br#"{"version":1}"#, "x").unwrap();
    assert_eq!(file, RuleFile::default());
    assert!(RuleFile::parse(b" \n{\"rules\":[],\"version\":1}\n", "x").is_ok());
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for (text, line, column, part) in [
        ("", 1, 1, "empty"),
        (" \n\t\n", 1, 1, "empty"),
        ("nonsense", 1, 1, "this is no JSON"),
        ("[]", 1, 1, "an object such as { \"version\": 1"),
        ("[1, \"ask\", []]", 1, 1, "an object such as"),
        ("\"x\"", 1, 1, "an object such as"),
        ("17", 1, 1, "an object such as"),
        ("null", 1, 1, "an object such as"),
        ("{\"version\":1} x", 1, 15, "nothing after it"),
        ("{\"version\":1}{}", 1, 14, "nothing after it"),
        ("{\"version\":1", 1, 12, "close what is still open"),
        (
            "{\"version\":1,\n \"rules\":[\n",
            2,
            11,
            "close what is still open",
        ),
        ("{\"version\":1,}", 1, 14, "remove the comma"),
        ("{\"version\":1 \"rules\":[]}", 1, 14, "comma"),
        ("{'version':1}", 1, 2, "double quotes"),
        ("{\n// a comment\n\"version\":1}", 2, 1, "no comments"),
        ("\u{feff}{\"version\":1}", 1, 1, "byte order mark"),
    ] {
        assert_refused(text, line, column, part);
    }
    let error = RuleFile::parse(b"{\"version\":1,\n \"x\": \"\xff\"", "x").unwrap_err();
    assert_eq!((error.line, error.column), (2, 8));
    assert!(error.to_string().contains("UTF-8"), "{error}");
    let deep = "[".repeat(100_000);
    assert_refused(&deep, 1, 1, "an object such as");
    let deep = format!("{{\"version\":1,\"x\":{deep}");
    assert_refused(&deep, 1, 100_017, "close what is still open");
}

#[test]
fn large_files_are_refused_before_they_are_read() {
    let error = refused(&" ".repeat(FILE_MAX + 1));
    assert!(error.to_string().contains("at most 8388608"), "{error}");
    let mut text = "{\"version\":1}".to_owned();
    text.push_str(&" ".repeat(FILE_MAX - text.len()));
    assert!(RuleFile::parse(text.as_bytes(), "x").is_ok());
}

#[test]
fn versions_are_checked_before_anything_else() {
    assert_refused("{\"version\":2,\"surprise\":[]}", 1, 12, "version 2");
    assert_refused("{\"surprise\":[],\n\"version\": 99}", 2, 12, "version 99");
    assert_refused("{\"version\":\"1\"}", 1, 12, "write the number 1");
    assert_refused("{\"version\":1.0}", 1, 12, "write the number 1");
    assert_refused("{\"version\":-1}", 1, 12, "write the number 1");
    assert_refused("{\"rules\":[]}", 1, 12, "does not say its version");
    assert_refused("{\"version\":1,\"version\":1}", 1, 14, "twice");
}

#[test]
fn fields_are_known_and_given_once() {
    let rule = |fields: &str| format!("{{\"version\":1,\"rules\":[{{{fields}}}]}}");
    assert_refused(
        "{\"version\":1,\"rule\":[]}",
        1,
        14,
        "its fields are version, default, rules",
    );
    assert_refused(
        "{\"version\":1,\n  \"rules\":[],\n  \"rules\":[]}",
        3,
        3,
        "`rules` is given twice",
    );
    assert_refused(
        &rule("\"do\":\"allow\",\"too\":[]"),
        1,
        37,
        "its fields are do, to, app, note, until",
    );
    assert_refused(
        &rule("\"do\":\"allow\",\"do\":\"deny\""),
        1,
        37,
        "`do` is given twice",
    );
    assert_refused(
        "{\"version\":1,\"default\":\"maybe\"}",
        1,
        24,
        "write \"allow\", \"ask\" or \"deny\"",
    );
    assert_refused(
        "{\"version\":1,\"default\":null}",
        1,
        24,
        "\"allow\", \"ask\" or \"deny\"",
    );
    assert_refused("{\"version\":1,\"rules\":{}}", 1, 22, "list of rules");
    assert_refused(
        "{\"version\":1,\"rules\":[[\"allow\",[\"@any\"]]]}",
        1,
        23,
        "a rule such as",
    );
    assert_refused(&rule(""), 1, 24, "no `to`");
    assert_refused(&rule("\"to\":[\"@any\"]"), 1, 37, "no `do`");
    assert_refused(
        &rule("\"do\":\"allow\",\"to\":[]"),
        1,
        44,
        "matches nothing",
    );
    assert_refused(
        &rule("\"do\":\"allow\",\"to\":\"@any\""),
        1,
        42,
        "list of destinations",
    );
    assert_refused(
        &rule("\"do\":\"allow\",\"to\":[7]"),
        1,
        43,
        "a destination such as",
    );
}

#[test]
fn a_bad_value_is_shown_with_place_and_remedy() {
    assert_refused(
        "{\"version\":1,\"rules\":[\n  {\"do\":\"allow\",\n   \"to\":[\"example.com\",\n         \"2130706433\"]}]}",
        4,
        10,
        "programs read it as 127.0.0.1; write 127.0.0.1",
    );
    assert_refused(
        "{\"version\":1,\"rules\":[{\"to\":[\"ü\",\"10.0.0.1/8\"]}]}",
        1,
        34,
        "write 10.0.0.0/8",
    );
    assert_refused(
        "{\"version\":1,\"rules\":[{\"to\":[\"a\\\"b c\"]}]}",
        1,
        30,
        "blank",
    );
    assert_refused(
        "{\"version\":1,\"rules\":[{\"app\":\"bin/curl\"}]}",
        1,
        30,
        "write the whole path",
    );
    assert_refused(
        "{\"version\":1,\"rules\":[{\"app\":\"\"}]}",
        1,
        30,
        "leave `app` out",
    );
    for until in [
        "tomorrow",
        "2026-12-31",
        "2026-12-31T00:00:00",
        "2026-12-31 00:00:00Z",
        "2026-12-31T00:00:00+01:00[Europe/Paris]",
        "2026-13-31T00:00:00Z",
    ] {
        assert_refused(
            &format!("{{\"version\":1,\"rules\":[{{\"until\":\"{until}\"}}]}}"),
            1,
            32,
            "RFC 3339",
        );
    }
    assert_refused(
        &format!(
            "{{\"version\":1,\"rules\":[{{\"note\":\"{}\"}}]}}",
            "x".repeat(1001)
        ),
        1,
        31,
        "at most 1000",
    );
}

#[test]
fn what_an_error_repeats_is_escaped_and_clipped() {
    for text in [
        "{\"version\":1,\"\\u001b[31m\\u202e\":1}".to_owned(),
        format!("{{\"version\":1,\"{}\":1}}", "x".repeat(100_000)),
        format!("{{\"version\":\"{}\\u202e\"}}", "x".repeat(100_000)),
        format!(
            "{{\"version\":1,\"rules\":[{{\"to\":[\"{}\"]}}]}}",
            "x".repeat(100_000)
        ),
    ] {
        let shown = refused(&text).to_string();
        assert!(shown.len() < 1000, "{} bytes", shown.len());
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
    let error = RuleFile::parse(b"", "dir\n\u{202e}/rules.json").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("dir\\n\\u{202e}/rules.json:1:1: "),
        "{error}"
    );
}
