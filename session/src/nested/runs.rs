//! Which processes belong to which nested run.
//!
//! A run's *keeper*, the process that has joined, starts everything else of the run and is a child
//! subreaper: whatever its processes do, the keeper stays their ancestor while it lives, and it
//! goes only when nothing is left ([`Runs::left`]). So a process belongs to the nearest keeper
//! among its ancestors, and to the runs that keeper was in when it joined.
//!
//! A keeper may be killed. Its processes are handed to an ancestor of its own then, where nothing
//! tells them from others but what the kernel never takes off a process: each bears the seccomp
//! filter that the keeper started them with (guarded sessions), and is younger than the keeper.
//! What could be such an orphan by both is treated as one, for as long as the session lives.

#[cfg(test)]
mod tests;

use super::RunId;
use crate::stat::Stat;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many runs there may be at once, dead keepers' included.
const MAX_RUNS: usize = 256;
/// How deep runs may be nested.
const MAX_DEPTH: usize = 8;
/// How many processes may be sending rules at once.
const MAX_UPLOADS: usize = 64;
/// Most bytes that rules of all runs, and those that are being sent, may have.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A process for good: its number may be given again, but not with the same start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// In clock ticks since boot.
    pub(crate) started: u64,
}

/// What the kernel knows of processes.
pub(crate) trait Kernel {
    /// Whether it still keeps its children.
    fn is_alive(&self, process: Process) -> bool;
    /// How many seccomp filters a process or thread bears; none where that cannot be seen.
    fn filters(&self, task: u32) -> Option<u32>;
}

/// The kernel of this machine.
pub(crate) struct Proc;

impl Kernel for Proc {
    fn is_alive(&self, process: Process) -> bool {
        Stat::of(process.pid)
            .is_some_and(|stat| stat.started == process.started && !stat.is_ending())
    }

    fn filters(&self, task: u32) -> Option<u32> {
        crate::identity::seccomp_filters(task)
    }
}

struct Run {
    keeper: Process,
    /// The keeper's ancestors when it joined: whom the kernel may hand its orphans to. By more than
    /// their numbers, which an orphan may be given once they have ended.
    ancestors: Vec<Process>,
    /// The filters that all its processes bear, at least.
    filters: Option<u32>,
    /// The runs that the keeper was in when it joined, outermost first, then this one.
    all: Arc<[RunId]>,
    bytes: usize,
}

struct Upload {
    started: u64,
    bytes: Vec<u8>,
}

/// See the module's text.
pub(crate) struct Runs {
    /// Whether a keeper can mark its processes by a filter.
    guarded: bool,
    runs: BTreeMap<RunId, Run>,
    uploads: HashMap<u32, Upload>,
    last: RunId,
}

impl Runs {
    pub(crate) fn new(guarded: bool) -> Self {
        Self {
            guarded,
            runs: BTreeMap::new(),
            uploads: HashMap::new(),
            last: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs that a process is in, outermost first. `lineage`: itself, then its ancestors,
    /// without the session.
    pub(crate) fn of(&self, lineage: &[Process], kernel: &impl Kernel) -> Arc<[RunId]> {
        if self.runs.is_empty() {
            return Arc::default();
        }
        let nearest = lineage.iter().enumerate().find_map(|(at, process)| {
            let run = self.latest_of(*process)?;
            Some((at, Arc::clone(&run.1.all)))
        });
        let (below, base) = match nearest {
            Some((at, all)) => (lineage.get(..at).unwrap_or_default(), all),
            None => (lineage, Arc::default()),
        };
        let mut all = base.to_vec();
        for run in self.runs.values() {
            let is_inside = base.iter().all(|id| run.all.contains(id));
            if is_inside && run.all.len() > base.len() && self.may_be_orphan(below, run, kernel) {
                let more: Vec<RunId> = run
                    .all
                    .iter()
                    .copied()
                    .filter(|id| !all.contains(id))
                    .collect();
                all.extend(more);
            }
        }
        if all.len() == base.len() {
            base
        } else {
            all.into()
        }
    }

    /// Whether a process with these ancestors may have belonged to a keeper that is dead.
    fn may_be_orphan(&self, lineage: &[Process], run: &Run, kernel: &impl Kernel) -> bool {
        // The one that was handed over, if any: the first that is no ancestor of the keeper's.
        let mut from_the_top = lineage.iter().rev();
        let Some(top) = from_the_top.find(|process| !run.ancestors.contains(process)) else {
            return false;
        };
        if top.started < run.keeper.started || kernel.is_alive(run.keeper) {
            return false;
        }
        match run.filters {
            Some(least) => kernel
                .filters(top.pid)
                .is_none_or(|filters| filters >= least),
            // Where filters would tell, a keeper starts nothing before it has marked itself.
            None => !self.guarded,
        }
    }

    /// The run that a keeper has joined with last.
    fn latest_of(&self, keeper: Process) -> Option<(RunId, &Run)> {
        let mut latest = self.runs.iter().rev();
        latest
            .find(|(_, run)| run.keeper == keeper)
            .map(|(id, run)| (*id, run))
    }

    /// More bytes of a process's rules. False: there is no room for them.
    pub(crate) fn upload(&mut self, process: Process, part: &[u8]) -> bool {
        if self.bytes() + part.len() > MAX_BYTES {
            self.forget_uploads();
        }
        if self.bytes() + part.len() > MAX_BYTES {
            return false;
        }
        if !self.uploads.contains_key(&process.pid) && self.uploads.len() >= MAX_UPLOADS {
            self.forget_uploads();
            if self.uploads.len() >= MAX_UPLOADS {
                return false;
            }
        }
        let upload = self.uploads.entry(process.pid).or_insert(Upload {
            started: process.started,
            bytes: Vec::new(),
        });
        if upload.started != process.started {
            *upload = Upload {
                started: process.started,
                bytes: Vec::new(),
            };
        }
        if upload.bytes.len() + part.len() > super::RULES_MAX {
            self.uploads.remove(&process.pid);
            return false;
        }
        upload.bytes.extend_from_slice(part);
        true
    }

    /// What a process has sent; it is forgotten.
    pub(crate) fn take_upload(&mut self, process: Process) -> Option<Vec<u8>> {
        let upload = self.uploads.remove(&process.pid)?;
        (upload.started == process.started).then_some(upload.bytes)
    }

    /// Drops what processes have sent that are gone.
    fn forget_uploads(&mut self) {
        self.uploads.retain(|pid, upload| {
            Proc.is_alive(Process {
                pid: *pid,
                started: upload.started,
            })
        });
    }

    fn bytes(&self) -> usize {
        let uploads = self.uploads.values().map(|upload| upload.bytes.len());
        uploads.chain(self.runs.values().map(|run| run.bytes)).sum()
    }

    /// A process joins, with so many bytes of rules. `lineage` as for [`Self::of`].
    ///
    /// # Errors
    /// It cannot; why, in a few words.
    pub(crate) fn join(
        &mut self,
        lineage: &[Process],
        bytes: usize,
        kernel: &impl Kernel,
    ) -> Result<RunId, &'static str> {
        let Some((keeper, ancestors)) = lineage.split_first() else {
            return Err("it is gone");
        };
        let mut all = self.of(lineage, kernel).to_vec();
        if all.len() >= MAX_DEPTH {
            return Err("it is nested too deep (8 is the most)");
        }
        if self.runs.len() >= MAX_RUNS {
            return Err("there are too many (256 is the most, killed ones included)");
        }
        self.last += 1;
        all.push(self.last);
        let run = Run {
            keeper: *keeper,
            ancestors: ancestors.to_vec(),
            filters: None,
            all: all.into(),
            bytes,
        };
        self.runs.insert(self.last, run);
        Ok(self.last)
    }

    /// The keeper's thread `tid` bears one filter more than the keeper. False: it does not.
    pub(crate) fn mark(&mut self, keeper: Process, tid: u32, kernel: &impl Kernel) -> bool {
        let Some((id, _)) = self.latest_of(keeper) else {
            return false;
        };
        let (Some(own), Some(marked)) = (kernel.filters(keeper.pid), kernel.filters(tid)) else {
            return false;
        };
        match self.runs.get_mut(&id) {
            Some(run) if run.filters.is_none() && marked > own => {
                run.filters = Some(marked);
                true
            }
            _ => false,
        }
    }

    /// The keeper has nothing left to keep: its runs, which are over.
    pub(crate) fn left(&mut self, keeper: Process) -> Vec<RunId> {
        self.remove(|run| run.keeper == keeper)
    }

    /// Runs that nothing can belong to: their keepers died before they started anything.
    pub(crate) fn stillborn(&mut self, kernel: &impl Kernel) -> Vec<RunId> {
        if !self.guarded {
            return Vec::new();
        }
        self.remove(|run| run.filters.is_none() && !kernel.is_alive(run.keeper))
    }

    fn remove(&mut self, which: impl Fn(&Run) -> bool) -> Vec<RunId> {
        let gone = self.runs.iter().filter(|(_, run)| which(run));
        let gone: Vec<RunId> = gone.map(|(id, _)| *id).collect();
        for id in &gone {
            self.runs.remove(id);
        }
        gone
    }

    /// The run that a process keeps, if it keeps one.
    pub(crate) fn kept_by(&self, keeper: Process) -> Option<RunId> {
        self.latest_of(keeper).map(|(id, _)| id)
    }
}
