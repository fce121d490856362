//! `--report github`: annotations on the job, a step summary in Markdown, and step outputs.

use super::{Entry, Outcome, Report, words};
use std::fmt::Write;

/// GitHub shows ten errors and ten warnings of a step; more would push out those of others.
const ANNOTATIONS: usize = 9;
/// A step's summary may have 1 MiB; what the step itself has written there counts.
pub(super) const SUMMARY_MAX: usize = 1024 * 1024;
/// Room for the last line of a summary that was cut.
const LAST_LINE: usize = 200;

/// Workflow commands, a line each.
pub(super) fn annotations(report: &Report) -> String {
    let mut lines = String::new();
    for (outcome, command) in [
        (Outcome::Refused, "error"),
        (Outcome::WouldBeRefused, "warning"),
    ] {
        let mut totals = report.totals;
        let calls = *totals.of(outcome);
        let mut named = 0;
        let findings = report.findings().filter(|entry| entry.outcome == outcome);
        for entry in findings.take(ANNOTATIONS) {
            named += entry.count;
            let text = format!(
                "{}, {}: {}",
                entry.who_and_where(),
                entry.calls(),
                entry.reason()
            );
            annotation(&mut lines, command, outcome, &text);
        }
        if calls > named {
            let text = format!("{} more calls; the step summary lists them", calls - named);
            annotation(&mut lines, command, outcome, &text);
        }
    }
    lines
}

fn annotation(lines: &mut String, command: &str, outcome: Outcome, text: &str) {
    let title = property(&format!("hallpass: {}", outcome.word()));
    let _ = writeln!(lines, "::{command} title={title}::{}", data(text));
}

/// The text of a workflow command (actions/toolkit, command.ts).
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a workflow command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The step's summary, of at most `room` bytes.
pub(super) fn summary(report: &Report, room: usize) -> String {
    // A blank line ends whatever the step has written before.
    let mut text = format!(
        "\n\n## hallpass: {}\n",
        words::totals(report.totals).replace(", 0 would be refused", "")
    );
    if text.len() + LAST_LINE > room {
        return String::new();
    }
    let room = room - LAST_LINE;
    let mut left = 0;
    let mut last = None;
    for entry in &report.entries {
        let mut lines = String::new();
        if last != Some(entry.outcome) {
            lines = head(entry.outcome);
        }
        lines.push_str(&row(entry));
        if text.len() + lines.len() > room {
            left += 1;
            continue;
        }
        last = Some(entry.outcome);
        text.push_str(&lines);
    }
    for note in &report.notes {
        let line = format!("\n- not covered: {}", code(note));
        if text.len() + line.len() <= room {
            text.push_str(&line);
        }
    }
    let unlisted = report.unlisted.all();
    if left > 0 {
        let _ = write!(text, "\n\n{left} more lines had no room here.");
    }
    if unlisted > 0 {
        let _ = write!(text, "\n\n{unlisted} more calls are only counted.");
    }
    text.push('\n');
    text
}

fn head(outcome: Outcome) -> String {
    let word = outcome.word();
    format!("\n| {word} | to | address | calls | why |\n|---|---|---|--:|---|\n")
}

fn row(entry: &Entry) -> String {
    let who = match entry.package_and_step() {
        Some(package) => format!("{} ({})", code(&entry.app_name()), code(&package)),
        None => code(&entry.app_name()),
    };
    let (to, addresses) = (code(&entry.destination()), entry.address_list());
    let addresses = if addresses.is_empty() {
        String::new()
    } else {
        code(&addresses)
    };
    let (count, why) = (entry.count, code(&entry.reason()));
    format!("| {who} | {to} | {addresses} | {count} | {why} |\n")
}

/// A code span: no link, no mention, no HTML comes about in it. A backtick would end it and a
/// bar the cell, so both are written out.
fn code(text: &str) -> String {
    let text = words::short(text)
        .replace('`', r"\u{60}")
        .replace('|', r"\u{7c}");
    match text.trim() {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

/// What goes to `$GITHUB_OUTPUT`: numbers only, so no name can write a line there.
pub(super) fn outputs(report: &Report) -> String {
    let totals = report.totals;
    format!(
        "allowed={}\nrefused={}\nwould-be-refused={}\n",
        totals.allowed, totals.refused, totals.would_be_refused
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn annotations_are_aggregated_and_escaped() {
        assert_eq!(
            annotations(&samples::ordinary()),
            "::error title=hallpass%3A refused::node of package npm:esbuild, postinstall → evil.test:443/tcp (203.0.113.7), 2 calls: default\n\
             ::error title=hallpass%3A refused::ping → a socket of the family AF_PACKET, 1 call: default\n\
             ::warning title=hallpass%3A would be refused::curl → b.test:80/tcp (203.0.113.7), 2 calls: policy file: deny *.test\n"
        );
        let mut many = samples::ordinary();
        many.entries = (1..100)
            .map(|n| samples::refused("/a", "x.test", n))
            .collect();
        many.totals.refused = 198;
        let lines = annotations(&many);
        assert_eq!(lines.lines().count(), ANNOTATIONS + 1 + 1);
        assert!(lines.contains("180 more calls"), "{lines}");
    }

    #[test]
    fn hostile_names_are_no_command_of_their_own() {
        let lines = annotations(&samples::hostile());
        assert!(
            lines
                .lines()
                .all(|line| line.starts_with("::error title=hallpass%3A refused::"))
        );
        assert!(!lines.chars().any(|c| c.is_control() && c != '\n'));
        assert_eq!(data("a%0Ab\r\n"), "a%250Ab%0D%0A");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
        let outputs = outputs(&samples::hostile());
        assert_eq!(outputs.lines().count(), 3);
    }

    #[test]
    fn hostile_names_stay_in_their_code_spans() {
        let text = summary(&samples::hostile(), SUMMARY_MAX);
        let mut rows = 0;
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            rows += 1;
            assert_eq!(line.matches('|').count(), 6, "{line}");
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
            // Whatever is outside of code spans is ours.
            let outside: String = line.split('`').step_by(2).collect();
            assert!(
                outside.chars().all(|c| " |()0123456789".contains(c)),
                "{outside}"
            );
        }
        assert_eq!(rows, 2 * samples::HOSTILE.len());
    }

    #[test]
    fn a_summary_never_passes_its_limit() {
        let mut report = samples::ordinary();
        report.entries = (0..4000)
            .map(|n| samples::refused(&format!("/{}{n}", "a".repeat(300)), "x.test", 1))
            .collect();
        for room in [0, 100, 1000, 100_000, SUMMARY_MAX] {
            let text = summary(&report, room);
            assert!(text.len() <= room, "{} > {room}", text.len());
        }
        assert!(summary(&report, 100_000).contains("more lines had no room"));
    }
}
