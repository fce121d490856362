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

#[cfg(test)]
mod tests {
    use super::{Kernel, MAX_BYTES, MAX_DEPTH, MAX_RUNS, MAX_UPLOADS, Process, RunId, Runs};
    use std::collections::HashMap;

    /// A kernel that a test makes up.
    #[derive(Default)]
    struct Fake {
        dead: Vec<u32>,
        filters: HashMap<u32, u32>,
    }

    impl Kernel for Fake {
        fn is_alive(&self, process: Process) -> bool {
            !self.dead.contains(&process.pid)
        }

        fn filters(&self, task: u32) -> Option<u32> {
            Some(self.filters.get(&task).copied().unwrap_or(1))
        }
    }

    /// Processes that started in the order of their numbers.
    fn chain(pids: &[u32]) -> Vec<Process> {
        let process = |pid: &u32| Process {
            pid: *pid,
            started: u64::from(*pid),
        };
        pids.iter().map(process).collect()
    }

    fn runs_of(runs: &Runs, kernel: &Fake, pids: &[u32]) -> Vec<RunId> {
        runs.of(&chain(pids), kernel).to_vec()
    }

    /// A guarded session with CMD 10, in which 20 has joined, and has marked what it starts.
    fn joined(kernel: &mut Fake) -> Runs {
        let mut runs = Runs::new(true);
        runs.join(&chain(&[20, 10]), 0, kernel).unwrap();
        kernel.filters.insert(21, 2);
        assert!(runs.mark(chain(&[20])[0], 21, kernel));
        runs
    }

    #[test]
    fn a_keepers_descendants_are_in_its_run_and_nobody_else() {
        let mut kernel = Fake::default();
        let runs = joined(&mut kernel);
        assert_eq!(runs_of(&runs, &kernel, &[30, 20, 10]), [1]);
        assert_eq!(runs_of(&runs, &kernel, &[40, 30, 20, 10]), [1]);
        assert_eq!(runs_of(&runs, &kernel, &[20, 10]), [1], "itself");
        for others in [&[10][..], &[15, 10], &[30, 10], &[30]] {
            assert!(runs_of(&runs, &kernel, others).is_empty(), "{others:?}");
        }
    }

    #[test]
    fn runs_inside_runs_are_in_both() {
        let mut kernel = Fake::default();
        let mut runs = joined(&mut kernel);
        kernel.filters.extend([(30, 2), (31, 3)]);
        assert_eq!(runs.join(&chain(&[30, 20, 10]), 0, &kernel), Ok(2));
        assert!(runs.mark(chain(&[30])[0], 31, &kernel));
        assert_eq!(runs_of(&runs, &kernel, &[40, 30, 20, 10]), [1, 2]);
        assert_eq!(runs_of(&runs, &kernel, &[40, 20, 10]), [1]);
        // The inner keeper was killed: the kernel hands its children to the outer one.
        kernel.dead.push(30);
        kernel.filters.extend([(40, 3), (41, 2)]);
        assert_eq!(runs_of(&runs, &kernel, &[40, 20, 10]), [1, 2]);
        assert_eq!(runs_of(&runs, &kernel, &[41, 20, 10]), [1]);
        // Both were.
        kernel.dead.push(20);
        assert_eq!(runs_of(&runs, &kernel, &[40]), [1, 2]);
        assert_eq!(runs_of(&runs, &kernel, &[41, 10]), [1]);
    }

    #[test]
    fn orphans_of_a_killed_keeper_stay_in_its_run() {
        let mut kernel = Fake::default();
        let runs = joined(&mut kernel);
        kernel.dead.push(20);
        kernel.filters.extend([(30, 2), (31, 2), (32, 3)]);
        for orphan in [&[30][..], &[30, 10], &[31, 30], &[32, 30, 10], &[32]] {
            assert_eq!(runs_of(&runs, &kernel, orphan), [1], "{orphan:?}");
        }
        // Younger, with as many filters as the others of the session; or older than the keeper;
        // or one of its ancestors; or below a process of the session that has no filter more.
        kernel.filters.extend([(15, 2), (10, 2), (41, 5)]);
        for other in [&[40][..], &[15], &[10], &[41, 40], &[41, 40, 10]] {
            assert!(runs_of(&runs, &kernel, other).is_empty(), "{other:?}");
        }
    }

    #[test]
    fn a_later_run_is_not_in_a_dead_one() {
        let mut kernel = Fake::default();
        let mut runs = joined(&mut kernel);
        kernel.dead.push(20);
        assert_eq!(runs.join(&chain(&[50, 10]), 0, &kernel), Ok(2));
        kernel.filters.insert(51, 2);
        assert!(runs.mark(chain(&[50])[0], 51, &kernel));
        kernel.filters.insert(60, 2);
        assert_eq!(runs_of(&runs, &kernel, &[60, 50, 10]), [2]);
    }

    #[test]
    fn a_keeper_that_leaves_takes_its_run_with_it() {
        let mut kernel = Fake::default();
        let mut runs = joined(&mut kernel);
        assert!(runs.left(chain(&[30])[0]).is_empty(), "not the keeper");
        assert_eq!(runs.left(chain(&[20])[0]), [1]);
        kernel.dead.push(20);
        kernel.filters.insert(30, 2);
        assert!(runs_of(&runs, &kernel, &[30]).is_empty());
    }

    #[test]
    fn a_mark_is_one_filter_more_and_only_the_keepers() {
        let mut kernel = Fake::default();
        let mut runs = Runs::new(true);
        runs.join(&chain(&[20, 10]), 0, &kernel).unwrap();
        assert!(!runs.mark(chain(&[20])[0], 20, &kernel), "no filter more");
        kernel.filters.insert(21, 2);
        assert!(!runs.mark(chain(&[10])[0], 21, &kernel), "not the keeper");
        assert!(runs.mark(chain(&[20])[0], 21, &kernel));
        kernel.filters.insert(22, 9);
        assert!(!runs.mark(chain(&[20])[0], 22, &kernel), "twice");
    }

    #[test]
    fn who_dies_unmarked_narrows_nobody_under_a_guard() {
        let mut kernel = Fake::default();
        let mut runs = Runs::new(true);
        runs.join(&chain(&[20, 10]), 0, &kernel).unwrap();
        kernel.dead.push(20);
        assert!(runs_of(&runs, &kernel, &[30, 10]).is_empty());
        assert_eq!(runs.stillborn(&kernel), [1]);
        // Without one nothing tells orphans from others that are younger.
        let mut runs = Runs::new(false);
        runs.join(&chain(&[20, 10]), 0, &kernel).unwrap();
        assert_eq!(runs_of(&runs, &kernel, &[30, 10]), [1]);
        assert!(runs_of(&runs, &kernel, &[15, 10]).is_empty());
        assert!(runs.stillborn(&kernel).is_empty());
    }

    #[test]
    fn a_number_that_is_given_again_is_another_process() {
        let mut kernel = Fake::default();
        let runs = joined(&mut kernel);
        kernel.dead.push(20);
        let again = Process {
            pid: 20,
            started: 99,
        };
        let child = Process {
            pid: 30,
            started: 100,
        };
        let lineage = [child, again, chain(&[10])[0]];
        assert!(runs.of(&lineage, &kernel).is_empty());
    }

    #[test]
    fn an_orphan_with_the_number_of_an_ended_ancestor_stays_in_its_run() {
        let mut kernel = Fake::default();
        let runs = joined(&mut kernel);
        kernel.dead.extend([20, 10]);
        kernel.filters.insert(10, 2);
        let orphan = Process {
            pid: 10,
            started: 99,
        };
        assert_eq!(*runs.of(&[orphan], &kernel), [1]);
    }

    #[test]
    fn there_are_bounds() {
        let kernel = Fake::default();
        let mut runs = Runs::new(true);
        let mut lineage = chain(&[1]);
        for depth in 0..MAX_DEPTH {
            lineage.insert(0, chain(&[u32::try_from(depth).unwrap() + 2])[0]);
            assert!(runs.join(&lineage, 0, &kernel).is_ok());
        }
        lineage.insert(0, chain(&[100])[0]);
        assert!(runs.join(&lineage, 0, &kernel).is_err(), "too deep");
        for number in MAX_DEPTH..MAX_RUNS {
            let pid = u32::try_from(number).unwrap() + 1000;
            assert!(runs.join(&chain(&[pid]), 0, &kernel).is_ok());
        }
        assert!(runs.join(&chain(&[9000]), 0, &kernel).is_err(), "too many");
        let part = [0; 1000];
        let me = Process {
            pid: std::process::id(),
            started: crate::stat::Stat::of(std::process::id()).unwrap().started,
        };
        let sent = (0..2000).take_while(|_| runs.upload(me, &part)).count();
        assert_eq!(sent, super::super::RULES_MAX / 1000);
        assert!(runs.take_upload(me).is_none(), "too much is nothing");
        // Processes that are gone leave no room taken.
        for pid in 0..u32::try_from(MAX_UPLOADS).unwrap() * 3 {
            let gone = Process {
                pid: 1_000_000_000 + pid,
                started: 1,
            };
            assert!(runs.upload(gone, &part));
        }
        assert!(runs.uploads.len() <= MAX_UPLOADS && runs.bytes() <= MAX_BYTES);
    }
}
