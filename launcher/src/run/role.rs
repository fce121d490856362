//! What the session process does besides following processes: it decides, or, inside another
//! session, it keeps what a nested run has started.

use super::command::{Command, Started};
use super::engine::{Bound, Engine, Plan};
use super::link::{End, ToFront};
use super::nested;
use super::session::Start;
use super::totals::Totals;
use hallpass_guard::{Granted, Listener};
use hallpass_session::control::SESSION_THREAD;
use hallpass_session::verdict::Fallback;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::Pid;

/// What is to be done.
pub(super) enum Task {
    /// Decide.
    Decide(Box<Plan>),
    /// Join the session around, and keep.
    Keep(nested::Plan),
}

/// What is made before CMD is started.
pub(super) enum Prepared {
    Decide(Box<Bound>),
    Keep(nested::Joined),
}

/// What CMD was started under.
pub(super) enum Under {
    Decide(Box<Bound>, Option<(Listener, Granted)>),
    Keep(nested::Joined),
}

/// What is done.
pub(super) enum Role {
    Decides(Box<Engine>),
    Keeps(nested::Joined),
}

impl Task {
    /// Makes what CMD must find when it starts.
    pub(super) fn prepare(self) -> Result<Prepared, String> {
        let step = |what: &'static str| move |error: Errno| format!("{what}: {}", error.desc());
        match self {
            Self::Decide(plan) => {
                hide()?;
                prctl::set_name(SESSION_THREAD).map_err(step("cannot take a session's name"))?;
                Ok(Prepared::Decide(Box::new(plan.bind()?)))
            }
            Self::Keep(plan) => Ok(Prepared::Keep(plan.join()?)),
        }
    }
}

impl Prepared {
    /// Forks CMD.
    pub(super) fn start(self, start: &Start, group: Pid) -> Result<(Under, Started), String> {
        match self {
            Self::Decide(bound) => {
                let mut command = start.command.clone();
                bound.prepare(&mut command)?;
                let (guard, started) = start_command(&command, group, start)?;
                Ok((Under::Decide(bound, guard), started))
            }
            Self::Keep(joined) => {
                let started = joined.start(&start.command, group, &start.mask)?;
                // Only now: the guard has read from its memory what it had to say.
                hide()?;
                Ok((Under::Keep(joined), started))
            }
        }
    }
}

/// Keeps this process's memory from others of its user.
fn hide() -> Result<(), String> {
    prctl::set_dumpable(false)
        .map_err(|error| format!("cannot become undumpable: {}", error.desc()))
}

/// Forks CMD, under the guard's filter where there is to be one.
fn start_command(
    command: &Command,
    group: Pid,
    start: &Start,
) -> Result<(Option<(Listener, Granted)>, Started), String> {
    if !start.guard {
        let started = command.start(group, &start.mask);
        let started = started.map_err(|error| format!("cannot start a process: {error}"))?;
        return Ok((None, started));
    }
    let installed = hallpass_guard::install(|| command.start(group, &start.mask));
    let (listener, granted, started) =
        installed.map_err(|error| super::guard::cannot_install(&error))?;
    Ok((Some((listener, granted)), started))
}

impl Under {
    /// Begins; from here on there may be threads.
    pub(super) fn serve(self, start: &Start, command: Pid) -> Result<Role, String> {
        match self {
            Self::Decide(bound, guard) => {
                let engine =
                    bound.serve(&start.command.argv, command.as_raw().cast_unsigned(), guard)?;
                Ok(Role::Decides(Box::new(engine)))
            }
            Self::Keep(joined) => Ok(Role::Keeps(joined)),
        }
    }
}

impl Role {
    /// What the front hears before CMD runs.
    pub(super) fn ready(&self, command: Pid) -> ToFront {
        let dir = match self {
            Self::Decides(engine) => Some(engine.dir().to_path_buf()),
            Self::Keeps(_) => None,
        };
        ToFront::Ready {
            dir,
            command: command.as_raw(),
        }
    }

    /// CMD has ended; its background processes may go on.
    pub(super) fn command_ended(&self, end: End) {
        if let Self::Decides(engine) = self {
            engine.command_ended(end);
        }
    }

    /// `--timeout` ends the program: nothing waits for an answer any more. What a nested run holds
    /// goes with its processes.
    pub(super) fn refuse_waiting(&self, reason: Fallback) {
        if let Self::Decides(engine) = self {
            engine.refuse_waiting(reason);
        }
    }

    /// Calls so far; of a nested run only once it is over.
    pub(super) fn totals(&self) -> Totals {
        match self {
            Self::Decides(engine) => engine.totals(),
            Self::Keeps(joined) => joined.totals(),
        }
    }

    /// Reports that could not be written.
    pub(super) fn take_trouble(&mut self) -> Vec<String> {
        match self {
            Self::Decides(engine) => engine.take_trouble(),
            Self::Keeps(_) => Vec::new(),
        }
    }

    /// Ends it; `nothing_left`: no process of the program is there any more.
    pub(super) fn finish(&mut self, nothing_left: bool) {
        match self {
            Self::Decides(engine) => engine.finish(),
            Self::Keeps(joined) if nothing_left => joined.leave(),
            // What is left keeps its rules without its keeper.
            Self::Keeps(_) => {}
        }
    }
}
