//! What hallpass decides with: destinations, rules, layers, and why a rule won (docs/policy.md).
//!
//! Pure values and functions. This crate must never do I/O, read a clock or hold `unsafe`: the
//! session passes in what it knows ([`Query`], [`Environment`], the time) and gets a
//! [`Decision`] back. Text from outside is bounded before it is parsed, and every error says
//! what to write instead.
#![forbid(unsafe_code)]

mod action;
mod address;
mod app;
mod decide;
mod destination;
mod explain;
mod file;
mod index;
mod lint;
mod list;
mod name;
mod place;
mod policy;
mod query;
mod rule;
mod text;

pub use action::{Action, Protocol};
pub use app::{AppError, AppPattern};
pub use destination::{
    Destination, DestinationError, Group, Specificity, is_name_service_path, is_session_bus_path,
};
pub use explain::{Considered, Explanation};
pub use file::{FILE_MAX, FILE_VERSION, FileError, NOTE_MAX, RuleFile};
pub use lint::{Warning, WarningKind, lint};
pub use list::{LIST_MAX, parse_list};
pub use name::{NameError, canonical_name, is_public_name, name_counts};
pub use place::{Place, place};
pub use policy::{Decision, Layer, Policy};
pub use query::{Endpoint, Environment, Parent, Query, Subject};
pub use rule::Rule;
pub use text::{MAX_MARKS, is_mark, without_place};
