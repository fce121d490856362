//! `--report gitlab`: a code-quality report, which GitLab shows in the merge request.

use super::{Outcome, Report, fingerprint};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Where findings are shown if no policy file of the project was given: a place is required.
const SOMEWHERE: &str = ".gitlab-ci.yml";

/// The report. `policy` is the file that findings are shown at, relative to the project.
pub(super) fn render(report: &Report, policy: Option<&str>) -> serde_json::Result<String> {
    // GitLab drops all but one of several with one fingerprint.
    let mut seen = HashSet::new();
    let issues: Vec<Value> = report
        .findings()
        .map(|entry| (fingerprint::of(entry), entry))
        .filter(|(fingerprint, _)| seen.insert(fingerprint.clone()))
        .map(|(fingerprint, entry)| {
            let (check, severity) = match entry.outcome {
                Outcome::WouldBeRefused => ("hallpass-would-be-refused", "minor"),
                Outcome::Refused | Outcome::Allowed => ("hallpass-refused", "critical"),
            };
            let description = format!(
                "{}: {}, {} ({})",
                entry.who_and_where(),
                entry.calls(),
                entry.outcome.word(),
                entry.reason()
            );
            json!({
                "description": description,
                "check_name": check,
                "fingerprint": fingerprint,
                "severity": severity,
                "location": { "path": policy.unwrap_or(SOMEWHERE), "lines": { "begin": 1 } },
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&issues)?.replace('<', "\\u003c") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn each_issue_has_what_gitlab_requires() {
        for report in [samples::ordinary(), samples::hostile()] {
            let text = render(&report, None).unwrap();
            assert!(!text.contains('<'));
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            let issues: Vec<Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(issues.len(), report.findings().count());
            let mut seen = HashSet::new();
            for issue in issues {
                assert_eq!(issue["location"]["path"], SOMEWHERE);
                assert_eq!(issue["location"]["lines"]["begin"], 1);
                assert!(issue["description"].is_string() && issue["check_name"].is_string());
                let severity = issue["severity"].as_str().unwrap();
                assert!(["minor", "critical"].contains(&severity));
                assert!(seen.insert(issue["fingerprint"].as_str().unwrap().to_owned()));
            }
        }
    }
}
