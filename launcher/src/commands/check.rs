//! `hallpass check`: whether rule files can be used.

use super::failure::{Failure, Outcome};
use super::output::Output;
use crate::say::say;
use hallpass_policy::{Action, AppPattern, Destination, RuleFile};
use hallpass_session::problem::show_path;
use hallpass_session::{render, rules_file};
use std::collections::HashMap;
use std::path::PathBuf;

/// Check rule files: whether they can be used, and what in them has no effect.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> Outcome {
    let mut output = Output::new();
    let mut outcome = Ok(());
    for path in &args.files {
        match rules_file::load_named(path) {
            Ok(file) => {
                for line in report(&show_path(path), &file, jiff::Timestamp::now()) {
                    output.line(&line)?;
                }
            }
            Err(problem) => {
                output.flush()?;
                say(&problem.to_string());
                outcome = Err(Failure::Said);
            }
        }
    }
    output.finish()?;
    outcome
}

/// One line that says what the file holds, then one for each warning.
fn report(path: &str, file: &RuleFile, now: jiff::Timestamp) -> Vec<String> {
    let rules = render::count(file.rules.len() as u64, "rule", "rules");
    let default = match file.default {
        Some(action) => format!("default {action}"),
        None => "no default".to_owned(),
    };
    let mut lines = vec![format!("{path}: ok, {rules}, {default}")];
    // Who and where to, and the first rule that says something of it.
    let mut said: HashMap<(Option<&AppPattern>, &Destination), usize> = HashMap::new();
    for (index, rule) in file.rules.iter().enumerate() {
        let number = index + 1;
        let mut warn =
            |what: &str| lines.push(format!("{path}: warning: rule {number} ({rule}) {what}"));
        if rule.is_expired(now) {
            warn("has run out and matches nothing");
        }
        if rule.action == Action::Allow
            && rule.app.is_none()
            && rule.to.iter().any(|to| to.to_string() == "@any")
        {
            warn("allows everything to everybody");
        }
        if rule.is_expired(now) {
            continue;
        }
        let earlier = rule.to.iter().find_map(|to| {
            let first = *said.entry((rule.app.as_ref(), to)).or_insert(index);
            (first != index).then_some(first)
        });
        let Some((earlier, other)) =
            earlier.and_then(|first| Some((first + 1, file.rules.get(first)?)))
        else {
            continue;
        };
        if other.action == rule.action {
            warn(&format!("says what rule {earlier} says already"));
        } else {
            warn(&format!(
                "contradicts rule {earlier} ({other}); deny wins over ask, ask over allow"
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> String {
        let file = RuleFile::parse(json.as_bytes(), "f").unwrap();
        report("f.json", &file, "2026-11-24T00:00:00Z".parse().unwrap()).join("\n")
    }

    #[test]
    fn a_good_file_is_one_line() {
        assert_eq!(
            check(r#"{"version":1,"rules":[]}"#),
            "f.json: ok, 0 rules, no default"
        );
        let one = r#"{"version":1,"default":"deny","rules":[{"do":"allow","to":["a.test"]}]}"#;
        assert_eq!(check(one), "f.json: ok, 1 rule, default deny");
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
        assert_eq!(
            check(json),
            "f.json: ok, 6 rules, no default\n\
             f.json: warning: rule 2 (deny b.test) contradicts rule 1 (allow a.test, b.test); deny wins over ask, ask over allow\n\
             f.json: warning: rule 3 (allow a.test) says what rule 1 says already\n\
             f.json: warning: rule 5 (allow c.test until 2025-01-01T00:00:00Z) has run out and matches nothing\n\
             f.json: warning: rule 6 (allow @any) allows everything to everybody"
        );
    }
}
