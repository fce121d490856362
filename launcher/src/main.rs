//! `hallpass`: starts a program and lets a person or a policy decide its connections.
//!
//! Data flows in this order: [`cli`] parses what the person typed; [`run`] starts the front and
//! the session and follows the program to its end; [`prompt`] asks on the terminal. The other
//! [`commands`] speak to running sessions and edit the saved rules.
//!
//! This crate must never decide a connection itself, and never link a GUI.

use std::process::ExitCode;

mod cli;
mod commands;
mod exit;
mod procs;
mod prompt;
mod report;
mod run;
mod say;
mod sys;

fn main() -> ExitCode {
    cli::main()
}
