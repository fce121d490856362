//! One call from its arrival to its answer.

use crate::answer::Answer;
use crate::call::Work;
use crate::decide::{CallKind, Destination, Slot, Withdraw, Withdrawn};
use crate::listener::Notification;
use crate::socket::Socket;
use crate::sys::socket as sys;
use crate::target::Target;
use nix::errno::Errno;
use std::cell::Cell;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) notification: Notification,
    pub(crate) target: Arc<Target>,
    pub(crate) job: Job,
    /// Asks again after a signal handler.
    pub(crate) resumed: bool,
    pub(crate) begun: Instant,
    pub(crate) held: Option<Held>,
    /// The same call was held before a stop of its process: it waits for the same verdict.
    pub(crate) parked: Option<Held>,
    /// From SO_SNDTIMEO, once the call has had to wait.
    pub(crate) timeout: Option<Timeout>,
    /// When to try again where nothing tells.
    pub(crate) again: Option<Instant>,
    /// Registered with the poller.
    pub(crate) polled: bool,
    /// See [`crate::call::Context::is_sure`].
    pub(crate) is_sure: Cell<bool>,
}

/// What is done for a call.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are calls to make, and each saves an allocation"
)]
pub(crate) enum Job {
    /// It is made in its caller's place, on its own socket.
    Make {
        kind: CallKind,
        socket: Socket,
        work: Work,
    },
    /// A hook has said this, on no socket: there is nothing to make.
    Report(Arc<[u8]>),
}

/// What a verdict is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    Destination(Destination),
    Report(Arc<[u8]>),
}

/// A verdict is awaited.
pub(crate) struct Held {
    pub(crate) matter: Matter,
    pub(crate) slot: Arc<Slot>,
    pub(crate) withdraw: Option<Withdraw>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Timeout {
    Never,
    At(Instant),
}

impl Held {
    /// Tells whoever decides that nobody waits any more.
    pub(crate) fn withdraw(self, why: Withdrawn) {
        if self.slot.answered().is_none()
            && let Some(withdraw) = self.withdraw
        {
            withdraw(why);
        }
    }
}

impl Job {
    /// The answer where SO_SNDTIMEO has run out.
    pub(crate) fn timed_out(&self) -> Answer {
        match self {
            Self::Make { work, .. } => work.timed_out(),
            Self::Report(_) => Answer::Error(Errno::EINTR),
        }
    }

    /// The answer where a signal comes first. `exact`: the kernel is sure to look at it. A hook
    /// that is told EINTR reports again.
    pub(crate) fn interrupted(&self, has_timeout: bool, exact: bool) -> Answer {
        match self {
            Self::Make { work, .. } => work.interrupted(has_timeout, exact),
            Self::Report(_) if exact => Answer::Restart,
            Self::Report(_) => Answer::Error(Errno::EINTR),
        }
    }
}

impl Task {
    /// Reads SO_SNDTIMEO, once.
    pub(crate) fn read_timeout(&mut self) {
        if self.timeout.is_some() {
            return;
        }
        let timeout = match &self.job {
            Job::Make { socket, .. } => sys::send_timeout(socket.as_fd()).ok(),
            Job::Report(_) => None,
        };
        let timeout = timeout.and_then(duration);
        self.timeout = Some(timeout.map_or(Timeout::Never, |it| Timeout::At(self.begun + it)));
    }

    pub(crate) fn has_timeout(&self) -> bool {
        matches!(self.timeout, Some(Timeout::At(_)))
    }

    /// When it must be looked at without anything having happened.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let deadline = match self.timeout {
            Some(Timeout::At(at)) => Some(at),
            Some(Timeout::Never) | None => None,
        };
        [deadline, self.again].into_iter().flatten().min()
    }

    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        matches!(self.timeout, Some(Timeout::At(at)) if at <= now)
    }

    /// It waits from now on.
    pub(crate) fn put_down(&mut self) {
        self.is_sure.set(false);
        if let Job::Make { work, .. } = &mut self.job {
            work.put_down();
        }
    }

    /// Tells whoever decides that nobody waits any more.
    pub(crate) fn withdraw(&mut self, why: Withdrawn) {
        for held in [self.held.take(), self.parked.take()].into_iter().flatten() {
            held.withdraw(why);
        }
    }
}

fn duration(value: libc::timeval) -> Option<Duration> {
    let seconds = u64::try_from(value.tv_sec).ok()?;
    let micros = u64::try_from(value.tv_usec).ok()?;
    let duration = Duration::from_secs(seconds).checked_add(Duration::from_micros(micros))?;
    // Longer than any clock runs.
    const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
    (!duration.is_zero() && duration < FOREVER).then_some(duration)
}
