//! `--timeout`: when to end the program, and when to insist. No clock and no signal in here.

use std::time::{Duration, Instant};

/// How long after SIGTERM follows SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The time is over: ask the program to end.
    Terminate,
    /// It has not ended in time: kill it.
    Kill,
}

/// The state of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// No `--timeout`, or all has been done.
    Never,
    /// The program may run until then.
    Running(Instant),
    /// It was asked to end and has until then.
    Ending(Instant),
    /// It was killed.
    Killed,
}

impl Deadline {
    /// A program that may run until `at`.
    pub(super) fn new(at: Option<Instant>) -> Self {
        at.map_or(Self::Never, Self::Running)
    }

    /// When to look again.
    pub(super) fn next(self) -> Option<Instant> {
        match self {
            Self::Running(at) | Self::Ending(at) => Some(at),
            Self::Never | Self::Killed => None,
        }
    }

    /// True once the time was over while the program ran.
    pub(super) fn has_passed(self) -> bool {
        matches!(self, Self::Ending(_) | Self::Killed)
    }

    /// What is to be done at `now`; `ended` where nobody waits for the program any more.
    pub(super) fn step(&mut self, now: Instant, ended: bool) -> Option<Step> {
        match *self {
            _ if ended => {
                // What it was asked before it ended stays known.
                if let Self::Running(_) = *self {
                    *self = Self::Never;
                } else if let Self::Ending(_) = *self {
                    *self = Self::Killed;
                }
                None
            }
            Self::Running(at) if at <= now => {
                *self = Self::Ending(now + GRACE);
                Some(Step::Terminate)
            }
            Self::Ending(at) if at <= now => {
                *self = Self::Killed;
                Some(Step::Kill)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadline, GRACE, Step};
    use std::time::{Duration, Instant};

    #[test]
    fn asks_then_kills_once_each() {
        let start = Instant::now();
        let end = start + Duration::from_secs(1);
        let mut deadline = Deadline::new(Some(end));
        assert_eq!(deadline.step(start, false), None);
        assert!(!deadline.has_passed());
        assert_eq!(deadline.step(end, false), Some(Step::Terminate));
        assert!(deadline.has_passed());
        assert_eq!(deadline.step(end, false), None);
        assert_eq!(deadline.step(end + GRACE, false), Some(Step::Kill));
        assert_eq!(deadline.step(end + GRACE * 2, false), None);
        assert_eq!(deadline.next(), None);
    }

    #[test]
    fn a_program_that_ended_is_left_alone() {
        let start = Instant::now();
        let mut deadline = Deadline::new(Some(start));
        assert_eq!(deadline.step(start, true), None);
        assert!(!deadline.has_passed());
        assert_eq!(deadline.step(start + GRACE, false), None);
    }
}
