//! Processes of a kernel that is made up.

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
    assert_eq!(sent, crate::nested::RULES_MAX / 1000);
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
