//! A pipeline with good and evil packages: registries for npm, pip and cargo on loopback, packages
//! whose install scripts do what real ones do, and packages whose scripts do what they should not.
//! `hallpass learn` sees the good ones; what it wrote then meets the evil ones.
//!
//! Every case runs in a network and with a name server of its own ([`alone`]), so whatever gets
//! out of a package arrives at a server of the test, which counts it, or nowhere.

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

#[allow(dead_code, reason = "the transparency suite uses all of it")]
#[path = "../transparent/server.rs"]
mod server;

mod alone;
mod findings;
mod tools;
mod world;

mod cargo;
mod npm;
mod pip;
mod readers;
mod round_trips;
