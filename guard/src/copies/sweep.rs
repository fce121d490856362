//! Which copies are the last descriptors of their sockets: those must go, or a port would stay
//! taken and a peer would wait for an end that has been.

use super::{Copies, find};
use crate::copies::find::Place;
use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a socket in no table may be on its way from one to another: in a message that is sent
/// and read at once, …
const MOVES: Duration = Duration::from_millis(50);
/// … and in one of which it is known that it was sent.
const PASSED: Duration = Duration::from_secs(10);

/// What came of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swept {
    /// There is nothing to look after.
    Nothing,
    /// All are where they were.
    Quiet,
    /// Some are gone, or may be.
    Busy,
}

impl Copies {
    /// Looks once; drops what was found missing before as well.
    pub(super) fn sweep(&self) -> Swept {
        let _alone = self.alone();
        let now = Instant::now();
        let (all, missing) = self.missing();
        if missing.is_empty() {
            return if all == 0 {
                Swept::Nothing
            } else {
                Swept::Quiet
            };
        }
        self.look_everywhere(&missing, now, MOVES);
        Swept::Busy
    }

    /// Drops at once what no process has: it is looked for twice, since a process may move its
    /// descriptors, or start another process, while its table is read.
    pub(crate) fn sweep_now(&self) {
        let _alone = self.alone();
        let now = Instant::now();
        let (_, missing) = self.missing();
        if !missing.is_empty() {
            self.look_everywhere(&missing, now, Duration::ZERO);
            self.look_everywhere(&missing, now, Duration::ZERO);
        }
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are, and those that are not where they were.
    fn missing(&self) -> (usize, HashSet<u64>) {
        let table = self.table();
        let all = table.kept.len();
        // One that its program does not have yet is in no table.
        let given = table.kept.iter().filter(|(_, kept)| kept.given);
        let places: Vec<(u64, Place)> = given.map(|(inode, kept)| (*inode, kept.place)).collect();
        drop(table);
        let is_missing = |(inode, place): &&(u64, Place)| place.socket(self.device) != Ok(*inode);
        let missing = places.iter().filter(is_missing);
        let missing = missing.map(|(inode, _)| *inode).collect();
        (all, missing)
    }

    fn look_everywhere(&self, missing: &HashSet<u64>, now: Instant, patience: Duration) {
        let found = find::everywhere(missing);
        let mut table = self.table();
        for inode in missing {
            let Some(kept) = table.kept.get_mut(inode) else {
                continue;
            };
            if let Some(place) = found.get(inode) {
                kept.place = *place;
                kept.missing = None;
                continue;
            }
            let (since, times) = kept.missing.unwrap_or((now, 0));
            kept.missing = Some((since, times + 1));
            let patience = if kept.passed { PASSED } else { patience };
            if times > 0
                && now.saturating_duration_since(since) >= patience
                && let Some(kept) = table.kept.remove(inode)
            {
                // Closed before the table is free: who makes room for an address finds either the
                // copy there or its place empty.
                self.let_go(kept);
            }
        }
    }
}
