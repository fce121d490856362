//! Frames between the hook and its session, and the few names both must spell alike.
//!
//! Everything here has a fixed size and a fixed layout (docs/wire.md), is decoded from bytes of
//! any origin without panicking, and refuses what it does not know. It must never allocate, do
//! I/O, or decide anything: the hook links it into every program, and a panic path in it would
//! be a link error there.
#![no_std]
#![forbid(unsafe_code)]

mod address;
mod bytes;
mod error;
mod filter;
mod nested;
mod note;
mod page;
mod reply;
mod report;
mod request;
mod session_name;
mod socket;
mod variable;

pub use address::{Address, Protocol};
pub use error::DecodeError;
pub use filter::{Instruction, Seen, lets_through};
pub use nested::{MAX_PART, Nested, Part};
pub use note::{MAX_NOTE, Note, NoteBytes};
pub use page::{COUNTERS, PAGE_LEN, Page};
pub use reply::{Keep, REPLY_LEN, Reply};
pub use report::{MAX_ADDRESSES, MAX_NAME, NameReport};
pub use request::{Ask, Call, REQUEST_LEN, Refused, Request, image, stamp};
pub use session_name::{SUN_PATH_LEN, SessionName, abstract_ask_name, path_ask_name};
pub use socket::{Bypass, MAX_SOCKADDR, Path, Socket};
pub use variable::{
    GuardMode, MAX_DIR, MAX_VARIABLE, VARIABLE, Variable, VariableError, VariableText,
};

/// Version of both frames. Any change of a byte's meaning raises it; see docs/wire.md.
pub const VERSION: u16 = 4;
