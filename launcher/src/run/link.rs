//! The private channel between front and session: one message per packet.
//!
//! It is a socketpair that nobody else holds, so its end of file says that the other side is gone.

use super::totals::Totals;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Longest packet. All messages are far shorter, but an error text may be long.
const MAX_PACKET: usize = 64 * 1024;

/// What the session tells the front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToFront {
    /// The session could not begin, or CMD not be started: say this and end with this status.
    Failed {
        /// One line for a person, already escaped.
        text: String,
        /// The status to end with.
        status: u8,
    },
    /// The sockets are bound and CMD waits at its gate until the front says [`ToSession::Go`].
    Ready {
        /// The runtime directory; `control` is in it. None of a nested run, which has none.
        dir: Option<std::path::PathBuf>,
        /// CMD's process id.
        command: i32,
    },
    /// CMD was stopped by this signal.
    Stopped(i32),
    /// CMD was continued.
    Continued,
    /// CMD has ended.
    Ended {
        /// How.
        end: End,
        /// Whether processes of the program are left.
        leaves: bool,
        /// Calls so far.
        totals: Totals,
    },
    /// No process of the program is left, and everything is cleaned up. Always after `Ended`.
    AllGone {
        /// Whether `--timeout` ended the last of them.
        timed_out: bool,
        /// Calls in all.
        totals: Totals,
        /// Reports that could not be written, a line each.
        trouble: Vec<String>,
    },
    /// The terminal's state is saved; stop the foreground job and ask.
    PromptAck,
}

/// What the front tells the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToSession {
    /// Start CMD.
    Go,
    /// The front has heard that CMD goes on.
    ContinueSeen,
    /// Send CMD this signal.
    Signal(i32),
    /// About to ask on the terminal: save its state, and do not take CMD's stop for its own.
    PromptBegin,
    /// These processes were stopped in order to ask; to be continued should the front die.
    PromptStopped(Vec<i32>),
    /// The terminal is as it was before `PromptBegin`.
    PromptEnd,
}

/// How CMD ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// It ran out of `--timeout`.
    TimedOut,
}

impl End {
    /// The status as a shell shows it.
    pub(crate) fn shell_status(self) -> i32 {
        match self {
            Self::Exited(status) => status,
            Self::Signaled(signal) => 128 + signal,
            Self::TimedOut => crate::exit::Exit::TimedOut.code().into(),
        }
    }
}

/// One end of the channel. Reading and writing never block.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<M> {
    /// A message.
    Message(M),
    /// None at present.
    Nothing,
    /// The other side is gone.
    Closed,
}

impl Link {
    /// Makes both ends.
    pub(crate) fn pair() -> Result<(Self, Self), Errno> {
        let (a, b) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        )?;
        Ok((Self { socket: a }, Self { socket: b }))
    }

    /// Sends a message. That the other side is gone is found by the next read.
    pub(crate) fn send<M: Serialize>(&self, message: &M) -> io::Result<()> {
        let packet = serde_json::to_vec(message)?;
        loop {
            return match send(self.socket.as_raw_fd(), &packet, MsgFlags::MSG_NOSIGNAL) {
                Err(Errno::EINTR) => continue,
                Err(Errno::EPIPE | Errno::ECONNRESET) | Ok(_) => Ok(()),
                Err(errno) => Err(errno.into()),
            };
        }
    }

    /// Reads the next message, if there is one.
    pub(crate) fn receive<M: DeserializeOwned>(&self) -> io::Result<Received<M>> {
        let mut packet = vec![0; MAX_PACKET];
        loop {
            return match recv(self.socket.as_raw_fd(), &mut packet, MsgFlags::empty()) {
                // The other side has left and not read all we said. That is told once, ahead of
                // what it had said before (unix(7)).
                Err(Errno::EINTR | Errno::ECONNRESET) => continue,
                Err(Errno::EAGAIN) => Ok(Received::Nothing),
                Ok(0) => Ok(Received::Closed),
                Ok(length) => Ok(Received::Message(serde_json::from_slice(
                    packet.get(..length).unwrap_or_default(),
                )?)),
                Err(errno) => Err(errno.into()),
            };
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Link, Received, ToFront, ToSession};

    #[test]
    fn messages_arrive_whole_and_the_end_is_seen() {
        let (front, session) = Link::pair().unwrap();
        assert_eq!(front.receive::<ToFront>().unwrap(), Received::Nothing);
        session.send(&ToFront::Stopped(20)).unwrap();
        session.send(&ToFront::Continued).unwrap();
        assert_eq!(
            front.receive::<ToFront>().unwrap(),
            Received::Message(ToFront::Stopped(20))
        );
        assert_eq!(
            front.receive::<ToFront>().unwrap(),
            Received::Message(ToFront::Continued)
        );
        drop(session);
        assert_eq!(front.receive::<ToFront>().unwrap(), Received::Closed);
        front.send(&ToSession::Go).unwrap();
    }

    #[test]
    fn last_words_are_heard_though_ours_were_not() {
        let (front, session) = Link::pair().unwrap();
        front.send(&ToSession::Go).unwrap();
        session.send(&ToFront::Continued).unwrap();
        drop(session);
        assert_eq!(
            front.receive::<ToFront>().unwrap(),
            Received::Message(ToFront::Continued)
        );
        assert_eq!(front.receive::<ToFront>().unwrap(), Received::Closed);
    }

    #[test]
    fn statuses_as_a_shell_shows_them() {
        assert_eq!(End::Exited(3).shell_status(), 3);
        assert_eq!(End::Signaled(15).shell_status(), 143);
        assert_eq!(End::TimedOut.shell_status(), 124);
    }
}
