//! `--report junit`: a test case for each destination; a refused one is a failed case.

use super::{Entry, Outcome, Report, words};
use std::fmt::Write;

/// The report as JUnit XML (the schema that Jenkins and GitLab read).
pub(super) fn render(report: &Report) -> String {
    let failures = report.findings().count();
    let tests = report.entries.len();
    let time = seconds(report);
    let started = attribute(&report.started);
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\"");
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"hallpass\" {counts} time=\"{time}\">"
    );
    let _ = writeln!(
        xml,
        "  <testsuite name=\"hallpass\" {counts} skipped=\"0\" time=\"{time}\" timestamp=\"{started}\">"
    );
    let _ = writeln!(xml, "    <properties>");
    for (name, value) in [
        ("session", report.session.clone()),
        ("allowed", report.totals.allowed.to_string()),
        ("refused", report.totals.refused.to_string()),
        (
            "would-be-refused",
            report.totals.would_be_refused.to_string(),
        ),
        ("unlisted", report.unlisted.all().to_string()),
    ] {
        let value = attribute(&value);
        let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{value}\"/>");
    }
    let _ = writeln!(xml, "    </properties>");
    for entry in &report.entries {
        case(&mut xml, entry);
    }
    if !report.notes.is_empty() {
        let notes: Vec<String> = report.notes.iter().map(|note| words::short(note)).collect();
        let notes = content(&notes.join("\n"));
        let _ = writeln!(xml, "    <system-out>{notes}</system-out>");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(xml: &mut String, entry: &Entry) {
    let who = match entry.package_and_step() {
        Some(package) => format!("{} ({package})", entry.app_path()),
        None => entry.app_path(),
    };
    let (who, to) = (attribute(&who), attribute(&entry.destination()));
    let head = format!("    <testcase classname=\"{who}\" name=\"{to}\" time=\"0\"");
    if entry.outcome == Outcome::Allowed {
        let _ = writeln!(xml, "{head}/>");
        return;
    }
    let word = entry.outcome.word();
    let reason = entry.reason();
    let message = attribute(&format!("{word}: {reason}"));
    let text = content(&format!(
        "{}\n{}, {word}: {reason}\nfirst {}, last {}",
        entry.who_and_where(),
        entry.calls(),
        words::short(&entry.first),
        words::short(&entry.last)
    ));
    let _ = writeln!(xml, "{head}>");
    let _ = writeln!(
        xml,
        "      <failure message=\"{message}\" type=\"{}\">{text}</failure>",
        word.replace(' ', "-")
    );
    let _ = writeln!(xml, "    </testcase>");
}

/// How long the run took, in seconds.
fn seconds(report: &Report) -> String {
    let at = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let took = at(&report.started)
        .zip(at(&report.ended))
        .map(|(started, ended)| ended.as_millisecond() - started.as_millisecond());
    let took = took.unwrap_or_default().max(0);
    format!("{}.{:03}", took / 1000, took % 1000)
}

/// Text between tags. `>` as well, so that `]]>` cannot come about.
fn content(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\n' => xml.push('\n'),
            c if is_xml(c) => xml.push(c),
            c => xml.push_str(&c.escape_unicode().to_string()),
        }
    }
    xml
}

/// Text in quotes: a line break would be read as a blank (XML 1.0, 3.3.3).
fn attribute(text: &str) -> String {
    content(text).replace('\n', "&#10;")
}

/// XML 1.0's `Char`, without the controls that have no place in a line of text.
fn is_xml(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_case_for_each_destination() {
        let xml = render(&samples::ordinary());
        assert!(xml.contains("tests=\"4\" failures=\"3\""), "{xml}");
        assert!(xml.contains("time=\"3.000\""), "{xml}");
        assert!(
            xml.contains(
                "<testcase classname=\"/usr/bin/git\" name=\"example.com:443/tcp\" time=\"0\"/>"
            ),
            "{xml}"
        );
        assert!(
            xml.contains("classname=\"/usr/bin/node (npm:esbuild, postinstall)\""),
            "{xml}"
        );
    }

    /// The events of a document: its tags, with everything in quotes taken out.
    fn tags(xml: &str) -> Vec<String> {
        let tags = xml.split('<').skip(1);
        tags.map(|rest| {
            let tag = rest.split('>').next().unwrap();
            tag.split('"').step_by(2).collect::<String>()
        })
        .collect()
    }

    #[test]
    fn hostile_names_add_no_tag_and_no_character_that_xml_forbids() {
        let xml = render(&samples::hostile());
        let cases = 2 * samples::HOSTILE.len();
        let count = |tag: &str| tags(&xml).iter().filter(|it| it.starts_with(tag)).count();
        assert_eq!(count("testcase"), cases);
        assert_eq!(count("/testcase"), cases);
        assert_eq!(count("failure"), cases);
        assert!(!xml.contains("]]>"));
        assert!(xml.chars().all(|c| c == '\n' || is_xml(c)));
    }

    #[test]
    fn what_xml_cannot_hold_is_written_out() {
        assert_eq!(
            content("a\u{0}\u{b}\u{1b}\u{ffff}]]>"),
            r"a\u{0}\u{b}\u{1b}\u{ffff}]]&gt;"
        );
        assert_eq!(attribute("a\"b\n'<"), "a&quot;b&#10;&apos;&lt;");
    }
}
