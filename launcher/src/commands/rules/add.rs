//! `hallpass rules add`.

use super::super::failure::Outcome;
use super::{file, in_force};
use crate::say::say;
use hallpass_policy::{Action, AppPattern, Destination, NOTE_MAX, Rule, RuleFile};
use hallpass_session::control::protocol::Duration;
use hallpass_session::escape::escape;
use hallpass_session::rules_file;

/// Save a rule.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// What to do with matching connections.
    #[arg(value_enum, value_name = "allow|deny|ask", hide_possible_values = true)]
    action: Do,

    /// Where to: an address, range, name, `*.name`, `@lan`, `@internet`, `@any` …, then `:port`
    /// and `/tcp` if need be.
    #[arg(value_name = "DEST", required = true, value_parser = destination)]
    to: Vec<Destination>,

    /// Only for this program: a path, a name, `script:PATH`, `parent:NAME`, `package:…`,
    /// `user:NAME` [default: every program].
    #[arg(long, value_name = "APP", value_parser = app)]
    app: Option<AppPattern>,

    /// A remark, shown with the rule.
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,

    /// Until when: a time such as 2026-12-31T00:00:00Z, or 5m, 2h, 7d from now.
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<jiff::Timestamp>,
}

/// What a rule can say.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Do {
    /// Let it connect.
    Allow,
    /// Refuse it.
    Deny,
    /// Ask.
    Ask,
}

fn destination(text: &str) -> Result<Destination, String> {
    text.parse()
        .map_err(|error: hallpass_policy::DestinationError| error.to_string())
}

fn app(text: &str) -> Result<AppPattern, String> {
    text.parse()
        .map_err(|error: hallpass_policy::AppError| error.to_string())
}

fn note(text: &str) -> Result<String, String> {
    if text.len() > NOTE_MAX {
        return Err(format!("a note is at most {NOTE_MAX} bytes"));
    }
    Ok(text.to_owned())
}

/// A moment, or a span from now.
fn until(text: &str) -> Result<jiff::Timestamp, String> {
    let now = jiff::Timestamp::now();
    let moment = match text.parse::<Duration>() {
        Ok(Duration::Seconds(seconds)) => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            let whole = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
            whole
                .checked_add(jiff::SignedDuration::from_secs(seconds))
                .ok()
        }
        _ => text.parse().ok(),
    };
    let Some(moment) = moment else {
        return Err(format!(
            "`{}` is no time; write one such as 2026-12-31T00:00:00Z, or 5m, 2h, 7d from now",
            escape(text, 40)
        ));
    };
    if moment <= now {
        return Err(format!("{moment} is over already"));
    }
    Ok(moment)
}

pub(super) fn run(args: &AddArgs) -> Outcome {
    let action = match args.action {
        Do::Allow => Action::Allow,
        Do::Deny => Action::Deny,
        Do::Ask => Action::Ask,
    };
    let rule = Rule {
        action,
        to: args.to.clone(),
        app: args.app.clone(),
        note: args.note.clone(),
        until: args.until,
    };
    let path = file()?;
    let added = rules_file::update(&path, |file| add(file, rule))?;
    for line in &added.objections {
        say(line);
    }
    in_force(&[added.line])
}

/// What came of a new rule.
struct Added {
    line: String,
    /// Rules that keep it from having the effect it was meant to have.
    objections: Vec<String>,
}

fn add(file: &mut RuleFile, rule: Rule) -> Added {
    let now = jiff::Timestamp::now();
    let stands_against = |other: &&Rule| {
        other.app == rule.app
            && other.action > rule.action
            && !other.is_expired(now)
            && other.to.iter().any(|to| rule.to.contains(to))
    };
    let against = file
        .rules
        .iter()
        .enumerate()
        .filter(|(_, other)| stands_against(other));
    let objections = against
        .map(|(at, other)| {
            let number = at + 1;
            format!("rule {number} ({other}) is about the same destination and wins; remove it with `hallpass rules remove {number}`")
        })
        .collect();
    let same =
        |other: &Rule| (other.action, &other.to, &other.app) == (rule.action, &rule.to, &rule.app);
    let line = match file.rules.iter().position(same) {
        Some(at) => {
            let line = format!("rule {}: {rule}", at + 1);
            // The same rule again: what is new about it is how long it holds, and the remark.
            if let Some(old) = file.rules.get_mut(at) {
                let note = rule.note.clone().or_else(|| old.note.take());
                *old = Rule { note, ..rule };
            }
            line
        }
        None => {
            let line = format!("rule {}: {rule}", file.rules.len() + 1);
            file.rules.push(rule);
            line
        }
    };
    Added { line, objections }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: Action, to: &str) -> Rule {
        Rule::new(action, vec![to.parse().unwrap()])
    }

    #[test]
    fn a_rule_is_added_once() {
        let mut file = RuleFile::default();
        assert_eq!(
            add(&mut file, rule(Action::Allow, "a.test")).line,
            "rule 1: allow a.test"
        );
        let noted = Rule {
            note: Some("why".to_owned()),
            ..rule(Action::Allow, "a.test")
        };
        add(&mut file, noted.clone());
        add(&mut file, rule(Action::Allow, "a.test"));
        assert_eq!(file.rules, [noted], "the remark stays");
        let timed = Rule {
            until: Some("2999-01-01T00:00:00Z".parse().unwrap()),
            ..rule(Action::Allow, "a.test")
        };
        add(&mut file, timed);
        assert_eq!(file.rules.len(), 1);
        assert!(file.rules[0].until.is_some());
    }

    #[test]
    fn a_rule_that_loses_is_told_so() {
        let mut file = RuleFile::default();
        add(&mut file, rule(Action::Deny, "a.test"));
        let added = add(&mut file, rule(Action::Allow, "a.test"));
        assert_eq!(
            added.objections,
            [
                "rule 1 (deny a.test) is about the same destination and wins; remove it with `hallpass rules remove 1`"
            ]
        );
        assert!(
            add(&mut file, rule(Action::Allow, "b.test"))
                .objections
                .is_empty()
        );
        let mut file = RuleFile::default();
        add(&mut file, rule(Action::Allow, "a.test"));
        assert!(
            add(&mut file, rule(Action::Deny, "a.test"))
                .objections
                .is_empty()
        );
    }

    #[test]
    fn times_are_moments_or_spans() {
        let now = jiff::Timestamp::now();
        let hour = until("1h").unwrap();
        assert!((3599..=3601).contains(&(hour.as_second() - now.as_second())));
        assert_eq!(
            until("2999-12-31T00:00:00Z").unwrap().to_string(),
            "2999-12-31T00:00:00Z"
        );
        for (text, part) in [
            ("tomorrow", "2026-12-31T00:00:00Z"),
            ("run", "5m"),
            ("2025-01-01T00:00:00Z", "over already"),
            ("\u{1b}", r"\u{1b}"),
        ] {
            let error = until(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
