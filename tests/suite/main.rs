//! The suite: hallpass as a person and a script use it, end to end, with real programs.
//!
//! Every case has a home of its own, talks to loopback only and is a few lines long. What a case
//! claims is checked where it counts: at the listener (did anything arrive?) and at the program
//! (what did it see?), not in what hallpass says of itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy.toml allows these in tests; helpers of tests it does not recognise"
)]

mod harness;

mod brokers;
mod canonical;
mod containers;
mod coverage;
mod doctor;
mod exits;
mod flows;
mod guarded;
mod held_look_ups;
mod hold;
mod hostile;
mod identity;
mod inspect;
mod killed;
mod learn;
mod leaving;
mod lifetime;
mod lists;
mod liveness;
mod load;
mod names;
mod nested;
mod nested_escapes;
mod package;
mod privileges;
mod programs;
mod prompt;
mod report;
mod requests;
mod rules;
mod shell;
mod terminal;
mod transparent;
mod udp;
mod wrap;
