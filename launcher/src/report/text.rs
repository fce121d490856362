//! `--report text`: for a person who reads the end of a job's output.

use super::{Outcome, Report, words};

/// Lines of each part that are shown; a file of its own shows all.
const SHOWN: usize = 40;

/// The report; at most [`SHOWN`] lines of each part, or all.
pub(super) fn render(report: &Report, all: bool) -> String {
    let shown = if all { usize::MAX } else { SHOWN };
    let mut lines = vec![format!(
        "hallpass report: {} (session {})",
        words::totals(report.totals),
        words::short(&report.session)
    )];
    for (outcome, title) in [
        (Outcome::Refused, "refused"),
        (Outcome::WouldBeRefused, "would be refused without --audit"),
        (Outcome::Allowed, "allowed"),
    ] {
        let entries = report.entries.iter();
        let entries: Vec<_> = entries.filter(|entry| entry.outcome == outcome).collect();
        let mut unlisted = report.unlisted;
        let unlisted = *unlisted.of(outcome);
        if entries.is_empty() && unlisted == 0 {
            continue;
        }
        lines.push(format!("{title}:"));
        for entry in entries.iter().take(shown) {
            let who_and_where = entry.who_and_where();
            let (count, reason) = (entry.count, entry.reason());
            lines.push(format!("{count:>7}× {who_and_where}: {reason}"));
        }
        if entries.len() > shown {
            let left = entries.len() - shown;
            lines.push(format!(
                "         and {left} more; --report text=FILE lists all"
            ));
        }
        if unlisted > 0 {
            lines.push(format!("{unlisted:>7}× others, which are only counted"));
        }
    }
    if !report.notes.is_empty() {
        lines.push("not covered:".to_owned());
        let notes = report.notes.iter().take(shown);
        lines.extend(notes.map(|note| format!("       - {}", words::short(note))));
    }
    // GitHub's runner takes `##[` anywhere in a line for a command.
    lines.join("\n").replace("##[", "## [") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn who_where_why_and_how_often() {
        assert_eq!(
            render(&samples::ordinary(), false),
            "hallpass report: 3 refused, 2 would be refused, 2 allowed (session 4711-0badcafe)\n\
             refused:\n\
             \u{20}     2× node of package npm:esbuild, postinstall → evil.test:443/tcp (203.0.113.7): default\n\
             \u{20}     1× ping → a socket of the family AF_PACKET: default\n\
             would be refused without --audit:\n\
             \u{20}     2× curl → b.test:80/tcp (203.0.113.7): policy file: deny *.test\n\
             allowed:\n\
             \u{20}     2× git → example.com:443/tcp (203.0.113.7): flag: allow example.com\n"
        );
    }

    #[test]
    fn hostile_names_stay_text() {
        let text = render(&samples::hostile(), true);
        for line in text.lines() {
            assert!(!line.trim_start().starts_with("::"), "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        assert!(!text.contains("##["));
        assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'));
        let lines = 2 + 2 * samples::HOSTILE.len() + 1 + samples::HOSTILE.len();
        assert_eq!(text.lines().count(), lines);
    }

    #[test]
    fn a_long_report_is_cut_on_the_terminal_only() {
        let mut report = samples::ordinary();
        report.entries = (1..200)
            .map(|n| samples::refused("/a", "x.test", n))
            .collect();
        assert!(render(&report, false).contains("and 159 more"));
        assert!(render(&report, true).lines().count() >= 200);
    }
}
