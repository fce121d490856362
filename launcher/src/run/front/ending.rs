//! The front's end: what is printed last, who stays behind to ask, and CMD's status as its own.

use super::{Front, SessionState};
use crate::exit::Exit;
use crate::report::output::read_printed;
use crate::run::client::Client;
use crate::run::link::End;
use crate::run::{opener, signals, totals};
use crate::say;
use crate::say::say;
use std::io;
use std::process::ExitCode;

impl Front {
    /// Prints what the session has left for stderr.
    fn print_reports(&mut self) {
        let Some(printed) = &self.follow.printed else {
            return;
        };
        if self.session != SessionState::Done {
            self.lacks_report = true;
            say("the session did not end by itself, so there is no report");
            return;
        }
        match read_printed(printed) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => say::line(text.trim_end()),
            Err(error) => {
                self.lacks_report = true;
                say(&format!("a report cannot be read: {error}"));
            }
        }
    }

    /// Leaves somebody behind who opens a window for the questions of what is left. True in that
    /// process, which has then served its time.
    fn leaves_opener(&mut self) -> bool {
        if !self.leaves
            || self.session != SessionState::Serving
            || !self.follow.client.opens_windows()
        {
            return false;
        }
        opener::fork().unwrap_or_else(|errno| {
            let why = errno.desc();
            say(&format!(
                "no window will be opened for what CMD has left running: cannot start a process: {why}"
            ));
            false
        })
    }

    /// The only part that the opener needs; the rest is closed.
    fn into_client(self) -> Client {
        self.follow.client
    }

    pub(super) fn finish(mut self) -> io::Result<ExitCode> {
        self.follow
            .client
            .close(&self.follow.link, self.end.is_some());
        if self.session == SessionState::Done {
            // It has nothing left to do, and must not be left to a caller that reaps nobody.
            self.reap_session();
        }
        self.print_reports();
        if self.leaves_opener() {
            if let Some(handover) = self.into_client().hand_over() {
                opener::main(handover);
            }
            return Ok(Exit::Success.into());
        }
        if let Some(status) = self.failed {
            return Ok(ExitCode::from(status));
        }
        let is_blocked = self.totals.is_blocked();
        if is_blocked && self.follow.tells_totals {
            say(&totals::line(self.totals, self.follow.names_refused));
        }
        if self.end == Some(End::TimedOut) {
            say("the time of --timeout is over: the program was ended");
        }
        Ok(match self.end {
            None => Exit::Ours.into(),
            Some(End::TimedOut) => Exit::TimedOut.into(),
            Some(End::Exited(0)) if self.lacks_report => Exit::Ours.into(),
            Some(End::Exited(0)) if is_blocked => {
                ExitCode::from(self.follow.fail_on_block.unwrap_or(Exit::Success.code()))
            }
            Some(End::Exited(status)) => ExitCode::from(status.to_le_bytes()[0]),
            Some(End::Signaled(signal)) => signals::end_by(signal),
        })
    }
}
