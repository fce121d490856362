//! What `--fail-on-block` says on stderr: what was refused, and how to allow it.

use super::{Outcome, Report, Target};
use hallpass_policy::{Destination, Protocol};
use hallpass_session::render;
use hallpass_session::verdict::looked_up;

/// Refusals that are named; reports have them all.
const SHOWN: usize = 10;

/// A line for each different refusal, empty where there was none. `policy` is the first file given
/// with `--policy`, escaped.
pub(super) fn render(report: &Report, policy: Option<&str>) -> String {
    let findings: Vec<_> = report.findings().collect();
    let mut totals = report.totals;
    let all = [Outcome::Refused, Outcome::WouldBeRefused].map(|outcome| *totals.of(outcome));
    let mut left: u64 = all.iter().sum();
    let mut lines = String::new();
    for entry in findings.iter().take(SHOWN) {
        left = left.saturating_sub(entry.count);
        let (word, who, calls) = (entry.outcome.word(), entry.who_and_where(), entry.calls());
        line(
            &mut lines,
            &format!("{word}: {who}, {calls}: {}", entry.reason()),
        );
    }
    if left > 0 {
        let calls = render::count(left, "call", "calls");
        line(
            &mut lines,
            &format!("and {calls} more; --report text=FILE names all"),
        );
    }
    if !lines.is_empty() {
        line(&mut lines, &how_to_allow(report, policy));
    }
    // GitHub's runner takes `##[` anywhere in a line for a command.
    lines.replace("##[", "## [")
}

fn line(lines: &mut String, text: &str) {
    lines.push_str("hallpass: ");
    lines.push_str(text);
    lines.push('\n');
}

/// With the first destination that a rule can be written for as it stands here.
fn how_to_allow(report: &Report, policy: Option<&str>) -> String {
    let policy = policy.unwrap_or("POLICY.json");
    let learn = format!("hallpass learn --merge -o {policy} -- CMD");
    let mut destinations = report.findings().filter_map(|entry| {
        let to = match &entry.target {
            Target::Flow { proto, .. } if *proto != Protocol::Unix => entry.destination(),
            Target::Flow { .. } => return None,
            Target::Call(what) => looked_up(what)?.to_owned(),
        };
        // A path or what no rule can say might be read by a shell as more than one word.
        to.parse::<Destination>().is_ok().then_some(to)
    });
    match destinations.next() {
        Some(to) => format!("if a program needs it: --allow {to}; or for the whole list: {learn}"),
        None => "no destination was refused that a rule is written for".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use hallpass_session::verdict::look_up_of;

    #[test]
    fn what_was_refused_and_how_to_allow_it() {
        assert_eq!(
            render(&samples::ordinary(), Some("ci/p.json")),
            "hallpass: refused: node of package npm:esbuild, postinstall → evil.test:443/tcp (203.0.113.7), 2 calls: default\n\
             hallpass: refused: ping → a socket of the family AF_PACKET, 1 call: default\n\
             hallpass: would be refused: curl → b.test:80/tcp (203.0.113.7), 2 calls: policy file: deny *.test\n\
             hallpass: if a program needs it: --allow evil.test:443/tcp; or for the whole list: hallpass learn --merge -o ci/p.json -- CMD\n"
        );
        assert_eq!(render(&Report::default(), None), "");
        let mut look_up = samples::ordinary();
        look_up.entries.truncate(1);
        look_up.entries[0].target = Target::Call(look_up_of("evil.test"));
        let text = render(&look_up, None);
        assert!(text.contains("needs it: --allow evil.test; or"), "{text}");
    }

    #[test]
    fn many_are_a_number() {
        let mut many = samples::ordinary();
        many.entries = (1..100)
            .map(|n| samples::refused("/a", "x.test", n))
            .collect();
        many.totals.refused = 2 * 99;
        many.totals.would_be_refused = 0;
        let text = render(&many, None);
        assert_eq!(text.lines().count(), SHOWN + 2);
        assert!(text.contains("and 178 calls more"), "{text}");
    }

    #[test]
    fn hostile_names_stay_text_and_are_no_flag_to_copy() {
        let text = render(&samples::hostile(), None);
        for line in text.lines() {
            assert!(line.starts_with("hallpass: "), "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        assert!(!text.contains("##[") && !text.contains("--allow"), "{text}");
    }
}
