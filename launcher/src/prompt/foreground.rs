//! Taking the terminal from the job in its foreground, and giving it back as it was.
//!
//! Being in the foreground is not enough: a program that already sits in read(2) on the terminal
//! would eat the answer. So the job is stopped while a person is asked, parents first, and
//! continued afterwards, children first, so that no shell among them ever sees its job stopped.

use crate::procs::{Table, thread_states};
use crate::sys;
use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcflush, tcgetattr,
    tcsetattr,
};
use nix::unistd::{Pid, getpgrp, getpid, tcgetpgrp, tcsetpgrp};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::time::{Duration, Instant};

/// How long a job may take to stop. A process stops as soon as it runs again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a job may take to stop when it is asked to, which it may also decline.
const COURTESY: Duration = Duration::from_secs(1);
/// How long a thread may sit in an uninterruptible call. It does not read a terminal in there
/// (a parent in vfork(2), a disk that spins up), so it need not be waited for.
const BUSY: Duration = Duration::from_millis(300);
/// How often states are looked at.
const GLANCE: Duration = Duration::from_micros(200);

/// Why the terminal was not taken.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This process belongs to another user and cannot be stopped; it might eat the answer.
    CannotStop(i32),
    /// The job does not stop.
    DoesNotStop,
    /// The terminal is gone, or fails.
    Terminal(io::Error),
}

/// The terminal, while it is ours.
#[derive(Debug)]
pub(crate) struct Taken {
    terminal: File,
    settings: Termios,
    size: (u16, u16),
    foreground: Pid,
    stopped: Vec<i32>,
    /// Whether something typed before was thrown away.
    pub(crate) dropped_input: bool,
}

/// Opens the controlling terminal.
pub(crate) fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// Whether a person who looks at the terminal looks at this run: its foreground job is CMD's or
/// one of its descendants'. Another job must not be interrupted by our question.
pub(crate) fn is_ours(terminal: &File, session: i32) -> io::Result<bool> {
    let foreground = tcgetpgrp(terminal)?;
    if foreground == getpgrp() {
        return Ok(true);
    }
    let table = Table::read();
    Ok(!table
        .select(|process| {
            process.group == foreground.as_raw() && table.descends(process.pid, session)
        })
        .is_empty())
}

/// Stops the foreground job and takes the terminal. `note` is told of the processes before they
/// are stopped, so that somebody can continue them should this process die.
pub(crate) fn take(
    terminal: File,
    session: i32,
    mut note: impl FnMut(&[i32]),
) -> Result<Taken, Trouble> {
    let foreground = tcgetpgrp(&terminal).map_err(|errno| Trouble::Terminal(errno.into()))?;
    let mut stopped = Vec::new();
    let settings = stop_all(foreground, session, &mut stopped, &mut note)
        .and_then(|()| make_raw(&terminal).map_err(Trouble::Terminal));
    let (settings, dropped_input) = match settings {
        Ok(settings) => settings,
        Err(trouble) => {
            continue_all(&stopped);
            return Err(trouble);
        }
    };
    let taken = Taken {
        size: size(&terminal),
        terminal,
        settings,
        foreground,
        stopped,
        dropped_input,
    };
    // SIGTTOU is blocked in the front, so it may do this from the background as well.
    if foreground != getpgrp()
        && let Err(errno) = tcsetpgrp(&taken.terminal, getpgrp())
    {
        taken.give_back(None);
        return Err(Trouble::Terminal(errno.into()));
    }
    Ok(taken)
}

/// Stops the group's members and those between them and the session, until none is left that
/// runs: one may have forked another while it was being stopped.
fn stop_all(
    foreground: Pid,
    session: i32,
    stopped: &mut Vec<i32>,
    note: &mut impl FnMut(&[i32]),
) -> Result<(), Trouble> {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut generations = running(&Table::read(), foreground.as_raw(), session);
        for generation in &mut generations {
            generation.retain(|pid| !stopped.contains(pid));
        }
        if generations.iter().all(Vec::is_empty) {
            return Ok(());
        }
        note(&[stopped.as_slice(), &generations.concat()].concat());
        // A shell that is woken by its child's stop while its own is only on the way has waited
        // for the child already, and would say "Stopped" as soon as it goes on. So each generation
        // must have come to rest before the next is touched.
        for generation in generations {
            for pid in &generation {
                match sys::kill(Pid::from_raw(*pid), libc::SIGSTOP) {
                    Ok(()) => stopped.push(*pid),
                    Err(nix::errno::Errno::ESRCH) => {}
                    Err(_) => return Err(Trouble::CannotStop(*pid)),
                }
            }
            wait_until_stopped(&generation, end)?;
        }
    }
}

/// Who must be stopped: members of the group, and their ancestors below the session; by
/// generation, parents first. Not this process and its own ancestors: the caller's script or
/// shell may be in the group and waits for us anyway. Not who is stopped already: it must stay so
/// afterwards.
fn running(table: &Table, foreground: i32, session: i32) -> Vec<Vec<i32>> {
    let me = getpid().as_raw();
    let above_me = table.ancestors(me);
    let members = table.select(|process| process.group == foreground);
    let mut wanted: BTreeSet<i32> = members.iter().map(|process| process.pid).collect();
    for member in &members {
        let ancestors = table.ancestors(member.pid);
        if let Some(position) = ancestors.iter().position(|pid| *pid == session) {
            wanted.extend(ancestors.iter().take(position));
        }
    }
    let running = table.select(|process| {
        wanted.contains(&process.pid)
            && process.pid != me
            && process.pid != session
            && !above_me.contains(&process.pid)
            && !matches!(process.state, 'T' | 't' | 'Z' | 'X')
    });
    let mut generations: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
    for process in running {
        let depth = table.ancestors(process.pid).len();
        generations.entry(depth).or_default().push(process.pid);
    }
    for generation in generations.values_mut() {
        generation.sort_unstable();
    }
    generations.into_values().collect()
}

/// A process counts as stopped when each of its threads is: one that is still on its way out of
/// read(2) could take a key with it.
fn wait_until_stopped(pids: &[i32], end: Instant) -> Result<(), Trouble> {
    let start = Instant::now();
    for pid in pids {
        loop {
            let is_patient = start.elapsed() < BUSY;
            let is_quiet = |state: &char| {
                matches!(state, 'T' | 't' | 'Z' | 'X') || (!is_patient && *state == 'D')
            };
            if thread_states(*pid).iter().all(is_quiet) {
                break;
            }
            if Instant::now() >= end {
                return Err(Trouble::DoesNotStop);
            }
            std::thread::sleep(GLANCE);
        }
    }
    Ok(())
}

/// Stops a job that was given the terminal back, as Ctrl-Z does. Comes back when it has stopped:
/// a stop for the next question would take this one's place, and be undone with it.
pub(crate) fn suspend(job: Pid, session: i32) {
    let _ = sys::kill(Pid::from_raw(-job.as_raw()), libc::SIGTSTP);
    let table = Table::read();
    let members = table.select(|it| it.group == job.as_raw() && table.descends(it.pid, session));
    let members: Vec<i32> = members.iter().map(|process| process.pid).collect();
    // One that does not stop is asked about again.
    let _ = wait_until_stopped(&members, Instant::now() + COURTESY);
}

fn continue_all(stopped: &[i32]) {
    for pid in stopped.iter().rev() {
        // It may have been killed in between.
        let _ = sys::kill(Pid::from_raw(*pid), libc::SIGCONT);
    }
}

/// Each key by itself, without echo; output stays as it was. Gives the settings of before, and
/// whether something had been typed that is lost now.
fn make_raw(terminal: &File) -> io::Result<(Termios, bool)> {
    let before = tcgetattr(terminal)?;
    let mut raw = before.clone();
    raw.local_flags &=
        !(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN);
    raw.input_flags &= !(InputFlags::ICRNL | InputFlags::INLCR | InputFlags::IGNCR);
    raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    tcsetattr(terminal, SetArg::TCSANOW, &raw)?;
    let waiting = rustix::io::ioctl_fionread(terminal).unwrap_or(0);
    tcflush(terminal, FlushArg::TCIFLUSH)?;
    Ok((before, waiting > 0))
}

/// Rows and columns, 0 where unknown.
fn size(terminal: &File) -> (u16, u16) {
    rustix::termios::tcgetwinsize(terminal).map_or((0, 0), |size| (size.ws_row, size.ws_col))
}

impl Taken {
    /// The terminal, to read keys and to write.
    pub(crate) fn terminal(&self) -> &File {
        &self.terminal
    }

    /// Rows and columns, 0 where unknown.
    pub(crate) fn size(&self) -> (u16, u16) {
        size(&self.terminal)
    }

    /// Throws away what was typed.
    pub(crate) fn flush(&self) {
        // A terminal that is gone has nothing to throw away.
        let _ = tcflush(&self.terminal, FlushArg::TCIFLUSH);
    }

    /// Puts everything back. `signal` reaches the job before it goes on, as if typed on the
    /// terminal.
    pub(crate) fn give_back(self, signal: Option<i32>) {
        // Nothing is flushed: what is typed after the answer is for the job.
        // Each may fail on a terminal that is gone; the job is continued all the same.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.settings);
        let has_new_size = self.size() != self.size;
        if self.foreground != getpgrp() {
            let _ = tcsetpgrp(&self.terminal, self.foreground);
        }
        let group = Pid::from_raw(-self.foreground.as_raw());
        // A program that draws the screen itself (an editor, a line editor) has our text on its
        // screen now; this makes it draw again.
        if has_new_size || !self.settings.local_flags.contains(LocalFlags::ICANON) {
            let _ = sys::kill(group, libc::SIGWINCH);
        }
        if let Some(signal) = signal {
            let _ = sys::kill(group, signal);
        }
        continue_all(&self.stopped);
    }

    /// The job's process group.
    pub(crate) fn foreground(&self) -> Pid {
        self.foreground
    }
}

#[cfg(test)]
mod tests {
    use super::running;
    use crate::procs::{Process, Table};

    fn process(pid: i32, parent: i32, group: i32, state: char) -> Process {
        Process {
            pid,
            state,
            parent,
            group,
        }
    }

    #[test]
    fn the_group_and_the_shells_above_it_parents_first() {
        // session 10 → bash 11 → make 13 → cc 12; 14 was stopped before, 15 is a zombie, 16 is in
        // another group, 17 is not below the session.
        let table: Table = [
            process(10, 1, 10, 'S'),
            process(11, 10, 11, 'S'),
            process(13, 11, 13, 'S'),
            process(12, 13, 13, 'R'),
            process(14, 11, 13, 'T'),
            process(15, 11, 13, 'Z'),
            process(16, 11, 16, 'S'),
            process(17, 1, 13, 'S'),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            running(&table, 13, 10),
            [vec![17], vec![11], vec![13], vec![12]]
        );
    }

    #[test]
    fn neither_this_process_nor_its_ancestors() {
        let me = i32::try_from(std::process::id()).unwrap();
        let table: Table = [
            process(2, 1, 2, 'S'),
            process(me, 2, 2, 'S'),
            process(me + 1, me, me + 1, 'S'),
            process(me + 2, me + 1, 2, 'S'),
        ]
        .into_iter()
        .collect();
        assert_eq!(running(&table, 2, me + 1), [[me + 2]]);
    }
}
