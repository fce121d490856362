//! A rule: what to do with the flows of one or every program to some destinations.

use crate::decide::Facts;
use crate::text::escaped;
use crate::{Action, AppPattern, Destination, Specificity};
use serde::Serialize;
use std::fmt;

/// How many destinations a rule's line names before it counts the rest.
const SHOWN: usize = 4;

/// What to do with the flows of one program, or of every program, to some destinations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Rule {
    /// What to do.
    #[serde(rename = "do")]
    pub action: Action,
    /// Where to; any of them. Never empty in a rule that was read from a file.
    pub to: Vec<Destination>,
    /// Who; none is every program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppPattern>,
    /// A person's remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// From this moment on the rule matches nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::Timestamp>,
}

/// How a matching rule compares with the others of its layer; the greatest wins. Total over
/// rules, so that their order in a file never matters.
pub(crate) type Strength = (Specificity, u8, Action);

impl Rule {
    /// A rule for every program, without note or end.
    #[must_use]
    pub fn new(action: Action, to: Vec<Destination>) -> Self {
        Self {
            action,
            to,
            app: None,
            note: None,
            until: None,
        }
    }

    /// Whether the rule's time is over.
    #[must_use]
    pub fn is_expired(&self, now: jiff::Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether the rule is for this flow's program and still in force.
    pub(crate) fn applies(&self, facts: &Facts<'_>, now: jiff::Timestamp) -> bool {
        self.app
            .as_ref()
            .is_none_or(|app| app.matches(facts.subject()))
            && !self.is_expired(now)
    }

    pub(crate) fn app_rank(&self) -> u8 {
        self.app.as_ref().map_or(0, AppPattern::rank)
    }

    pub(crate) fn strength(&self, destination: &Destination) -> Strength {
        (destination.specificity(), self.app_rank(), self.action)
    }
}

/// The rule in words, one line: `allow example.com:443 for /usr/bin/curl until … (note)`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.action)?;
        for (index, destination) in self.to.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{destination}")?;
        }
        match self.to.len() {
            0 => f.write_str("nothing")?,
            1..=SHOWN => {}
            all => write!(f, " and {} more", all - SHOWN)?,
        }
        if let Some(app) = &self.app {
            write!(f, " for {app}")?;
        }
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        if let Some(note) = &self.note {
            write!(f, " ({})", escaped(note))?;
        }
        Ok(())
    }
}
