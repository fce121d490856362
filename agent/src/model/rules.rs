//! The saved rules: found, noted, removed, and brought back.

use hallpass_policy::{NOTE_MAX, Rule, RuleFile};
use std::time::{Duration, Instant};

/// For how long what was done last can be undone.
pub const UNDO: Duration = Duration::from_secs(10);

/// A change of the saved rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Removes a rule.
    Remove(Rule),
    /// Puts one rule in another's place: a note was written.
    Replace(Rule, Rule),
    /// Adds a rule.
    Add(Rule),
}

/// A note that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The rule it is for.
    pub rule: Rule,
    /// The text so far.
    pub text: String,
}

/// The saved rules, as the window shows them.
#[derive(Debug, Default)]
pub struct SavedList {
    rules: Vec<Rule>,
    /// Why they cannot be shown.
    error: Option<String>,
    /// What is searched for.
    pub search: String,
    /// The note that is being written.
    pub note: Option<Note>,
    /// What undoes the last change, and until when that is offered.
    undo: Option<(Change, Instant)>,
    changes: Vec<Change>,
}

impl Change {
    /// Makes the change. Nothing happens where the file has changed meanwhile and what it is
    /// about is gone, or is there already.
    pub fn make(&self, file: &mut RuleFile) {
        let at = |file: &RuleFile, rule: &Rule| file.rules.iter().position(|r| r == rule);
        match self {
            Self::Remove(rule) => {
                if let Some(at) = at(file, rule) {
                    file.rules.remove(at);
                }
            }
            Self::Replace(old, new) => {
                if let Some(at) = at(file, old) {
                    file.rules[at] = new.clone();
                }
            }
            Self::Add(rule) => {
                if at(file, rule).is_none() {
                    file.rules.push(rule.clone());
                }
            }
        }
    }

    fn undone(&self) -> Self {
        match self {
            Self::Remove(rule) => Self::Add(rule.clone()),
            Self::Add(rule) => Self::Remove(rule.clone()),
            Self::Replace(old, new) => Self::Replace(new.clone(), old.clone()),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Add(rule) => format!("Removed: {rule}"),
            Self::Remove(rule) => format!("Added: {rule}"),
            Self::Replace(rule, _) => format!("Noted: {rule}"),
        }
    }
}

impl SavedList {
    /// What is in the file now, or why that cannot be said.
    pub fn loaded(&mut self, rules: Result<Vec<Rule>, String>) {
        match rules {
            Ok(rules) => {
                self.rules = rules;
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Why the rules cannot be shown.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// All rules.
    #[must_use]
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that the search finds: every word of it, in the rule's line, in any case.
    #[must_use]
    pub fn found(&self) -> Vec<&Rule> {
        let search = self.search.to_lowercase();
        let words: Vec<&str> = search.split_whitespace().collect();
        let matches = |rule: &&Rule| {
            let line = rule.to_string().to_lowercase();
            words.iter().all(|word| line.contains(word))
        };
        self.rules.iter().filter(matches).collect()
    }

    /// Removes a rule.
    pub fn remove(&mut self, rule: &Rule, now: Instant) {
        self.change(Change::Remove(rule.clone()), now);
    }

    /// Begins to write a rule's note.
    pub fn start_note(&mut self, rule: &Rule) {
        self.note = Some(Note {
            rule: rule.clone(),
            text: rule.note.clone().unwrap_or_default(),
        });
    }

    /// Keeps the note that was written. What is too long or cannot be seen stays out.
    pub fn keep_note(&mut self, now: Instant) {
        let Some(note) = self.note.take() else {
            return;
        };
        let mut text: String = note.text.chars().filter(|c| !c.is_control()).collect();
        while text.len() > NOTE_MAX {
            text.pop();
        }
        let text = text.trim();
        let new = Rule {
            note: (!text.is_empty()).then(|| text.to_owned()),
            ..note.rule.clone()
        };
        if new != note.rule {
            self.change(Change::Replace(note.rule, new), now);
        }
    }

    /// What can be undone, in words, and for how long still.
    #[must_use]
    pub fn undo_offer(&self, now: Instant) -> Option<(String, Duration)> {
        let (change, until) = self.undo.as_ref()?;
        let left = until.checked_duration_since(now)?;
        (!left.is_zero()).then(|| (change.words(), left))
    }

    /// Undoes the last change.
    pub fn undo(&mut self, now: Instant) {
        if self.undo_offer(now).is_some()
            && let Some((change, _)) = self.undo.take()
        {
            self.changes.push(change);
        }
    }

    fn change(&mut self, change: Change, now: Instant) {
        self.undo = Some((change.undone(), now + UNDO));
        self.changes.push(change);
    }

    /// What is to be changed in the file; each is given once.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallpass_policy::Action;

    fn rule(to: &str) -> Rule {
        Rule::new(Action::Allow, vec![to.parse().unwrap()])
    }

    fn list(to: &[&str]) -> (SavedList, RuleFile) {
        let rules: Vec<Rule> = to.iter().map(|to| rule(to)).collect();
        let mut list = SavedList::default();
        list.loaded(Ok(rules.clone()));
        let file = RuleFile {
            rules,
            ..RuleFile::default()
        };
        (list, file)
    }

    fn make(list: &mut SavedList, file: &mut RuleFile) {
        for change in list.take_changes() {
            change.make(file);
        }
        list.loaded(Ok(file.rules.clone()));
    }

    #[test]
    fn search_wants_every_word() {
        let (mut list, _) = list(&["example.com:443", "example.org", "10.0.0.0/8"]);
        for (search, found) in [
            ("", 3),
            ("EXAMPLE", 2),
            ("allow example 443", 1),
            ("nothing", 0),
        ] {
            search.clone_into(&mut list.search);
            assert_eq!(list.found().len(), found, "{search}");
        }
    }

    #[test]
    fn what_was_removed_comes_back_for_ten_seconds() {
        let start = Instant::now();
        let (mut list, mut file) = list(&["a.test", "b.test"]);
        list.remove(&rule("a.test"), start);
        make(&mut list, &mut file);
        assert_eq!(file.rules, [rule("b.test")]);
        assert!(
            list.undo_offer(start)
                .unwrap()
                .0
                .contains("Removed: allow a.test")
        );
        list.undo(start + Duration::from_secs(9));
        make(&mut list, &mut file);
        assert!(file.rules.contains(&rule("a.test")));
        assert!(
            list.undo_offer(start).is_none(),
            "an undo is not offered twice"
        );

        list.remove(&rule("b.test"), start);
        make(&mut list, &mut file);
        list.undo(start + UNDO);
        make(&mut list, &mut file);
        assert_eq!(file.rules, [rule("a.test")], "too late");
    }

    #[test]
    fn a_note_is_kept_and_undone() {
        let start = Instant::now();
        let (mut list, mut file) = list(&["a.test"]);
        list.start_note(&rule("a.test"));
        list.note.as_mut().unwrap().text = "  for\u{7} the printer ".to_owned();
        list.keep_note(start);
        make(&mut list, &mut file);
        assert_eq!(file.rules[0].note.as_deref(), Some("for the printer"));
        list.undo(start);
        make(&mut list, &mut file);
        assert_eq!(file.rules, [rule("a.test")]);
    }

    #[test]
    fn a_change_of_what_is_gone_changes_nothing() {
        let (_, mut file) = list(&["a.test"]);
        for change in [
            Change::Remove(rule("b.test")),
            Change::Replace(rule("b.test"), rule("c.test")),
            Change::Add(rule("a.test")),
        ] {
            change.make(&mut file);
            assert_eq!(file.rules, [rule("a.test")]);
        }
    }

    #[test]
    fn an_unreadable_file_says_so_and_keeps_what_was_known() {
        let (mut list, _) = list(&["a.test"]);
        list.loaded(Err("rules.json:1:1: is empty".to_owned()));
        assert_eq!(list.error(), Some("rules.json:1:1: is empty"));
        assert_eq!(list.all().len(), 1);
    }
}
