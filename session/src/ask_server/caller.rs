//! One connection of the ask socket: what has been read, what is still to be written.

use crate::engine::AskId;
use hallpass_wire::{DecodeError, REPLY_LEN, REQUEST_LEN, Reply, Request};
use mio::net::UnixStream;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

pub(super) struct Caller {
    pub(super) stream: UnixStream,
    /// The peer's process id (SO_PEERCRED): who connected, as the kernel says.
    pub(super) pid: u32,
    /// The peer's effective user id, likewise.
    pub(super) uid: u32,
    pub(super) since: Instant,
    /// The engine holds its call.
    pub(super) held: Option<AskId>,
    frame: [u8; REQUEST_LEN],
    filled: usize,
    /// The last word, which its full socket buffer did not take.
    unsent: Option<[u8; REPLY_LEN]>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, on the stack; a box would cost more than it saves"
)]
pub(super) enum Progress {
    Waiting,
    /// A whole request, or what is wrong with it.
    Request(Result<Request, DecodeError>),
    /// It said more than one request.
    Junk,
    /// It is gone, or has heard the last word.
    Finished,
}

impl Caller {
    pub(super) fn new(stream: UnixStream, pid: u32, uid: u32) -> Self {
        Self {
            stream,
            pid,
            uid,
            since: Instant::now(),
            held: None,
            frame: [0; REQUEST_LEN],
            filled: 0,
            unsent: None,
        }
    }

    pub(super) fn is_served(&self) -> bool {
        self.filled == REQUEST_LEN
    }

    /// Which program image asks ([`hallpass_wire::stamp`]).
    pub(super) fn image(&self) -> u64 {
        hallpass_wire::image(&self.frame)
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.unsent.is_some()
    }

    /// Reads, and writes what was left, as far as both go (edge-triggered: until it would block).
    pub(super) fn hear(&mut self) -> Progress {
        if let Some(bytes) = self.unsent {
            return self.write(bytes, true);
        }
        loop {
            let result = match self.frame.get_mut(self.filled..) {
                Some(space) if !space.is_empty() => self.stream.read(space),
                _ => self.stream.read(&mut [0]),
            };
            match result {
                Ok(0) => return Progress::Finished,
                Ok(_) if self.is_served() => return Progress::Junk,
                Ok(count) => {
                    self.filled += count;
                    if self.is_served() {
                        return Progress::Request(Request::decode(&self.frame));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
                Err(_) => return Progress::Finished,
            }
        }
    }

    /// Sends a reply. A keep-alive that does not fit is dropped: the ones before it do its work.
    pub(super) fn say(&mut self, reply: Reply) -> Progress {
        self.write(reply.encode(), !matches!(reply, Reply::Held))
    }

    fn write(&mut self, bytes: [u8; REPLY_LEN], is_last: bool) -> Progress {
        loop {
            // A UNIX stream takes so few bytes whole or not at all.
            match self.stream.write(&bytes) {
                Ok(REPLY_LEN) if is_last => return Progress::Finished,
                Ok(REPLY_LEN) => return Progress::Waiting,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if is_last {
                        self.unsent = Some(bytes);
                    }
                    return Progress::Waiting;
                }
                Ok(_) | Err(_) => return Progress::Finished,
            }
        }
    }
}
