//! `--report sarif`: SARIF 2.1.0 (OASIS), for code scanning.

use super::{Entry, Outcome, Report, fingerprint, words};
use serde_json::{Value, json};
use std::collections::HashSet;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What the numbers in `partialFingerprints` are of; another number for another way.
const FINGERPRINT: &str = "hallpassFlow/v1";

/// The report. `policy` is the file that findings are shown at, relative to the project; readers
/// such as GitHub show only findings that are somewhere.
pub(super) fn render(report: &Report, policy: Option<&str>) -> serde_json::Result<String> {
    let mut seen = HashSet::new();
    let results: Vec<Value> = report
        .findings()
        .filter(|entry| seen.insert(fingerprint::of(entry)))
        .map(|entry| result(entry, policy))
        .collect();
    let notes = report.notes.iter().map(
        |note| json!({ "level": "note", "message": { "text": message(&words::short(note)) } }),
    );
    let mut invocation = json!({
        "executionSuccessful": true,
        "startTimeUtc": report.started,
        "endTimeUtc": report.ended,
        "toolExecutionNotifications": notes.collect::<Vec<_>>(),
    });
    if let (Some(status), Some(fields)) = (report.status, invocation.as_object_mut()) {
        fields.insert("exitCode".to_owned(), status.into());
    }
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "hallpass",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule(Outcome::Refused, "An outgoing connection was refused"),
                    rule(Outcome::WouldBeRefused, "An outgoing connection would be refused without --audit"),
                ],
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "results": results,
            "properties": { "totals": report.totals, "unlisted": report.unlisted },
        }],
    });
    Ok(serde_json::to_string_pretty(&log)?.replace('<', "\\u003c") + "\n")
}

fn id(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::WouldBeRefused => "would-be-refused",
        Outcome::Refused | Outcome::Allowed => "refused",
    }
}

fn level(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::WouldBeRefused => "warning",
        Outcome::Refused | Outcome::Allowed => "error",
    }
}

fn rule(outcome: Outcome, text: &str) -> Value {
    json!({
        "id": id(outcome),
        "shortDescription": { "text": text },
        "fullDescription": { "text": format!("{text}. If it is needed, name its destination in the policy file.") },
        "defaultConfiguration": { "level": level(outcome) },
    })
}

fn result(entry: &Entry, policy: Option<&str>) -> Value {
    let (word, reason) = (entry.outcome.word(), entry.reason());
    let text = format!(
        "{}: {}, {word} ({reason})",
        entry.who_and_where(),
        entry.calls()
    );
    let mut location = json!({
        "logicalLocations": [{ "fullyQualifiedName": entry.app_path(), "kind": "module" }],
    });
    if let (Some(policy), Some(location)) = (policy, location.as_object_mut()) {
        let physical = json!({
            "artifactLocation": { "uri": uri(policy) },
            "region": { "startLine": 1 },
        });
        location.insert("physicalLocation".to_owned(), physical);
    }
    json!({
        "ruleId": id(entry.outcome),
        "level": level(entry.outcome),
        "message": { "text": message(&text) },
        "occurrenceCount": entry.count,
        "locations": [location],
        "partialFingerprints": { FINGERPRINT: fingerprint::of(entry) },
    })
}

/// Plain text in which brackets and braces mean themselves (SARIF 2.1.0, 3.11.5 and 3.11.6).
fn message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => out.extend(['\\', c]),
            '{' | '}' => out.extend([c, c]),
            c => out.push(c),
        }
    }
    out
}

/// A relative path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn log(report: &Report) -> Value {
        serde_json::from_str(&render(report, Some("ci/my policy.json")).unwrap()).unwrap()
    }

    #[test]
    fn a_result_for_each_finding_with_a_fingerprint_that_stays() {
        let first = log(&samples::ordinary());
        let results = first["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 3);
        assert_eq!(results[0]["ruleId"], "refused");
        assert_eq!(results[2]["level"], "warning");
        let at = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(at, "ci/my%20policy.json");
        let mut again = samples::ordinary();
        again.entries[0].count = 50;
        let again = log(&again);
        assert_eq!(
            results[0]["partialFingerprints"],
            again["runs"][0]["results"][0]["partialFingerprints"]
        );
    }

    #[test]
    fn the_same_finding_by_two_rules_is_one_result() {
        let mut report = samples::ordinary();
        let mut twin = report.entries[0].clone();
        twin.source = hallpass_session::verdict::Source::Person { by: "x".to_owned() };
        report.entries.push(twin);
        let results = log(&report)["runs"][0]["results"].as_array().unwrap().len();
        assert_eq!(results, 3);
    }

    #[test]
    fn hostile_names_make_no_link_and_no_placeholder() {
        assert_eq!(message(r"[a](1) {0} \"), r"\[a\](1) {{0}} \\");
        let text = render(&samples::hostile(), None).unwrap();
        assert!(!text.contains('<'));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        let log: Value = serde_json::from_str(&text).unwrap();
        for result in log["runs"][0]["results"].as_array().unwrap() {
            let text = result["message"]["text"].as_str().unwrap();
            let bare = text
                .replace("\\\\", "")
                .replace("\\[", "")
                .replace("\\]", "");
            assert!(!bare.contains(['[', ']']), "{text}");
            assert!(
                !bare
                    .replace("{{", "")
                    .replace("}}", "")
                    .contains(['{', '}']),
                "{text}"
            );
        }
    }
}
