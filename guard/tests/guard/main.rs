//! The guard against real processes: what it allows works as if it were not there, what it denies
//! reaches nobody, and nothing that a program does to itself makes a difference.
//!
//! All of it runs as whoever runs the tests, and, where that is root, once more as nobody.
#![cfg(target_os = "linux")]
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used
)]

mod allowed;
mod closed;
mod denied;
mod devious;
mod held;
mod killed;
mod made;
mod nobody;
mod programs;
mod reports;
mod rights;
mod support;
