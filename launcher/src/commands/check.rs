//! `hallpass check`: whether rule files can be used.

use super::failure::{Failure, Outcome};
use super::output::Output;
use crate::say::say;
use hallpass_policy::{Action, RuleFile, WarningKind, lint};
use hallpass_session::problem::{Problem, show_path};
use hallpass_session::{render, rules_file};
use serde::Serialize;
use std::collections::HashMap;
use std::net::ToSocketAddrs;
use std::path::PathBuf;

/// Check rule files: whether they can be used, and what in them has no effect.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Also look each name up, and warn of those without an address. This asks name servers.
    #[arg(long)]
    resolve: bool,

    /// Print each file's result as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> Outcome {
    let mut output = Output::new();
    let mut outcome = Ok(());
    let resolves: Option<&dyn Fn(&str) -> bool> = if args.resolve {
        Some(&has_address)
    } else {
        None
    };
    for path in &args.files {
        let shown = show_path(path);
        match rules_file::load_named(path) {
            Ok(file) => {
                let checked = look(&shown, &file, jiff::Timestamp::now(), resolves);
                if args.json {
                    output.json(&checked)?;
                } else {
                    for line in lines(&checked) {
                        output.line(&line)?;
                    }
                }
            }
            Err(problem) => {
                outcome = Err(Failure::Said);
                if args.json {
                    output.json(&Checked {
                        file: shown,
                        rules: None,
                        default: None,
                        warnings: Vec::new(),
                        error: Some(problem.into()),
                    })?;
                    continue;
                }
                output.flush()?;
                say(&problem.to_string());
            }
        }
    }
    output.finish()?;
    outcome
}

/// What a file came to, for `--json`.
#[derive(Serialize)]
struct Checked {
    file: String,
    /// None where it cannot be used.
    rules: Option<usize>,
    default: Option<Action>,
    warnings: Vec<Warning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Unusable>,
}

#[derive(Serialize)]
struct Unusable {
    place: String,
    message: String,
    remedy: String,
}

impl From<Problem> for Unusable {
    fn from(problem: Problem) -> Self {
        Self {
            place: problem.place,
            message: problem.what,
            remedy: problem.instead,
        }
    }
}

/// A warning about a rule, counted from 1 as in the text.
#[derive(Serialize)]
struct Warning {
    rule: usize,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<usize>,
    message: String,
    remedy: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Kind {
    /// What the policy crate warns of.
    Lint(WarningKind),
    /// `--resolve` found no address.
    #[serde(serialize_with = "unresolved")]
    Unresolved,
}

fn unresolved<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("unresolved")
}

/// Looks at a file that can be used.
fn look(
    path: &str,
    file: &RuleFile,
    now: jiff::Timestamp,
    resolves: Option<&dyn Fn(&str) -> bool>,
) -> Checked {
    let mut warnings: Vec<Warning> = lint(&file.rules, now)
        .into_iter()
        .map(|found| Warning {
            rule: found.rule + 1,
            kind: Kind::Lint(found.kind),
            other: found.other.map(|other| other + 1),
            message: found.message,
            remedy: found.remedy,
        })
        .collect();
    if let Some(resolves) = resolves {
        let mut known: HashMap<&str, bool> = HashMap::new();
        for (index, rule) in file.rules.iter().enumerate() {
            for name in rule.to.iter().filter_map(|to| to.name()) {
                if !*known.entry(name).or_insert_with(|| resolves(name)) {
                    warnings.push(Warning {
                        rule: index + 1,
                        kind: Kind::Unresolved,
                        other: None,
                        message: format!("{name} has no address here and now"),
                        remedy: "check its spelling; until it resolves the rule matches nothing"
                            .to_owned(),
                    });
                }
            }
        }
        warnings.sort_by_key(|warning| warning.rule);
    }
    Checked {
        file: path.to_owned(),
        rules: Some(file.rules.len()),
        default: file.default,
        warnings,
        error: None,
    }
}

/// One line that says what the file holds, then one for each warning.
fn lines(checked: &Checked) -> Vec<String> {
    let path = &checked.file;
    let rules = render::count(checked.rules.unwrap_or(0) as u64, "rule", "rules");
    let default = match checked.default {
        Some(action) => format!("default {action}"),
        None => "no default".to_owned(),
    };
    let mut lines = vec![format!("{path}: ok, {rules}, {default}")];
    lines.extend(checked.warnings.iter().map(|warning| {
        let Warning {
            rule,
            message,
            remedy,
            ..
        } = warning;
        format!("{path}: warning: rule {rule}: {message}; {remedy}")
    }));
    lines
}

/// Whether the system has an address for the name.
fn has_address(name: &str) -> bool {
    (name, 0)
        .to_socket_addrs()
        .is_ok_and(|mut all| all.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, resolves: Option<&dyn Fn(&str) -> bool>) -> Checked {
        let file = RuleFile::parse(json.as_bytes(), "f").unwrap();
        let now = "2026-11-24T00:00:00Z".parse().unwrap();
        look("f.json", &file, now, resolves)
    }

    #[test]
    fn a_good_file_is_one_line() {
        let said = |json| lines(&check(json, None)).join("\n");
        assert_eq!(
            said(r#"{"version":1,"rules":[]}"#),
            "f.json: ok, 0 rules, no default"
        );
        let one = r#"{"version":1,"default":"deny","rules":[{"do":"allow","to":["a.test"]}]}"#;
        assert_eq!(said(one), "f.json: ok, 1 rule, default deny");
    }

    #[test]
    fn what_has_no_effect_is_pointed_out() {
        let json = r#"{"version":1,"rules":[
            {"do":"allow","to":["a.test","b.test"]},
            {"do":"deny","to":["b.test"]},
            {"do":"allow","to":["a.test"]},
            {"do":"deny","to":["b.test"],"app":"/usr/bin/curl"},
            {"do":"allow","to":["c.test"],"until":"2025-01-01T00:00:00Z"},
            {"do":"allow","to":["@any"]}]}"#;
        let all = lines(&check(json, None));
        for (line, part) in [
            (
                1,
                "rule 1: `allow a.test, b.test` never decides about b.test: rule 2, `deny b.test`, always wins",
            ),
            (
                2,
                "rule 3: `allow a.test` never decides about a.test: rule 1",
            ),
            (
                3,
                "rule 5: `allow c.test until 2025-01-01T00:00:00Z` has matched nothing since",
            ),
            (
                4,
                "rule 6: `allow @any` lets every program connect to anywhere",
            ),
        ] {
            assert!(all[line].starts_with("f.json: warning: "), "{all:#?}");
            assert!(all[line].contains(part), "{all:#?}");
        }
        assert_eq!(all.len(), 5, "{all:#?}");
    }

    #[test]
    fn names_are_looked_up_only_where_that_is_wanted_and_once() {
        let json = r#"{"version":1,"rules":[
            {"do":"allow","to":["good.test","bad.test:80","*.zone.test"]},
            {"do":"deny","to":["bad.test:443"]}]}"#;
        let asked = std::cell::RefCell::new(Vec::new());
        let resolves = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            name == "good.test"
        };
        let checked = check(json, Some(&resolves));
        assert_eq!(*asked.borrow(), ["good.test", "bad.test"]);
        assert_eq!(checked.warnings.len(), 2);
        let json_text = serde_json::to_value(&checked).unwrap();
        assert_eq!(json_text["warnings"][0]["kind"], "unresolved");
        assert_eq!(json_text["rules"], 2);
        assert!(check(json, None).warnings.is_empty());
    }
}
