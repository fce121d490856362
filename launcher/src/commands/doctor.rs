//! `hallpass doctor`: what will work here, and what to do where it won't. Nothing is guessed that
//! can be tried.

mod guard;
mod places;

use super::failure::{Failure, end};
use super::output::Output;
use crate::exit::Exit;
use crate::run::session_around;
use serde::Serialize;
use std::process::ExitCode;

/// Tell what will work here: the guard, the window, the terminal; ends with 1 where
/// `hallpass run` would not.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// How it is with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// `hallpass run` works; something is less than it could be.
    Note,
    /// `hallpass run` does not work.
    Missing,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Check {
    /// One word.
    check: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<String>,
}

impl Check {
    fn new(check: &'static str, state: State, found: impl Into<String>) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            instead: None,
        }
    }

    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Ok, found)
    }

    fn note(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Note, found)
    }

    fn missing(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Missing, found)
    }

    fn instead(mut self, instead: impl Into<String>) -> Self {
        self.instead = Some(instead.into());
        self
    }

    /// `ok       kernel      6.12.4`, and below it what to do.
    fn lines(&self) -> Vec<String> {
        let state = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Missing => "MISSING",
        };
        let mut lines = vec![format!("{state:<8} {:<11} {}", self.check, self.found)];
        let instead = self.instead.iter();
        lines.extend(instead.map(|instead| format!("{:<20} → {instead}", "")));
        lines
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Of hallpass.
    version: &'static str,
    /// Whether `hallpass run` works, guard included.
    works: bool,
    checks: &'a [Check],
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> ExitCode {
    let around = session_around();
    let mut checks = guard::checks(around.as_ref().ok().copied().flatten());
    checks.extend(session(&around));
    checks.extend(places::checks());
    let works = checks.iter().all(|check| check.state != State::Missing);
    match print(args, &checks, works).map_err(Failure::from) {
        Err(failure @ (Failure::Problem(_) | Failure::Said)) => end(Err(failure)),
        _ if works => Exit::Success.into(),
        _ => Exit::Lacking.into(),
    }
}

/// Where this already runs inside a session.
fn session(around: &Result<Option<bool>, String>) -> Option<Check> {
    match around {
        Ok(None) => None,
        Ok(Some(_)) => Some(Check::ok(
            "session",
            "this runs inside one; `hallpass run` joins it, and its rules narrow it",
        )),
        Err(why) => Some(match why.split_once("; ") {
            Some((why, instead)) => Check::missing("session", why).instead(instead),
            None => Check::missing("session", why),
        }),
    }
}

fn print(args: &DoctorArgs, checks: &[Check], works: bool) -> std::io::Result<()> {
    let mut output = Output::new();
    if args.json {
        output.json(&Report {
            version: env!("CARGO_PKG_VERSION"),
            works,
            checks,
        })?;
    } else {
        for line in checks.iter().flat_map(Check::lines) {
            output.line(&line)?;
        }
        output.line(match works {
            true => "`hallpass run -- CMD` works here",
            false => "`hallpass run -- CMD` does not work here as it is",
        })?;
    }
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_was_found() {
        let check = Check::missing("runtime", "no directory").instead("make one");
        assert_eq!(
            check.lines(),
            [
                "MISSING  runtime     no directory",
                "                     → make one"
            ]
        );
        assert_eq!(
            Check::ok("kernel", "6.12").lines(),
            ["ok       kernel      6.12"]
        );
    }
}
