//! The front process: what our caller started and waits for. It stays in the caller's process
//! group, so that the terminal signals CMD without any code, and does what CMD does: it stops
//! when CMD stops and ends as CMD ends.

mod ending;

use super::client::Client;
use super::link::{End, Link, Received, ToFront, ToSession};
use super::reap::{self, Change, Reaped};
use super::totals::Totals;
use super::{forward, signals};
use crate::exit::Exit;
use crate::say::say;
use crate::sys;
use hallpass_session::{paths, runtime_dir};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a CMD that a stop signal has reached may take to be seen stopped.
const STOPS_BY_ITSELF: Duration = Duration::from_millis(30);

/// What the front needs to follow a session.
pub(super) struct Follow {
    /// The front's end of the private channel.
    pub(super) link: Link,
    /// The session, a child.
    pub(super) session: Pid,
    /// Stay until the last process of the program has ended.
    pub(super) wait: bool,
    /// Whether the guard decides.
    pub(super) guard: bool,
    /// Whether another session decides, which goes on when this one is lost.
    pub(super) nested: bool,
    /// `--fail-on-block`.
    pub(super) fail_on_block: Option<u8>,
    /// Where reports leave what is for stderr; none where no report is wanted.
    pub(super) printed: Option<File>,
    /// Whether what was refused is counted in a last line.
    pub(super) tells_totals: bool,
    /// Whether what was refused is also named.
    pub(super) names_refused: bool,
    /// Who prints decisions and asks; connected once the session is ready.
    pub(super) client: Client,
}

/// Follows the session to the end and ends as CMD has.
pub(super) fn main(follow: Follow) -> ExitCode {
    let followed = Front::new(follow).and_then(|mut front| {
        front.follow()?;
        front.finish()
    });
    match followed {
        Ok(code) => code,
        Err(error) => {
            say(&format!("the front failed: {error}"));
            Exit::Ours.into()
        }
    }
}

struct Front {
    follow: Follow,
    signals: SignalFd,
    /// CMD, once it has been forked.
    command: Option<Pid>,
    /// CMD is stopped by this signal, and the front has not stopped itself yet.
    stop: Option<i32>,
    /// A stop signal for CMD that may have reached it already, and when to forward it if not.
    stop_to_forward: Option<(i32, Instant)>,
    /// The session said why CMD could not be started.
    failed: Option<u8>,
    end: Option<End>,
    /// CMD has ended and processes of its own are left.
    leaves: bool,
    /// A person no longer wants to wait for what CMD has left behind.
    has_given_up: bool,
    /// Calls, as far as the session has said.
    totals: Totals,
    /// A report that was wanted is not there.
    lacks_report: bool,
    session: SessionState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionState {
    /// It follows CMD.
    Serving,
    /// It has said that nothing is left.
    Done,
    /// It was killed; CMD is a child of the front now.
    Lost,
}

impl Front {
    fn new(follow: Follow) -> io::Result<Self> {
        Ok(Self {
            follow,
            signals: signals::descriptor()?,
            command: None,
            stop: None,
            stop_to_forward: None,
            failed: None,
            end: None,
            leaves: false,
            has_given_up: false,
            totals: Totals::default(),
            lacks_report: false,
            session: SessionState::Serving,
        })
    }

    fn follow(&mut self) -> io::Result<()> {
        loop {
            self.wait_for_something()?;
            while let Some(info) = self.signals.read_signal()? {
                self.on_signal(&info)?;
            }
            match self.session {
                SessionState::Serving => self.read_link()?,
                SessionState::Lost => self.reap(),
                SessionState::Done => {}
            }
            self.forward_stop()?;
            self.follow.client.step(&self.follow.link)?;
            if self.is_over() {
                return Ok(());
            }
            if let Some(signal) = self.stop.take() {
                self.stop_self(signal)?;
            }
        }
    }

    fn wait_for_something(&self) -> io::Result<()> {
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if self.session == SessionState::Serving {
            fds.push(PollFd::new(self.follow.link.as_fd(), PollFlags::POLLIN));
        }
        for fd in self.follow.client.descriptors() {
            fds.push(PollFd::new(fd, PollFlags::POLLIN));
        }
        let to_forward = self
            .stop_to_forward
            .map(|(_, at)| at.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
        let timeout = [self.follow.client.wakes_in(), to_forward]
            .into_iter()
            .flatten()
            .min()
            .map_or(PollTimeout::NONE, |left| {
                PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
            });
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn is_over(&self) -> bool {
        if self.has_given_up {
            return true;
        }
        match self.session {
            SessionState::Done => true,
            SessionState::Serving => {
                self.end.is_some() && !self.follow.wait && self.failed.is_none()
            }
            // Whatever CMD has left behind is refused from now on; there is nothing to wait for.
            SessionState::Lost => self.end.is_some() || self.command.is_none(),
        }
    }

    fn on_signal(&mut self, info: &nix::sys::signalfd::siginfo) -> io::Result<()> {
        let signal = info.ssi_signo.cast_signed();
        if signal == libc::SIGWINCH {
            self.follow.client.terminal_resized();
        }
        if signal == libc::SIGCONT {
            self.stop_to_forward = None;
        }
        let ends = matches!(
            signal,
            libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM
        );
        if ends && self.end.is_some() {
            // CMD is gone; what is left may be out of reach of the terminal. Whoever does not want
            // to wait for it any longer must be able to say so.
            self.end = Some(End::Signaled(signal));
            self.has_given_up = true;
            return Ok(());
        }
        if !forward::is_for_command(info, self.follow.session) {
            return Ok(());
        }
        if matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) {
            self.stop_to_forward = Some((signal, Instant::now() + STOPS_BY_ITSELF));
            return Ok(());
        }
        self.signal_command(signal)
    }

    /// A stop that was meant for the whole group has stopped CMD by now; sent to it late it could
    /// stop a CMD that was continued in between.
    fn forward_stop(&mut self) -> io::Result<()> {
        match self.stop_to_forward {
            Some((signal, at)) if at <= Instant::now() => {
                self.stop_to_forward = None;
                self.signal_command(signal)
            }
            _ => Ok(()),
        }
    }

    fn signal_command(&self, signal: i32) -> io::Result<()> {
        match (self.session, self.command) {
            (SessionState::Serving, Some(_)) => self.follow.link.send(&ToSession::Signal(signal)),
            (_, Some(command)) if self.end.is_none() => {
                // A child that is not reaped yet: the number is still its own.
                let _ = sys::kill(command, signal);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read_link(&mut self) -> io::Result<()> {
        while self.session == SessionState::Serving {
            match self.follow.link.receive()? {
                Received::Message(message) => self.on_message(message)?,
                Received::Nothing => return Ok(()),
                Received::Closed => self.on_session_lost(),
            }
        }
        Ok(())
    }

    fn on_message(&mut self, message: ToFront) -> io::Result<()> {
        match message {
            ToFront::Failed { text, status } => {
                self.follow.client.say(&text);
                self.failed = Some(status);
            }
            ToFront::Ready { dir, command } => {
                self.command = Some(Pid::from_raw(command));
                let connected = dir.map_or(Ok(()), |dir| {
                    self.follow.client.connect(&dir, self.follow.session)
                });
                match connected {
                    Ok(()) => self.follow.link.send(&ToSession::Go)?,
                    // CMD must not run where nobody could say what becomes of its connections.
                    Err(text) => {
                        say(&text);
                        self.failed = Some(Exit::Ours.code());
                        self.follow.link.send(&ToSession::Signal(libc::SIGKILL))?;
                    }
                }
            }
            ToFront::Stopped(signal) => {
                self.stop = Some(signal);
                self.stop_to_forward = None;
            }
            ToFront::Continued => {
                self.stop = None;
                self.follow.link.send(&ToSession::ContinueSeen)?;
            }
            ToFront::Ended {
                end,
                leaves,
                totals,
            } => {
                self.end = Some(end);
                self.leaves = leaves;
                self.totals = totals;
            }
            ToFront::AllGone {
                timed_out,
                totals,
                trouble,
            } => {
                if timed_out {
                    self.end = Some(End::TimedOut);
                }
                self.totals = totals;
                for line in trouble {
                    self.lacks_report = true;
                    self.follow.client.say(&line);
                }
                self.session = SessionState::Done;
            }
            ToFront::PromptAck => self.follow.client.terminal_saved(&self.follow.link)?,
        }
        Ok(())
    }

    /// The front is a subreaper as well: CMD is its child now, and its status is not lost.
    fn on_session_lost(&mut self) {
        self.session = SessionState::Lost;
        // Its end of the channel closes before its children are handed over.
        self.reap_session();
        self.follow.client.close(&self.follow.link, false);
        if self.failed.is_none() {
            // Without the guard the hook makes calls on its own that it has been allowed.
            say(if self.command.is_none() {
                "the session was killed before CMD was started"
            } else if self.follow.nested {
                "the process that keeps this nested run was killed; CMD goes on, under its rules"
            } else if self.follow.guard {
                "the session was killed; CMD goes on, and each of its connections fails (ENOSYS)"
            } else {
                "the session was killed; CMD goes on, and each of its connections that is not decided yet is refused"
            });
        }
        // Also where it had no time to say which directory it has.
        let bases = runtime_dir::bases(&paths::environment);
        runtime_dir::remove(&bases, self.follow.session.as_raw().cast_unsigned());
        self.reap();
    }

    /// Waits for a session that is ending.
    fn reap_session(&self) {
        while !matches!(
            nix::sys::wait::waitpid(self.follow.session, None),
            Ok(_) | Err(Errno::ECHILD)
        ) {}
    }

    fn reap(&mut self) {
        let Some(command) = self.command else {
            return;
        };
        loop {
            match reap::next(command) {
                Reaped::Child(_, Change::Ended(end)) => self.end = Some(end),
                Reaped::Child(_, Change::Stopped(signal)) => self.stop = Some(signal),
                Reaped::Child(_, Change::Continued) => self.stop = None,
                Reaped::Quiet => return,
                Reaped::NoChild => {
                    // Reaped by the session, which then had no time to tell.
                    if self.end.is_none() {
                        self.failed = Some(Exit::Ours.code());
                        self.end = Some(End::Exited(Exit::Ours.code().into()));
                    }
                    return;
                }
            }
        }
    }

    /// Stops as CMD has, so that the caller's shell sees what it would see without us.
    fn stop_self(&mut self, signal: i32) -> io::Result<()> {
        let raised = Signal::try_from(signal)
            .ok()
            .filter(|signal| !sys::is_ignored(*signal))
            .unwrap_or(Signal::SIGSTOP);
        self.follow
            .client
            .stop(&self.follow.link, || signals::stop_by(raised))
    }
}
