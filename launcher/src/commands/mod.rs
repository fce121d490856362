//! The shell commands: clients of running sessions, and editors of the saved rules. Each prints
//! its result on stdout, what else there is to say on stderr, and ends with 125 where it failed.

pub(crate) mod agent;
pub(crate) mod answer;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod end_flow;
pub(crate) mod events;
pub(crate) mod explain;
mod failure;
pub(crate) mod flows;
pub(crate) mod halt;
pub(crate) mod import;
pub(crate) mod man;
mod output;
pub(crate) mod pending;
pub(crate) mod rules;
mod sessions;
pub(crate) mod wrap;

pub(crate) use failure::end;
