//! sendto(2), sendmsg(2) and sendmmsg(2) in their caller's place.

use super::message::{Message, Outcome, Stage};
use super::{Context, Step};
use crate::address::Address;
use crate::answer::Answer;
use crate::decide::{CallKind, Destination, Verdict};
use crate::listener::Notification;
use crate::sys::process::signal_thread;
use crate::target::{Memory, Piece};
use crate::task::Matter;
use nix::errno::Errno;

/// `struct mmsghdr`: a header, and where in it the length of what was sent goes.
const MANY_HEADER: u64 = 64;
const LENGTH_AT: u64 = 56;
/// Data of a sendto that are copied before it has its verdict.
const AHEAD_MAX: usize = 16 * 1024;
/// UIO_MAXIOV, of messages in a sendmmsg.
const COUNT_MAX: u64 = 1024;

/// One of the three calls.
#[derive(Debug)]
pub(crate) struct Send {
    kind: CallKind,
    flags: i32,
    /// The first `msghdr` or `mmsghdr`.
    header: u64,
    count: u64,
    /// Messages sent.
    index: u64,
    /// What is being sent.
    message: Option<Message>,
    /// Where the last message went that a verdict allowed: the next to the same place asks nobody.
    allowed: Option<Destination>,
}

impl Send {
    /// sendto(2), whose address is not NULL.
    ///
    /// Its data, if they are short, are copied to `buffer` with the address.
    pub(crate) fn to(notification: &Notification, buffer: &mut Vec<u8>) -> Result<Self, Errno> {
        let [_, data, length, flags, name, name_length] = notification.arguments;
        let memory = Memory::of(notification.tid);
        let data = Piece::of(data, length);
        let name = (name, name_length);
        let message = if (1..=AHEAD_MAX).contains(&data.length) {
            if buffer.len() < AHEAD_MAX {
                buffer.resize(AHEAD_MAX, 0);
            }
            let (address, is_ahead) = Address::copy_with(memory, name, data, buffer)?;
            Message::plain(address, data, is_ahead)
        } else {
            let (name, length) = name;
            Message::plain(Address::copy(memory, name, length)?, data, false)
        };
        // Unlike sendmsg, sendto takes a flag of the kernel's own away before it looks.
        const MSG_CMSG_COMPAT: u64 = 0x8000_0000;
        Ok(Self {
            message: Some(message),
            ..Self::new(CallKind::SendTo, flags & !MSG_CMSG_COMPAT, 0, 1)
        })
    }

    /// sendmsg(2)
    pub(crate) fn one(notification: &Notification) -> Self {
        let [_, header, flags, ..] = notification.arguments;
        Self::new(CallKind::SendMsg, flags, header, 1)
    }

    /// sendmmsg(2)
    pub(crate) fn many(notification: &Notification) -> Self {
        let [_, header, count, flags, ..] = notification.arguments;
        let count = u64::from(count as u32).min(COUNT_MAX);
        Self::new(CallKind::SendMmsg, flags, header, count)
    }

    fn new(kind: CallKind, flags: u64, header: u64, count: u64) -> Self {
        Self {
            kind,
            flags: flags as u32 as i32,
            header,
            count,
            index: 0,
            message: None,
            allowed: None,
        }
    }

    /// Another call uses the buffer from now on.
    pub(super) fn put_down(&mut self) {
        if let Some(message) = &mut self.message {
            message.is_ahead = false;
        }
    }

    pub(super) fn step(
        &mut self,
        context: &Context<'_>,
        mut verdict: Option<Verdict>,
        buffer: &mut Vec<u8>,
    ) -> Step {
        while self.index < self.count {
            match self.message(context, verdict.take(), buffer) {
                Ok(Advance::Ask(destination)) => {
                    return Step::Ask(Matter::Destination(destination));
                }
                Ok(Advance::Outcome(Outcome::Gone)) => return Step::Gone,
                Ok(Advance::Outcome(Outcome::Wait(again))) => return Step::Wait(again),
                Ok(Advance::Outcome(Outcome::Sent(length))) => {
                    let whole = self.message.take().is_none_or(|it| it.is_whole(length));
                    if self.kind != CallKind::SendMmsg {
                        return Step::Done(Answer::Value(length as i64));
                    }
                    let at = self.header_of(self.index) + LENGTH_AT;
                    if let Err(errno) = context.memory().write(at, &(length as u32).to_ne_bytes()) {
                        return Step::Done(self.failed(errno));
                    }
                    self.index += 1;
                    if !whole {
                        break;
                    }
                }
                Err(errno) => return Step::Done(self.failed(errno)),
            }
        }
        Step::Done(Answer::Value(self.index as i64))
    }

    /// An error after some messages have been sent is not told; the next call will meet it.
    fn failed(&self, errno: Errno) -> Answer {
        self.cut_short(Answer::Error(errno))
    }

    /// What has been sent so far, else `otherwise`.
    pub(super) fn cut_short(&self, otherwise: Answer) -> Answer {
        match (&self.message, self.kind) {
            (_, CallKind::SendMmsg) if self.index > 0 => Answer::Value(self.index as i64),
            (Some(message), CallKind::SendMsg | CallKind::SendTo) if message.sent > 0 => {
                Answer::Value(message.sent as i64)
            }
            _ => otherwise,
        }
    }

    fn header_of(&self, index: u64) -> u64 {
        self.header.wrapping_add(index * MANY_HEADER)
    }

    /// Carries on the message that comes next.
    fn message(
        &mut self,
        context: &Context<'_>,
        verdict: Option<Verdict>,
        buffer: &mut Vec<u8>,
    ) -> Result<Advance, Errno> {
        let at = self.header_of(self.index);
        let message = match &mut self.message {
            Some(message) => message,
            none => none.insert(Message::read(context, at)?),
        };
        if let Stage::New = message.stage {
            match message.look(context, self.flags)? {
                Some(destination) if self.allowed.as_ref() != Some(&destination) => {
                    if !context.is_waiting() {
                        return Ok(Advance::Outcome(Outcome::Gone));
                    }
                    message.stage = Stage::Asked(destination.clone());
                    return Ok(Advance::Ask(destination));
                }
                _ => message.stage = Stage::Going,
            }
        }
        if let Stage::Asked(destination) = &message.stage {
            if verdict != Some(Verdict::Allow) {
                return Err(Errno::ECONNREFUSED);
            }
            self.allowed = Some(destination.clone());
            message.stage = Stage::Going;
        }
        let result = message.send(context, self.flags, buffer);
        if let Err(Errno::EPIPE) = result
            && context.socket.raises_sigpipe()
            && self.flags & libc::MSG_NOSIGNAL == 0
        {
            // The kernel would have sent it to whoever makes the call, and that is us.
            let caller = context.target.caller;
            let _ = signal_thread(caller.pid, caller.tid, libc::SIGPIPE);
        }
        result.map(Advance::Outcome)
    }
}

enum Advance {
    Ask(Destination),
    Outcome(Outcome),
}
