//! `--save-answers`: what a person has answered in a run, as rules of a policy file.

use hallpass_policy::{Action, Rule, RuleFile};
use hallpass_session::problem::Problem;
use hallpass_session::{render, rules_file};
use std::path::Path;

/// The policy that answers are added to.
#[derive(Debug)]
pub(super) struct Answers {
    so_far: RuleFile,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// The policy, the answers included; none where there is nothing to write.
    pub(super) file: Option<RuleFile>,
    /// How many rules are new.
    pub(super) new: usize,
    /// How many were in it already.
    known: usize,
}

impl Answers {
    /// Reads the policy; an empty one that denies by default where there is no file.
    pub(super) fn read(file: &Path) -> Result<Self, Problem> {
        let is_there = std::fs::symlink_metadata(file).is_ok();
        let so_far = if is_there {
            rules_file::load_named(file)?
        } else {
            RuleFile {
                default: Some(Action::Deny),
                ..RuleFile::default()
            }
        };
        Ok(Self { so_far })
    }

    /// The policy with these answers behind its own rules. Where two answers are for the same, the
    /// one that denies has won in the run, and is the one that is kept.
    pub(super) fn with(&self, given: &[Rule], now: jiff::Timestamp) -> Added {
        let same = |one: &Rule, other: &Rule| one.to == other.to && one.app == other.app;
        let mut file = self.so_far.clone();
        let (mut new, mut known) = (0, 0);
        for (index, rule) in given.iter().enumerate() {
            let is_said_by = |other: &Rule| same(rule, other) && rule.action == other.action;
            let is_overruled = |other: &Rule| same(rule, other) && other.action > rule.action;
            let before = given.get(..index).unwrap_or_default();
            if given.iter().any(is_overruled) || before.iter().any(is_said_by) {
                continue;
            }
            let mut lasting = file.rules.iter().filter(|other| other.until.is_none());
            if lasting.any(is_said_by) {
                known += 1;
                continue;
            }
            let date: String = now.to_string().chars().take(10).collect();
            file.rules.push(Rule {
                note: Some(format!("answered {date}")),
                ..rule.clone()
            });
            new += 1;
        }
        Added {
            file: (new > 0).then_some(file),
            new,
            known,
        }
    }
}

/// What a person is told of it; `timed` answers were for a time only.
pub(super) fn said(added: &Added, timed: usize, file: &str) -> String {
    let mut lines = Vec::new();
    if timed > 0 {
        let answers = render::count(timed as u64, "answer", "answers");
        lines.push(format!("hallpass: not saved: {answers} for a time only"));
    }
    lines.push(match (added.new, added.known) {
        (0, 0) => format!("hallpass: no answers to save; {file} is not written"),
        (0, _) => format!("hallpass: {file} has all answers already"),
        (new, _) => format!(
            "hallpass: {} saved in {file}; look through them, then: hallpass check {file}",
            render::count(new as u64, "answer", "answers")
        ),
    });
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: Action, to: &str, app: &str) -> Rule {
        Rule {
            app: Some(app.parse().unwrap()),
            ..Rule::new(action, vec![to.parse().unwrap()])
        }
    }

    #[test]
    fn answers_come_behind_a_persons_rules_and_once() {
        let mine = rule(Action::Allow, "a.test", "/usr/bin/curl");
        let answers = Answers {
            so_far: RuleFile {
                default: Some(Action::Ask),
                rules: vec![mine.clone()],
                ..RuleFile::default()
            },
        };
        let (new, denied) = (
            rule(Action::Allow, "b.test", "/usr/bin/curl"),
            rule(Action::Deny, "c.test", "/usr/bin/curl"),
        );
        let overruled = rule(Action::Allow, "c.test", "/usr/bin/curl");
        let given = [mine.clone(), new.clone(), overruled, denied, new];
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let added = answers.with(&given, now);
        assert_eq!((added.new, added.known), (2, 1));
        let file = added.file.unwrap();
        assert_eq!(file.default, Some(Action::Ask));
        let shown: Vec<String> = file.rules.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "allow a.test for /usr/bin/curl",
                "allow b.test for /usr/bin/curl (answered 2026-11-30)",
                "deny c.test for /usr/bin/curl (answered 2026-11-30)"
            ]
        );
        let again = Answers { so_far: file }.with(&given, now);
        assert_eq!((again.file, again.new), (None, 0));
    }
}
