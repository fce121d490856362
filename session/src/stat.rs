//! /proc/PID/stat (proc_pid_stat(5)), for whoever needs to know of a process how it is, whose
//! child it is and when it started.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longer than any; in bytes.
const MAX: u64 = 4096;

/// The parts that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// State letter: R, S, D, T, t, Z, X, I.
    pub state: char,
    /// Parent's process id; 0 where that is in another process namespace.
    pub parent: u32,
    /// Process group; 0 likewise.
    pub group: u32,
    /// Of the kernel's own (`PF_*`).
    flags: u32,
    /// Number of the controlling terminal (`tty_nr`); 0 where there is none.
    pub terminal: u32,
    /// Number of threads, the first one included as long as its process is there.
    threads: u32,
    /// Clock ticks since boot: with the pid it names a process for good.
    pub started: u64,
    /// Where its stack begins, by which an exec is known: the kernel puts each somewhere else. 0
    /// where that is not for this process to see.
    pub stack: u64,
}

impl Stat {
    /// Whether it has ended, or is about to: its children are handed to others by then, or soon.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        const PF_EXITING: u32 = 4;
        matches!(self.state, 'Z' | 'X') || self.flags & PF_EXITING != 0
    }

    /// Whether its first thread has ended, and others go on (pthread_exit(3) in main): then nothing
    /// in `/proc/PID` but numbers shows the process, and `/proc/PID/task/TID` of the others does.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads > 1
    }

    /// Whether it has ended. A zombie has, unless it is headless.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && !self.is_headless()
    }

    /// Of a process or thread, by its directory in /proc. None where it is gone.
    #[must_use]
    pub fn read(directory: &Path) -> Option<Self> {
        // Room for what is usual, or the file is read in a handful of ever larger steps.
        let mut bytes = Vec::with_capacity(1024);
        File::open(directory.join("stat"))
            .ok()?
            .take(MAX)
            .read_to_end(&mut bytes)
            .ok()?;
        Self::parse(&bytes)
    }

    /// Of the process `pid`.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Self::read(Path::new(&format!("/proc/{pid}")))
    }

    /// `PID (COMM) STATE PPID …`; COMM is the program's own word and may hold anything, `)`,
    /// newlines and what is no UTF-8 included. The last `)` ends it.
    fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(end..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace().skip(1);
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // tty_nr is field 7, a signed number that is none.
        let terminal: i32 = fields.nth(1)?.parse().ok()?;
        let flags = fields.nth(1)?.parse().ok()?;
        // num_threads is field 20, the 11th after that; starttime is field 22.
        let threads = fields.nth(10)?.parse().ok()?;
        let started = fields.nth(1)?.parse().ok()?;
        // startstack is field 28.
        let stack = fields.nth(5).and_then(|stack| stack.parse().ok());
        Some(Self {
            state,
            parent,
            group,
            flags,
            terminal: terminal.cast_unsigned(),
            threads,
            started,
            stack: stack.unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    const REST: &[u8] =
        b") T 3 9 7 34816 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1 1 1 1 77 0\n";

    #[test]
    fn a_name_may_hold_anything() {
        for name in [&b"sh"[..], b"a) S 1 (b", b"(\n)", b"\xff\xfe", b""] {
            let parsed = Stat::parse(&[b"7 (", name, REST].concat()).unwrap();
            let expected = Stat {
                state: 'T',
                parent: 3,
                group: 9,
                flags: 4_194_304,
                terminal: 34816,
                threads: 1,
                started: 4242,
                stack: 77,
            };
            assert_eq!(parsed, expected, "{name:?}");
        }
    }

    #[test]
    fn a_zombie_with_threads_lives() {
        let stat = |state: &str, threads: &str| {
            let rest =
                format!(") {state} 3 9 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 {threads} 0 4242 1 1\n");
            Stat::parse(&[b"7 (a", rest.as_bytes()].concat()).unwrap()
        };
        assert!(stat("Z", "1").has_ended() && !stat("Z", "1").is_headless());
        assert!(!stat("Z", "2").has_ended() && stat("Z", "2").is_headless());
        assert!(!stat("S", "2").has_ended() && !stat("S", "2").is_headless());
    }

    #[test]
    fn what_is_no_stat_is_none() {
        for text in [
            &b""[..],
            b")",
            b"1 (a",
            b"1 (a) ",
            b"1 (a) R x",
            b"1 (a) R 3 7",
        ] {
            assert_eq!(Stat::parse(text), None);
        }
    }

    #[test]
    fn this_process_is_seen_as_it_is() {
        let stat = Stat::of(std::process::id()).unwrap();
        assert_eq!(stat.parent, std::os::unix::process::parent_id());
        let group = nix::unistd::getpgrp().as_raw();
        assert_eq!(stat.group, group.cast_unsigned());
    }
}
