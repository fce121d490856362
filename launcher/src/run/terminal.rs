//! The terminal as it was before a question, so that the session can put it back should the
//! front die while it asks.

use crate::sys;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, tcgetpgrp, tcsetpgrp};
use std::fs::{File, OpenOptions};

/// What to put back.
#[derive(Debug)]
pub(super) struct Saved {
    terminal: Option<(File, Termios, Pid)>,
    /// Processes that were stopped in order to ask, in the order they were stopped in.
    pub(super) stopped: Vec<i32>,
}

impl Saved {
    /// Notes the settings and the foreground group of the controlling terminal. Where there is
    /// none, there is nothing to put back.
    pub(super) fn take() -> Self {
        let read = || {
            let terminal = OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/tty")
                .ok()?;
            let settings = tcgetattr(&terminal).ok()?;
            let foreground = tcgetpgrp(&terminal).ok()?;
            Some((terminal, settings, foreground))
        };
        Self {
            terminal: read(),
            stopped: Vec::new(),
        }
    }

    /// Puts it all back. SIGTTOU is blocked in the session, so a background group may do that.
    /// Not where the terminal is no longer with `asker`, the group that asked: the caller's shell
    /// was quicker, and has set it up for itself.
    pub(super) fn restore(self, asker: Pid) {
        if let Some((terminal, settings, foreground)) = self.terminal
            && tcgetpgrp(&terminal) == Ok(asker)
        {
            // A terminal that has gone away in between needs nothing.
            let _ = tcsetattr(&terminal, SetArg::TCSANOW, &settings);
            let _ = tcsetpgrp(&terminal, foreground);
        }
        // Children first: a shell must find its job running again.
        for pid in self.stopped.into_iter().rev() {
            let _ = sys::kill(Pid::from_raw(pid), libc::SIGCONT);
        }
    }
}
