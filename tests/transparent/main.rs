//! Programs that nobody here wrote, and the nastiest fixtures we could think of, run in every
//! column of a table: bare, and under a session that allows everything. Nothing may differ that a
//! program, its caller or its server can see: what it prints, how it ends, the bytes it sends, the
//! descriptors it holds while it is connected.
//!
//! A difference that is known is listed in [`expected`], with its reason; a listed case that
//! passes fails the suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy.toml allows these in tests; helpers of tests it does not recognise"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "the suite's harness; it uses all of it"
)]
#[path = "../suite/harness/mod.rs"]
mod harness;

mod column;
mod expected;
mod seen;
mod server;

mod asked;
mod browser;
mod checked;
mod clients;
mod counts;
mod filtered;
mod nasty;
mod packages;
mod preloads;
mod probes;
mod services;
mod spaces;
mod starting;
mod suites;
mod unhooked;
mod unreached;
