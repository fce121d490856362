//! The control socket: whatever is not a target talks to a session here.

mod answer;
mod controlled;
pub mod protocol;

pub use controlled::{About, Controlled, Outlet};
