//! The process table, as far as job control needs it.

use hallpass_session::stat::Stat;
use std::collections::HashMap;
use std::path::Path;

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Process id.
    pub(crate) pid: i32,
    /// State letter: R, S, D, T, t, Z, X, I.
    pub(crate) state: char,
    /// Parent's process id.
    pub(crate) parent: i32,
    /// Process group.
    pub(crate) group: i32,
}

impl Process {
    /// The process `pid`.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = Stat::of(pid.try_into().ok()?)?;
        Some(Self {
            pid,
            state: stat.state,
            parent: stat.parent.try_into().ok()?,
            group: stat.group.try_into().ok()?,
        })
    }

    /// True where a stop signal has stopped it (or a debugger has).
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// The states of all threads of `pid`; empty where it is gone.
pub(crate) fn thread_states(pid: i32) -> Vec<char> {
    let threads = format!("/proc/{pid}/task");
    numbers(&threads)
        .into_iter()
        .filter_map(|thread| Stat::read(&Path::new(&threads).join(thread.to_string())))
        .map(|thread| thread.state)
        .collect()
}

fn numbers(directory: &str) -> Vec<i32> {
    std::fs::read_dir(directory)
        .map(|listing| {
            listing
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                .collect()
        })
        .unwrap_or_default()
}

/// A picture of all processes. It is out of date as soon as it is taken.
#[derive(Debug, Default)]
pub(crate) struct Table {
    processes: HashMap<i32, Process>,
}

impl Table {
    /// Takes the picture.
    pub(crate) fn read() -> Self {
        numbers("/proc")
            .into_iter()
            .filter_map(Process::of)
            .collect()
    }

    /// All processes for which `wanted` holds.
    pub(crate) fn select(&self, wanted: impl Fn(&Process) -> bool) -> Vec<Process> {
        self.processes
            .values()
            .copied()
            .filter(|process| wanted(process))
            .collect()
    }

    /// `pid`'s ancestors, nearest first.
    pub(crate) fn ancestors(&self, pid: i32) -> Vec<i32> {
        let mut found = Vec::new();
        let mut next = self.processes.get(&pid).map(|process| process.parent);
        while let Some(parent) = next {
            // A picture taken while processes came and went could hold a circle.
            if parent == 0 || found.contains(&parent) {
                break;
            }
            found.push(parent);
            next = self.processes.get(&parent).map(|process| process.parent);
        }
        found
    }

    /// True where `ancestor` is one of `pid`'s.
    pub(crate) fn descends(&self, pid: i32, ancestor: i32) -> bool {
        self.ancestors(pid).contains(&ancestor)
    }
}

impl FromIterator<Process> for Table {
    fn from_iter<I: IntoIterator<Item = Process>>(processes: I) -> Self {
        Self {
            processes: processes
                .into_iter()
                .map(|process| (process.pid, process))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Process, Table};

    #[test]
    fn this_process_is_in_the_table() {
        let me = i32::try_from(std::process::id()).unwrap();
        let table = Table::read();
        let found = table.select(|process| process.pid == me);
        assert_eq!(found.len(), 1);
        assert!(table.descends(me, found[0].parent));
        assert!(!table.descends(me, me));
    }

    #[test]
    fn a_circle_ends() {
        let process = |pid, parent| Process {
            pid,
            state: 'S',
            parent,
            group: 1,
        };
        let table: Table = [process(5, 6), process(6, 5)].into_iter().collect();
        assert_eq!(table.ancestors(5), [6, 5]);
    }
}
