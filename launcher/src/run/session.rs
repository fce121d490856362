//! The session process: ancestor of every process of the program, from CMD's start until the
//! last of them has ended. It holds the engine, reaps, and tells the front what became of CMD.

use super::command::{Command, Started};
use super::descriptors::{self, Keep};
use super::link::{End, Link, Received, ToFront, ToSession};
use super::reap::{self, Change, Reaped};
use super::role::{Role, Task};
use super::timeout::{Deadline, Step};
use super::{signals, terminal};
use crate::exit::Exit;
use crate::procs::{Process, Table};
use crate::sys;
use hallpass_session::verdict::Fallback;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, getpgrp, getpid, setpgid, setsid};
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::time::{Duration, Instant};

/// How long a front that was told of CMD's going on may take to say that it has heard.
const CONTINUE_AGAIN: Duration = Duration::from_millis(50);

/// What the front hands over through the fork.
#[derive(Debug)]
pub(super) struct Start {
    /// The session's end of the private channel.
    pub(super) link: Link,
    /// The front.
    pub(super) front: Pid,
    /// The signal mask CMD gets back.
    pub(super) mask: SigSet,
    /// Descriptors CMD inherits and the session lets go of.
    pub(super) inherited: Vec<RawFd>,
    /// What to start.
    pub(super) command: Command,
    /// `--timeout`.
    pub(super) timeout: Option<Duration>,
    /// Whether the front stays until the last process has ended.
    pub(super) wait: bool,
    /// Whether CMD is started under the guard.
    pub(super) guard: bool,
}

/// Runs the session to its end; the front has everything that there is to say.
pub(super) fn main(start: &Start, task: Task) {
    // A panic may leave a lock behind that the other threads would wait for: end closed instead.
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    let link = &start.link;
    let failed = |text: String| {
        // The front finds out by the end of file, too.
        let _ = link.send(&ToFront::Failed {
            text,
            status: Exit::Ours.code(),
        });
    };
    match Session::begin(start, task) {
        Ok(mut session) => {
            if let Err(error) = session.serve() {
                failed(format!("the session failed: {error}"));
            }
            session.role.finish(false);
        }
        Err(text) => failed(text),
    }
}

/// What is known of the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    /// It follows CMD.
    There,
    /// It has ended, as CMD had, or was killed.
    Gone,
}

struct Session<'a> {
    start: &'a Start,
    role: Role,
    signals: SignalFd,
    command: Started,
    group: Pid,
    /// None while CMD runs.
    end: Option<End>,
    /// True until CMD has been executed, or could not be.
    starting: bool,
    /// A person wants the session to end, whatever still runs.
    dismissed: bool,
    front: Front,
    /// When to tell a front that may have stopped itself too late to go on.
    continue_again: Option<Instant>,
    prompting: Option<terminal::Saved>,
    deadline: Deadline,
}

impl<'a> Session<'a> {
    /// Binds the sockets, forks CMD, and only then starts threads.
    fn begin(start: &'a Start, task: Task) -> Result<Self, String> {
        let step = |what: &'static str| move |error: Errno| format!("{what}: {}", error.desc());
        let group = getpgrp();
        // A group of its own, so that no signal from the terminal reaches it; still of the
        // terminal's session, or CMD's group would be orphaned and lose job control.
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(step("cannot leave the group"))?;
        prctl::set_child_subreaper(true).map_err(step("cannot become a subreaper"))?;
        let (under, started) = task.prepare()?.start(start, group)?;
        descriptors::let_go(&start.inherited, Keep::Nothing)
            .map_err(|error| format!("cannot open /dev/null: {error}"))?;
        std::env::set_current_dir("/").map_err(|error| format!("cannot enter /: {error}"))?;
        let signals = signals::descriptor().map_err(step("cannot read signals"))?;
        let role = under.serve(start, started.pid)?;
        start
            .link
            .send(&role.ready(started.pid))
            .map_err(|error| format!("cannot reach the front: {error}"))?;
        Ok(Self {
            start,
            role,
            signals,
            command: started,
            group,
            end: None,
            starting: true,
            dismissed: false,
            front: Front::There,
            continue_again: None,
            prompting: None,
            deadline: Deadline::new(start.timeout.map(|timeout| Instant::now() + timeout)),
        })
    }

    /// Follows everything until no process of the program is left.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            self.wait_for_something()?;
            while let Some(signal) = self.signals.read_signal()? {
                self.on_signal(signal.ssi_signo.cast_signed());
            }
            if self.front == Front::There {
                self.read_link()?;
            }
            if self.starting {
                self.check_start()?;
            }
            let gone = self.reap()?;
            if gone || self.dismissed {
                return self.all_gone(gone);
            }
            self.tick();
        }
    }

    fn wait_for_something(&self) -> io::Result<()> {
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if self.front == Front::There {
            fds.push(PollFd::new(self.start.link.as_fd(), PollFlags::POLLIN));
        }
        if self.starting {
            fds.push(PollFd::new(self.command.failure.as_fd(), PollFlags::POLLIN));
        }
        let next = [self.continue_again, self.deadline.next()]
            .into_iter()
            .flatten()
            .min();
        let timeout = next.map_or(PollTimeout::NONE, |next| {
            // Rounded up: a poll that ends too early would only be made again.
            let left = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The front forwards what is meant for CMD. Once it has left, SIGTERM is how a person gets
    /// rid of a session whose background processes never end.
    fn on_signal(&mut self, signal: i32) {
        if signal == libc::SIGTERM && self.front == Front::Gone {
            self.dismissed = true;
        }
    }

    fn read_link(&mut self) -> io::Result<()> {
        loop {
            match self.start.link.receive()? {
                Received::Message(message) => self.on_message(message)?,
                Received::Nothing => return Ok(()),
                Received::Closed => {
                    self.on_front_gone();
                    return Ok(());
                }
            }
        }
    }

    fn on_message(&mut self, message: ToSession) -> io::Result<()> {
        match message {
            ToSession::Go => self.command.open_gate()?,
            ToSession::Signal(signal) => self.signal_command(signal),
            ToSession::ContinueSeen => self.continue_again = None,
            ToSession::PromptBegin => {
                self.prompting = Some(terminal::Saved::take());
                self.start.link.send(&ToFront::PromptAck)?;
            }
            ToSession::PromptStopped(stopped) => {
                if let Some(saved) = &mut self.prompting {
                    saved.stopped = stopped;
                }
            }
            ToSession::PromptEnd => self.prompting = None,
        }
        Ok(())
    }

    fn signal_command(&self, signal: i32) {
        if self.end.is_some() {
            return;
        }
        let stopped = || Process::of(self.command.pid.as_raw()).is_some_and(|it| it.is_stopped());
        // `fg` continues the whole group, CMD included; a second SIGCONT would run its handler
        // twice.
        if signal == libc::SIGCONT && !stopped() {
            return;
        }
        // It may have ended in between; it is not reaped, so the number is still its own.
        let _ = sys::kill(self.command.pid, signal);
    }

    /// A front that was killed takes CMD with it; one that has ended as CMD had changes nothing.
    fn on_front_gone(&mut self) {
        self.front = Front::Gone;
        if let Some(saved) = self.prompting.take() {
            saved.restore(self.group);
        }
        if self.end.is_none() {
            let _ = sys::kill(self.command.pid, libc::SIGKILL);
        }
        self.leave_terminal();
    }

    fn check_start(&mut self) -> io::Result<()> {
        let mut fds = [PollFd::new(self.command.failure.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::ZERO)? == 0 {
            return Ok(());
        }
        self.starting = false;
        let Some(errno) = self.command.failure() else {
            return Ok(());
        };
        let status = match errno {
            Errno::ENOENT => Exit::NotFound,
            _ => Exit::CannotStart,
        };
        let program = self.start.command.argv.first().cloned().unwrap_or_default();
        self.start.link.send(&ToFront::Failed {
            text: format!(
                "cannot start {}: {}",
                hallpass_session::escape::escape(&program.to_string_lossy(), 200),
                errno.desc()
            ),
            status: status.code(),
        })
    }

    /// True when no process of the program is left.
    fn reap(&mut self) -> io::Result<bool> {
        let any = Pid::from_raw(-1);
        let mut ended = None;
        let gone = loop {
            match reap::next(any) {
                Reaped::Quiet => break false,
                Reaped::NoChild => break true,
                Reaped::Child(pid, change) if pid == self.command.pid => match change {
                    Change::Ended(end) => ended = Some(end),
                    Change::Stopped(signal) => self.on_stopped(signal)?,
                    Change::Continued => self.on_continued()?,
                },
                Reaped::Child(..) => {}
            }
        };
        if let Some(end) = ended {
            self.on_command_end(end, gone)?;
        }
        Ok(gone)
    }

    fn on_stopped(&mut self, signal: i32) -> io::Result<()> {
        if self.prompting.is_some() && self.front == Front::There {
            // The front may have just said that it no longer asks.
            self.read_link()?;
        }
        let command = self.command.pid.as_raw();
        let to_ask = |saved: &terminal::Saved| saved.stopped.contains(&command);
        if self.prompting.as_ref().is_some_and(to_ask) {
            return Ok(());
        }
        self.continue_again = None;
        self.start.link.send(&ToFront::Stopped(signal))
    }

    fn on_continued(&mut self) -> io::Result<()> {
        if self.prompting.is_some() || self.front == Front::Gone {
            return Ok(());
        }
        self.start.link.send(&ToFront::Continued)?;
        self.continue_front();
        Ok(())
    }

    /// Whoever continued CMD alone finds the front going on as well. The front may be just about
    /// to stop itself, so this is said again until it is heard.
    fn continue_front(&mut self) {
        let _ = sys::kill(self.start.front, libc::SIGCONT);
        self.continue_again = Some(Instant::now() + CONTINUE_AGAIN);
    }

    fn on_command_end(&mut self, end: End, gone: bool) -> io::Result<()> {
        if self.starting {
            // It may be that it never was CMD.
            self.check_start()?;
        }
        let end = if self.deadline.has_passed() {
            End::TimedOut
        } else {
            end
        };
        self.end = Some(end);
        self.continue_again = None;
        self.role.command_ended(end);
        if !self.start.wait {
            if gone {
                // So that nothing of this run is left when the caller goes on.
                self.role.finish(true);
            }
            self.leave_terminal();
        }
        self.start.link.send(&ToFront::Ended {
            end,
            leaves: !gone,
            totals: self.role.totals(),
        })
    }

    /// Background processes outlive CMD, and so does the session: without a terminal, as a
    /// daemon would. A group's leader cannot do that, so it joins the front's group first.
    fn leave_terminal(&self) {
        if setpgid(Pid::from_raw(0), self.group).is_ok() {
            // Fails only for a group's leader, which it is not.
            let _ = setsid();
        }
    }

    fn all_gone(&mut self, nothing_left: bool) -> io::Result<()> {
        self.role.finish(nothing_left);
        self.start.link.send(&ToFront::AllGone {
            timed_out: self.start.wait && self.deadline.has_passed(),
            totals: self.role.totals(),
            trouble: self.role.take_trouble(),
        })
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self.continue_again.is_some_and(|at| at <= now) {
            self.continue_front();
        }
        match self
            .deadline
            .step(now, self.end.is_some() && !self.start.wait)
        {
            Some(Step::Terminate) => {
                self.role.refuse_waiting(Fallback::RunTimeout);
                self.signal_targets(libc::SIGTERM);
                self.signal_targets(libc::SIGCONT);
            }
            Some(Step::Kill) => self.signal_targets(libc::SIGKILL),
            None => {}
        }
    }

    /// Signals CMD and those of its processes that are in its group, and where the front waits
    /// for all of them, all. Never the group itself: the caller's own processes may be in it.
    ///
    /// Parents first, or a shell whose child has ended starts the next one before its own turn;
    /// and again for those that were started while we looked.
    fn signal_targets(&self, signal: i32) {
        const ROUNDS: u32 = 8;
        let me = getpid().as_raw();
        let group =
            Process::of(self.command.pid.as_raw()).map_or(self.group.as_raw(), |it| it.group);
        let mut signalled = HashSet::new();
        for _ in 0..ROUNDS {
            let table = Table::read();
            let mut targets = table.select(|process| {
                (self.start.wait || process.group == group)
                    && !signalled.contains(&process.pid)
                    && table.descends(process.pid, me)
            });
            if targets.is_empty() {
                return;
            }
            targets.sort_by_cached_key(|target| table.ancestors(target.pid).len());
            for target in targets {
                // It may have ended in between.
                let _ = sys::kill(Pid::from_raw(target.pid), signal);
                signalled.insert(target.pid);
            }
        }
    }
}
