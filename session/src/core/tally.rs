//! Counts the calls that hooks settle by a verdict they were allowed to keep.
//!
//! Each kept verdict has a counter in the shared page; the hook adds to it, the session takes
//! from it. A counter belongs to one process, so that it can be used again when that is gone.

use crate::event::FlowLine;
use crate::identity::is_alive;
use crate::nested::RunId;
use crate::page::SharedPage;
use crate::verdict::{Source, Verdict};
use hallpass_wire::COUNTERS;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often counts are taken while calls are being made.
const BUSY: Duration = Duration::from_millis(100);
/// How often while none are.
const IDLE: Duration = Duration::from_secs(1);
/// After how many takings without a count it is idle.
const QUIET_ROUNDS: u32 = 20;

/// A verdict that hooks may keep: a flow's next verdict has a counter of its own, so that a
/// call which is settled while rules change is counted for the verdict it really got.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kept {
    pub(super) flow: FlowLine,
    pub(super) verdict: Verdict,
    pub(super) source: Source,
    /// The nested runs that it was made in.
    pub(super) runs: Arc<[RunId]>,
}

/// The counters in use.
pub(super) struct Tally {
    page: SharedPage,
    by_verdict: HashMap<Kept, u32>,
    counters: Vec<Option<Kept>>,
    free: Vec<u32>,
    quiet_rounds: u32,
}

impl Tally {
    pub(super) fn new(page: SharedPage) -> Self {
        Self {
            page,
            by_verdict: HashMap::new(),
            counters: Vec::new(),
            free: Vec::new(),
            quiet_rounds: 0,
        }
    }

    pub(super) fn page(&self) -> SharedPage {
        self.page
    }

    /// The counter for a verdict that the hook may keep; none where all are in use.
    pub(super) fn counter(&mut self, kept: Kept) -> Option<u32> {
        if let Some(counter) = self.by_verdict.get(&kept) {
            return Some(*counter);
        }
        let counter = match self.free.pop() {
            Some(counter) => counter,
            None if self.counters.len() < COUNTERS => {
                self.counters.push(None);
                u32::try_from(self.counters.len() - 1).ok()?
            }
            None => return None,
        };
        *self.counters.get_mut(usize::try_from(counter).ok()?)? = Some(kept.clone());
        self.by_verdict.insert(kept, counter);
        self.quiet_rounds = 0;
        Some(counter)
    }

    /// How long until the next taking; none where nothing is kept.
    pub(super) fn pause(&self) -> Option<Duration> {
        let pause = if self.quiet_rounds < QUIET_ROUNDS {
            BUSY
        } else {
            IDLE
        };
        (!self.by_verdict.is_empty()).then_some(pause)
    }

    /// Takes all counts. Counters of processes that are gone become free.
    pub(super) fn take(&mut self) -> Vec<(Kept, u64)> {
        let mut counted = Vec::new();
        let mut alive: HashMap<u32, bool> = HashMap::new();
        for (index, slot) in self.counters.iter_mut().enumerate() {
            let (Some(kept), Ok(index)) = (slot.as_ref(), u32::try_from(index)) else {
                continue;
            };
            // Asked before the count is taken: what it counted before it died is in.
            let pid = kept.flow.pid;
            let lives = *alive.entry(pid).or_insert_with(|| is_alive(pid));
            let count = self.page.take(index);
            if count > 0 {
                counted.push((kept.clone(), count));
            }
            if !lives {
                self.by_verdict.remove(kept);
                *slot = None;
                self.free.push(index);
            }
        }
        self.quiet_rounds = match counted.as_slice() {
            [] => self.quiet_rounds.saturating_add(1),
            _ => 0,
        };
        counted
    }
}
