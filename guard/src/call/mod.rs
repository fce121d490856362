//! Making a call in its caller's place: step by step, so that nothing here ever waits.

mod connect;
mod control;
mod message;
mod send;
mod unix;

use crate::answer::Answer;
use crate::decide::{Caller, Destination, Refusal, Verdict};
use crate::rights::Rights;
use crate::socket::Socket;
use crate::target::{Memory, Target};
use crate::task::Matter;
use nix::errno::Errno;
use std::cell::Cell;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub(crate) use connect::Connect;
pub(crate) use send::Send;

/// What a call needs of the supervisor while it is carried on.
pub(crate) struct Context<'a> {
    pub(crate) target: &'a Target,
    pub(crate) socket: &'a Socket,
    pub(crate) surroundings: &'a dyn Surroundings,
    /// The call's number.
    pub(crate) id: u64,
    /// The call was seen to wait since its thread was last read from, and has not been put down.
    pub(crate) is_sure: &'a Cell<bool>,
}

/// What is the same for all calls.
pub(crate) trait Surroundings {
    /// Says what was refused.
    fn refused(&self, caller: Caller, refusal: Refusal);
    /// Says that a UNIX socket was connected to what `peer` listens at.
    fn connected(&self, caller: Caller, peer: u32, destination: &Destination);
    /// Claims the only right to touch the send timeout of this socket; false where somebody else
    /// has it.
    fn claim(&self, socket: BorrowedFd<'_>) -> bool;
    /// Gives it back.
    fn unclaim(&self, socket: BorrowedFd<'_>);
    /// Whether the call with this number still waits.
    fn is_waiting(&self, id: u64) -> bool;
    /// Whose rights the calls of this thread are made with.
    fn rights(&self, tid: u32) -> Rights;
}

/// How a call goes on.
#[derive(Debug)]
pub(crate) enum Step {
    /// It has ended.
    Done(Answer),
    /// Its thread is gone; there is nobody to answer.
    Gone,
    /// It wants a verdict before anything is done.
    Ask(Matter),
    /// It goes on when the socket is ready, or after so long.
    Wait(Option<Duration>),
}

impl Context<'_> {
    /// The caller's memory: whatever is read there is to be made sure of ([`Self::is_waiting`]).
    pub(crate) fn memory(&self) -> Memory {
        self.is_sure.set(false);
        Memory::of(self.target.caller.tid)
    }

    /// Whether the call still waits: what was read from its thread so far was its own.
    pub(crate) fn is_waiting(&self) -> bool {
        if !self.is_sure.get() {
            self.is_sure.set(self.surroundings.is_waiting(self.id));
        }
        self.is_sure.get()
    }

    /// Whose rights the call is made with, where it matters: not for an address of IP, which no
    /// right is needed for.
    pub(crate) fn rights(&self) -> Result<Rights, Errno> {
        self.is_sure.set(false);
        match self.surroundings.rights(self.target.caller.tid) {
            Rights::Unknown => Err(self.refuse(Refusal::Credentials, Errno::EACCES)),
            rights => Ok(rights),
        }
    }

    /// Does `act` with `rights`.
    pub(crate) fn with<T>(
        &self,
        rights: &Rights,
        act: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        match rights {
            Rights::Own => act(),
            Rights::Other(credentials) => match credentials.act(act) {
                Ok(result) => result,
                Err(_) => Err(self.refuse(Refusal::Credentials, Errno::EACCES)),
            },
            Rights::Unknown => Err(Errno::EACCES),
        }
    }

    /// A refusal that nobody was asked about.
    pub(crate) fn refuse(&self, refusal: Refusal, errno: Errno) -> Errno {
        self.surroundings.refused(self.target.caller, refusal);
        errno
    }
}

/// A send or connect.
#[derive(Debug)]
pub(crate) enum Work {
    Connect(Connect),
    Send(Box<Send>),
}

impl Work {
    /// Goes on as far as possible without waiting. `verdict` answers the last [`Step::Ask`].
    pub(crate) fn step(
        &mut self,
        context: &Context<'_>,
        verdict: Option<Verdict>,
        buffer: &mut Vec<u8>,
    ) -> Step {
        match self {
            Self::Connect(connect) => connect.step(context, verdict),
            Self::Send(send) => send.step(context, verdict, buffer),
        }
    }

    /// It waits from now on, and others use the buffer of [`Self::step`].
    pub(crate) fn put_down(&mut self) {
        match self {
            Self::Connect(_) => {}
            Self::Send(send) => send.put_down(),
        }
    }

    /// The answer where SO_SNDTIMEO has run out.
    pub(crate) fn timed_out(&self) -> Answer {
        match self {
            Self::Connect(connect) => connect.timed_out(),
            Self::Send(send) => send.cut_short(Answer::Error(Errno::EAGAIN)),
        }
    }

    /// The answer where a signal comes first. `exact`: the kernel is sure to look at it.
    pub(crate) fn interrupted(&self, has_timeout: bool, exact: bool) -> Answer {
        // A call with a timeout is never made again (signal(7)).
        let answer = if has_timeout || !exact {
            Answer::Error(Errno::EINTR)
        } else {
            Answer::Restart
        };
        match self {
            Self::Connect(_) => answer,
            Self::Send(send) => send.cut_short(answer),
        }
    }
}
