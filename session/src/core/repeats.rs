//! Verdicts that are given again without another look at the rules, and how often they were.
//!
//! A program makes most of its calls to a place where it has been before. The first is put to the
//! engine; the next of the same process, as long as it is the same program and nothing has changed
//! that the verdict hangs on, are counted here and told together, like those that hooks settle by
//! a kept verdict ([`super::tally`]).

use super::tally::Kept;
use crate::flow::App;
use crate::verdict::Verdict;
use hallpass_policy::Protocol;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many verdicts are kept.
const MAX: usize = 1024;
/// How often counts are taken while anything is kept.
const PAUSE: Duration = Duration::from_millis(100);
/// After how many takings without a count everything is given up, so that a session in which
/// nothing happens sleeps.
const QUIET_ROUNDS: u32 = 20;

/// What makes two calls the same: who, how, and the address as the program wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The process.
    pub pid: u32,
    /// The transport.
    pub protocol: Protocol,
    /// To where.
    pub to: SocketAddr,
}

#[derive(Default)]
pub(super) struct Repeats {
    /// Of the verdicts that are still good.
    generation: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    verdicts: HashMap<Way, Known>,
    /// Counts of verdicts that are kept no more.
    left: Vec<(Kept, u64)>,
    quiet_rounds: u32,
}

struct Known {
    /// The program that the process was: after an exec it is another.
    app: Arc<App>,
    generation: u64,
    /// When an answer that it may hang on runs out.
    until: Option<Instant>,
    kept: Kept,
    count: u64,
}

impl Repeats {
    /// The verdict for a call like an earlier one; counts it.
    pub(super) fn give(&self, way: Way, app: &Arc<App>) -> Option<Verdict> {
        let mut table = self.table();
        let known = table.verdicts.get_mut(&way)?;
        let is_good = known.generation == self.generation()
            && Arc::ptr_eq(&known.app, app)
            && known.until.is_none_or(|until| Instant::now() < until);
        if !is_good {
            return None;
        }
        known.count += 1;
        Some(known.kept.verdict)
    }

    /// What verdicts that are looked for from now on may be kept for.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Keeps the verdict of a call for those that follow it. What it was given by must be of
    /// `generation` or later: what has changed since makes it void.
    pub(super) fn keep(
        &self,
        way: Way,
        app: &Arc<App>,
        generation: u64,
        until: Option<Instant>,
        kept: Kept,
    ) {
        let known = Known {
            app: Arc::clone(app),
            generation,
            until,
            kept,
            count: 0,
        };
        let mut table = self.table();
        table.quiet_rounds = 0;
        if table.verdicts.len() >= MAX && !table.verdicts.contains_key(&way) {
            table.give_up();
        }
        if let Some(before) = table.verdicts.insert(way, known) {
            table.leave(before);
        }
    }

    /// Nothing that was kept so far is given again.
    pub(super) fn void(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes what has been counted since the last time.
    pub(super) fn take(&self) -> Vec<(Kept, u64)> {
        let mut table = self.table();
        let mut counted = std::mem::take(&mut table.left);
        for known in table.verdicts.values_mut().filter(|known| known.count > 0) {
            let count = std::mem::take(&mut known.count);
            counted.push((known.kept.clone(), count));
        }
        if !counted.is_empty() {
            table.quiet_rounds = 0;
        } else if table.quiet_rounds < QUIET_ROUNDS {
            table.quiet_rounds += 1;
        } else {
            table.verdicts.clear();
        }
        counted
    }

    /// How long until the next taking; none where there is nothing to count.
    pub(super) fn pause(&self) -> Option<Duration> {
        let table = self.table();
        (!table.verdicts.is_empty() || !table.left.is_empty()).then_some(PAUSE)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn give_up(&mut self) {
        for (_, known) in std::mem::take(&mut self.verdicts) {
            self.leave(known);
        }
    }

    fn leave(&mut self, known: Known) {
        if known.count > 0 {
            self.left.push((known.kept, known.count));
        }
    }
}
