//! The control socket: whatever is not a target talks to a session here.

mod answer;
pub mod protocol;
