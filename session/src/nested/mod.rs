//! `hallpass run` inside a session: it joins the session, with rules that narrow what its own
//! processes may do, and never widen it.
//!
//! [`Narrowing`] is what it brings, [`runs::Runs`] knows which processes are its own, and the
//! engine combines the rules ([`crate::engine`]). Any process of the session may send one, for
//! itself and what it starts: everything is bounded, and nothing that it says opens anything.

mod narrowing;
pub(crate) mod runs;
mod serve;

pub use narrowing::{Narrowing, RULES_MAX};

/// A nested run, as the session numbers them; never given twice.
pub type RunId = u64;
