//! Reports of a run (`--report`): what was tried, by whom, how often, and what came of it.
//!
//! Data flows in this order: [`collect`] counts a session's events in its memory while it runs;
//! when the last process of the program is gone it makes one [`Report`] of them; a file per
//! format turns that into text, and [`output`] writes it where [`open`](output::Reports::open)
//! was told before the program started.
//!
//! Nothing here decides, and nothing here shows a command line: arguments hold secrets.

mod answers;
mod collect;
mod fingerprint;
mod github;
mod gitlab;
mod json;
mod junit;
mod learn;
pub(crate) mod output;
mod place;
#[cfg(test)]
mod samples;
mod sarif;
mod summary;
mod text;
mod wanted;
mod words;

pub(crate) use collect::Collector;
pub(crate) use output::Reports;
pub(crate) use wanted::{Format, Wanted};

use hallpass_policy::Protocol;
use hallpass_session::address::Address;
use hallpass_session::flow::Name;
use hallpass_session::verdict::Source;
use serde::Serialize;

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It failed with "connection refused".
    Refused,
    /// It went on, and only because of `--audit`.
    WouldBeRefused,
    /// It went on.
    Allowed,
}

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Went on, by a rule, a person or the default.
    pub(crate) allowed: u64,
    /// Failed.
    pub(crate) refused: u64,
    /// Went on only because of `--audit`.
    pub(crate) would_be_refused: u64,
}

/// Where a call wanted to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Somewhere on a network.
    Flow {
        /// Transport.
        proto: Protocol,
        /// Port, 0 if none.
        port: u16,
        /// Names the program looked the address up under, latest first.
        names: Vec<Name>,
    },
    /// A call that could not be put to the rules, in words.
    Call(String),
}

/// Calls that are equal in all that matters: who, where to, what came of them and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path of the script, else of the executable.
    pub(crate) app: String,
    /// Whether `app` is a script.
    pub(crate) is_script: bool,
    /// The package whose install or build script this was, such as `npm:esbuild`.
    pub(crate) package: Option<String>,
    /// Which of its scripts, such as `postinstall`.
    pub(crate) step: Option<String>,
    /// Where to.
    pub(crate) target: Target,
    /// The addresses, in the order of their first use; at most [`collect::MAX_ADDRESSES`].
    pub(crate) addresses: Vec<Address>,
    /// There were more of them.
    pub(crate) has_more_addresses: bool,
    /// A port of the kernel's choice at which a process of the run itself listened; only looked
    /// for where a policy is learned.
    pub(crate) is_own_server: bool,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// Why.
    pub(crate) source: Source,
    /// How many calls.
    pub(crate) count: u64,
    /// When the first was decided, RFC 3339, UTC.
    pub(crate) first: String,
    /// When the last was decided.
    pub(crate) last: String,
}

/// A run, as it is reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The session's name.
    pub(crate) session: String,
    /// When it began, RFC 3339, UTC.
    pub(crate) started: String,
    /// When it ended.
    pub(crate) ended: String,
    /// The command's exit status, 128 + signal; none where it did not end.
    pub(crate) status: Option<i32>,
    /// Whether it ran with `--audit`.
    pub(crate) audit: bool,
    /// All calls, exactly.
    pub(crate) totals: Counts,
    /// Refused ones first, then those that would be, then allowed ones; of each those of one
    /// package together, in the order of first use.
    pub(crate) entries: Vec<Entry>,
    /// Calls of `totals` that no entry stands for: there were too many different ones.
    pub(crate) unlisted: Counts,
    /// What the run did not cover, in words.
    pub(crate) notes: Vec<String>,
}

impl Counts {
    /// All of them.
    pub(crate) fn all(self) -> u64 {
        let more = self.refused.saturating_add(self.would_be_refused);
        self.allowed.saturating_add(more)
    }

    fn of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Allowed => &mut self.allowed,
            Outcome::Refused => &mut self.refused,
            Outcome::WouldBeRefused => &mut self.would_be_refused,
        }
    }

    fn add(&mut self, outcome: Outcome, count: u64) {
        let sum = self.of(outcome);
        *sum = sum.saturating_add(count);
    }
}

impl Report {
    /// The entries that a reader has to do something about.
    fn findings(&self) -> impl Iterator<Item = &Entry> {
        let is_finding = |entry: &&Entry| entry.outcome != Outcome::Allowed;
        self.entries.iter().filter(is_finding)
    }
}
