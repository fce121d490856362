//! The control socket: whatever is not a target talks to a session here (docs/control.md).

mod answer;
pub mod client;
mod connection;
mod controlled;
mod fitting;
mod lines;
mod live;
mod outbox;
mod peer;
pub mod protocol;
mod request;
pub mod server;

#[cfg(test)]
mod tests;

pub use controlled::{About, Controlled, Outlet, Wants};
pub(crate) use outbox::weight;
pub use peer::SESSION_THREAD;
