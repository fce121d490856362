//! Answers for "once" that were given before their call: to a program that was told no and may
//! try again (`--hold=retry`), or whose look-up was asked about (`--hold=name`).
//!
//! A pass is good for one try: the first call that it fits, and for [`TRY`] from then on the same
//! process's calls to other addresses of the same name, since programs go through a host's
//! addresses one after another.

use super::nested::AskedBy;
use super::question::Key;
use crate::address::Address;
use crate::flow::Flow;
use crate::verdict::Verdict;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a pass waits for its call.
pub(super) const LASTS: Duration = super::RETRY;
/// How long a try goes on, from its first call.
pub(super) const TRY: Duration = Duration::from_secs(5);
/// How many passes there may be; one more displaces the oldest.
const MAX: usize = 1024;

/// Who may use a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// The app: a tool that tries again is often another process.
    App,
    /// This process, which has looked the name up.
    Process(u32),
}

struct Pass {
    /// More than one for the addresses of a look-up whose name is only claimed.
    keys: Vec<Key>,
    who: For,
    verdict: Verdict,
    by: String,
    until: Instant,
    under_way: Option<Try>,
}

struct Try {
    pid: u32,
    until: Instant,
    addresses: BTreeSet<Address>,
}

#[derive(Default)]
pub(super) struct Passes {
    /// Oldest first.
    passes: Vec<Pass>,
}

impl Passes {
    /// `keys`: of the calls that it is good for.
    pub(super) fn add(
        &mut self,
        keys: Vec<Key>,
        who: For,
        verdict: Verdict,
        by: &str,
        now: Instant,
    ) {
        self.passes.retain(|pass| pass.is_good(now));
        if who == For::App {
            // The later answer counts; of look-ups each has a pass of its own.
            self.passes
                .retain(|pass| pass.who != For::App || pass.keys != keys);
        }
        if self.passes.len() >= MAX {
            self.passes.remove(0);
        }
        self.passes.push(Pass {
            keys,
            who,
            verdict,
            by: by.to_owned(),
            until: now + LASTS,
            under_way: None,
        });
    }

    /// The verdict for a call that a pass was given for, and who gave it; uses the pass.
    pub(super) fn take(
        &mut self,
        flow: &Flow,
        asked_by: &AskedBy,
        now: Instant,
    ) -> Option<(Verdict, String)> {
        let pass = self
            .passes
            .iter_mut()
            .find(|pass| pass.fits(flow, asked_by, now))?;
        let under_way = pass.under_way.get_or_insert_with(|| Try {
            pid: flow.pid,
            until: now + TRY,
            addresses: BTreeSet::new(),
        });
        under_way.addresses.insert(flow.address.clone());
        Some((pass.verdict, pass.by.clone()))
    }

    /// Whether [`Self::take`] would have a verdict.
    pub(super) fn cover(&self, flow: &Flow, asked_by: &AskedBy, now: Instant) -> bool {
        self.passes
            .iter()
            .any(|pass| pass.fits(flow, asked_by, now))
    }
}

impl Pass {
    fn is_good(&self, now: Instant) -> bool {
        let until = self
            .under_way
            .as_ref()
            .map_or(self.until, |this| this.until);
        now < until
    }

    fn fits(&self, flow: &Flow, asked_by: &AskedBy, now: Instant) -> bool {
        let is_theirs = match self.who {
            For::App => true,
            For::Process(pid) => pid == flow.pid,
        };
        let is_open = match &self.under_way {
            None => true,
            Some(this) => this.pid == flow.pid && !this.addresses.contains(&flow.address),
        };
        is_theirs
            && is_open
            && self.is_good(now)
            && self.keys.iter().any(|key| key.fits(flow, asked_by))
    }
}
