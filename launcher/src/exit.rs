//! How `hallpass` ends: its own exit statuses, in one place.

use std::process::ExitCode;

/// Exit statuses that are hallpass's own; any other status is the started program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// What was asked for was done.
    Success = 0,
    /// `hallpass doctor`: something is missing.
    Lacking = 1,
    /// `--fail-on-block` without a status, where CMD said 0 although a connection was refused.
    Blocked = 111,
    /// `--timeout` ended CMD, as with timeout(1).
    TimedOut = 124,
    /// hallpass itself failed or was used wrongly, as with env(1) and timeout(1).
    Ours = 125,
    /// CMD was found but could not be started, as with env(1).
    CannotStart = 126,
    /// CMD was not found, as with env(1).
    NotFound = 127,
}

impl Exit {
    /// The status as a number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
