//! `hallpass run` inside a session: it joins that session, and narrows it for what it starts.
//!
//! It is two processes like any other run. Its session process decides nothing: it hands its rules
//! to the session that it is in, and then only keeps what it starts (a *keeper*): it stays until
//! the last of them has ended, whatever becomes of its front.

mod channel;
mod flags;
mod keeper;
mod surroundings;

pub(super) use channel::Channel;
pub(super) use flags::plan;
pub(super) use keeper::{Joined, Plan};
pub(super) use surroundings::{Surroundings, surroundings};
