//! `hallpass rules list`.

use super::super::failure::Outcome;
use super::super::output::Output;
use super::file;
use crate::say::say;
use hallpass_policy::{Action, Rule, RuleFile};
use hallpass_session::problem::show_path;
use hallpass_session::rules_file;
use serde::Serialize;

/// List the saved rules, numbered.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listing<'a> {
    file: String,
    default: Option<Action>,
    rules: Vec<Numbered<'a>>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    index: usize,
    text: String,
    expired: bool,
    #[serde(flatten)]
    rule: &'a Rule,
}

pub(super) fn run(args: &ListArgs) -> Outcome {
    let path = file()?;
    let rules = rules_file::load(&path)?;
    let now = jiff::Timestamp::now();
    let mut output = Output::new();
    if args.json {
        output.json(&Listing {
            file: show_path(&path),
            default: rules.default,
            rules: numbered(&rules, now),
        })?;
    } else {
        for line in text(&rules, now) {
            output.line(&line)?;
        }
    }
    output.finish()?;
    if rules.rules.is_empty() && !args.json {
        say(&format!("no saved rules in {}", show_path(&path)));
    }
    Ok(())
}

fn numbered(file: &RuleFile, now: jiff::Timestamp) -> Vec<Numbered<'_>> {
    let rules = file.rules.iter().enumerate();
    rules
        .map(|(at, rule)| Numbered {
            index: at + 1,
            text: rule.to_string(),
            expired: rule.is_expired(now),
            rule,
        })
        .collect()
}

/// A line for each rule, as `hallpass rules remove` takes its number.
fn text(file: &RuleFile, now: jiff::Timestamp) -> Vec<String> {
    let width = file.rules.len().to_string().len();
    let mut lines: Vec<String> = numbered(file, now)
        .iter()
        .map(|rule| {
            let over = if rule.expired { "  [has run out]" } else { "" };
            format!("{:>width$}  {}{over}", rule.index, rule.text)
        })
        .collect();
    if let Some(default) = file.default {
        lines.push(format!(
            "{:>width$}  {default} what no rule matches (default)",
            "-"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_numbered_lines() {
        let json = r#"{"version":1,"default":"ask","rules":[
            {"do":"allow","to":["*.example.org:443"],"app":"/usr/bin/npm","note":"registry","until":"2999-12-31T00:00:00Z"},
            {"do":"deny","to":["@lan","10.0.0.0/8"]},
            {"do":"allow","to":["a.test"],"until":"2025-01-01T00:00:00Z"}]}"#;
        let file = RuleFile::parse(json.as_bytes(), "f").unwrap();
        let lines = text(&file, "2026-11-24T00:00:00Z".parse().unwrap());
        assert_eq!(
            lines.join("\n"),
            "1  allow *.example.org:443 for /usr/bin/npm until 2999-12-31T00:00:00Z (registry)\n\
             2  deny @lan, 10.0.0.0/8\n\
             3  allow a.test until 2025-01-01T00:00:00Z  [has run out]\n\
             -  ask what no rule matches (default)"
        );
    }
}
