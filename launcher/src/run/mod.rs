//! `hallpass run`: starts a program under a session and ends as the program ends.

use std::process::ExitCode;

pub(crate) mod args;
mod span;

/// Runs the command and tells the status to end with.
pub(crate) fn main(args: &args::RunArgs) -> ExitCode {
    let _ = args.waits_for_all();
    crate::exit::Exit::Ours.into()
}
