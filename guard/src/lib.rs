//! The guard: no way out of a program past whoever decides, be it static, Go, or hostile.
//!
//! A seccomp filter, inherited by all that the program starts, tells this process of every call
//! that could reach another machine ([`install`]). The [`Supervisor`] copies the address once, has
//! the copy decided ([`Decide`]), and makes the call itself, with the copy, on its own duplicate of
//! the caller's socket. Whatever the program does to its memory meanwhile changes nothing.
//!
//! It must never let the kernel make such a call on an IP socket (`proceed.rs` is the only place
//! that lets any be made), never let one call delay another, and never let anything pass because
//! something of ours went wrong. It knows no engine, no policy and no names.
#![cfg(target_os = "linux")]

mod address;
mod answer;
mod call;
mod closed;
mod copies;
mod decide;
mod filter;
mod listener;
mod mark;
mod proceed;
mod rights;
mod roles;
mod signals;
mod socket;
mod supervisor;
mod sys;
mod target;
mod task;
mod waiting;
mod yama;

pub use decide::{
    Call, CallKind, Caller, Decide, Destination, Protocol, REPORT_MAX, Refusal, Reply, Verdict,
    Withdraw, Withdrawn,
};
pub use listener::{Granted, InstallError, Listener, install};
pub use mark::{MarkError, mark};
pub use supervisor::Supervisor;
pub use yama::ptrace_scope;
