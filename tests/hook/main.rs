//! The hook by itself: C fixtures under it, and a session that answers by script.
//!
//! Every fixture that can runs bare as well, and must print the same wherever calls are allowed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test stops where it fails, and says what it leaves out"
)]

mod fixture;
mod session;

mod exports;
mod hostile;
mod messages;
mod names;
mod places;
mod programs;
mod refusals;
mod same;
mod signals;
