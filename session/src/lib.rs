//! The hallpass session: it decides every held call of one `hallpass run`.
//!
//! Data flows in this order: the ask socket ([`ask_server`]) turns a frame of the hook into a
//! [`flow::Flow`]; the [`engine`] decides it by rule or holds it behind a question; clients of
//! the control socket ([`control`]) see questions and events and answer; the verdict goes back.
//!
//! This crate must never start a program, read a terminal or link a GUI, and its engine must
//! never do I/O or read a clock.

pub mod address;
pub mod ask_server;
pub mod checksum;
pub mod control;
pub mod core;
pub mod engine;
pub mod environment;
pub mod escape;
pub mod event;
pub mod flow;
pub mod flows;
pub mod hold;
pub mod identity;
pub mod log;
pub mod names;
pub mod nested;
pub mod page;
pub mod paths;
pub mod problem;
pub mod render;
pub mod rules_file;
pub mod runtime_dir;
pub mod stat;
mod sys;
pub mod targets;
pub mod terminal;
pub mod verdict;
pub mod verify;
