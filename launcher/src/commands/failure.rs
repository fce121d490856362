//! How a command ends when it does not end well.

use crate::exit::Exit;
use crate::say::say;
use hallpass_session::problem::Problem;
use std::io;
use std::process::ExitCode;

/// What a command comes to.
pub(crate) type Outcome = Result<(), Failure>;

/// Why a command did not do what it was told.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something a person can put right.
    Problem(Problem),
    /// Nobody reads stdout any more (`hallpass events | head`): not our failure.
    NobodyReads,
    /// It has been said already, line by line.
    Said,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Problem(Problem {
                place: "stdout".to_owned(),
                what: format!("cannot be written to: {error}"),
                instead: String::new(),
            }),
        }
    }
}

/// Says what is to be said, and gives the status to end with.
pub(crate) fn end(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) | Err(Failure::NobodyReads) => Exit::Success.into(),
        Err(Failure::Problem(problem)) => {
            say(&problem.to_string());
            Exit::Ours.into()
        }
        Err(Failure::Said) => Exit::Ours.into(),
    }
}
