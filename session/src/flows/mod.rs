//! Live connections: which sockets the processes of a session have open, and how one is ended.
//!
//! What is open is the kernel's word at the time of asking, not ours: descriptors from
//! /proc/PID/fd, state and byte counts from the kernel's socket diagnostics (sock_diag(7)). So it
//! covers programs that no hook reaches, too. Nothing here is on the way of a decision.

mod descriptors;
mod diag;
mod end;
mod gather;
mod netlink;
mod numbers;
mod proc_net;
mod socket;
mod targets;

pub(crate) use end::Duplicate;
pub use gather::has_listener;
pub(crate) use gather::{Found, Picture};
pub(crate) use numbers::Numbers;
pub(crate) use socket::{Socket, Stage};

/// How many of the processes that share a socket are named.
pub const MAX_SHOWN_PIDS: usize = 16;
