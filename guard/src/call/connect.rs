//! connect(2) in its caller's place.

use super::unix::{self, Found};
use super::{Context, Step};
use crate::address::{Address, Meaning, UnixName};
use crate::answer::Answer;
use crate::decide::{Destination, Protocol, Refusal, Verdict};
use crate::rights::Rights;
use crate::socket::{Family, Kind};
use crate::sys::socket as sys;
use crate::task::Matter;
use nix::errno::Errno;
use std::os::fd::AsFd;
use std::time::Duration;

/// How often a full backlog of a UNIX socket is tried again: nothing tells when it has room.
const TRY_AGAIN: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Connect {
    address: Address,
    stage: Stage,
    /// Of the caller, who can't change them while it waits.
    rights: Rights,
    /// Of a UNIX socket.
    destination: Option<Box<Destination>>,
    /// What a connection in progress said when it began; the answer where its time runs out.
    begun: Option<Errno>,
}

#[derive(Debug)]
enum Stage {
    /// Nobody has been asked.
    New,
    /// A verdict is awaited.
    Asked(Purpose),
    /// Allowed.
    Going(Purpose),
}

#[derive(Debug)]
enum Purpose {
    /// The address as it was copied.
    Copied {
        protocol: Option<Protocol>,
        probe: bool,
    },
    /// The UNIX socket behind a path.
    Path(Box<Found>),
}

impl Connect {
    /// A connect to what was copied from its caller's memory.
    pub(crate) fn new(address: Address) -> Self {
        Self {
            address,
            stage: Stage::New,
            rights: Rights::Own,
            destination: None,
            begun: None,
        }
    }

    pub(super) fn step(&mut self, context: &Context<'_>, verdict: Option<Verdict>) -> Step {
        if let Stage::New = self.stage {
            match self.look(context) {
                Ok((purpose, Some(destination))) => {
                    if !context.is_waiting() {
                        return Step::Gone;
                    }
                    self.stage = Stage::Asked(purpose);
                    if context.socket.family == Family::Unix {
                        self.destination = Some(Box::new(destination.clone()));
                    }
                    return Step::Ask(Matter::Destination(destination));
                }
                Ok((purpose, None)) => self.stage = Stage::Going(purpose),
                Err(errno) => return Step::Done(Answer::Error(errno)),
            }
        }
        if let Stage::Asked(_) = self.stage {
            let Stage::Asked(mut purpose) = std::mem::replace(&mut self.stage, Stage::New) else {
                return Step::Gone;
            };
            match (verdict, &mut purpose) {
                (Some(Verdict::Allow), _) => {}
                (
                    Some(Verdict::Probe),
                    Purpose::Copied {
                        protocol: Some(Protocol::Udp),
                        probe,
                    },
                ) => *probe = true,
                (Some(Verdict::Deny | Verdict::Probe) | None, _) => {
                    return Step::Done(Answer::Error(Errno::ECONNREFUSED));
                }
            }
            self.stage = Stage::Going(purpose);
        }
        if !context.is_waiting() {
            return Step::Gone;
        }
        self.go(context)
    }

    /// What the address means on this socket, and whether that is to be decided.
    fn look(&mut self, context: &Context<'_>) -> Result<(Purpose, Option<Destination>), Errno> {
        let copied = |protocol| Purpose::Copied {
            protocol,
            probe: false,
        };
        match context.socket.family {
            Family::Inet | Family::Inet6 => match self.address.for_connect()? {
                Meaning::Nothing => Ok((copied(None), None)),
                Meaning::Endpoint(endpoint) => {
                    let protocol = context.socket.transport().ok_or_else(|| {
                        let refusal = Refusal::Protocol(context.socket.protocol);
                        context.refuse(refusal, Errno::ECONNREFUSED)
                    })?;
                    let destination = Destination::Ip(protocol, endpoint);
                    Ok((copied(Some(protocol)), Some(destination)))
                }
            },
            Family::Unix => {
                if self.address.family() == Some(libc::AF_UNSPEC) {
                    return Ok((copied(None), None));
                }
                let name = self.address.unix()?;
                self.rights = context.rights()?;
                match name {
                    UnixName::Abstract(name) => {
                        Ok((copied(None), Some(Destination::Abstract(name.to_vec()))))
                    }
                    UnixName::Path(path) => {
                        let (found, destination) = unix::find(context, &self.rights, path)?;
                        Ok((Purpose::Path(Box::new(found)), Some(destination)))
                    }
                }
            }
            // The kernel's own, and other netlink sockets: nothing leaves the machine.
            Family::Netlink => {
                self.rights = context.rights()?;
                Ok((copied(None), None))
            }
            Family::Other(family) => {
                Err(context.refuse(Refusal::Family(family), Errno::ECONNREFUSED))
            }
        }
    }

    fn go(&mut self, context: &Context<'_>) -> Step {
        let Stage::Going(purpose) = &self.stage else {
            return Step::Gone;
        };
        let (bytes, probe) = match purpose {
            Purpose::Copied { probe, .. } => (self.address.bytes(), *probe),
            Purpose::Path(found) => (found.address(), false),
        };
        let socket = context.socket;
        if probe {
            // Before it is connected: afterwards another thread could send in between. On a socket
            // that is not connected shutdown says ENOTCONN, and does what it is for all the same.
            match sys::stop_sending(socket.as_fd()) {
                Ok(()) | Err(Errno::ENOTCONN) => {}
                Err(_) => return Step::Done(Answer::Error(Errno::ECONNREFUSED)),
            }
        }
        let can_wait = matches!(socket.kind, Kind::Stream | Kind::SequencedPackets);
        let result = if !can_wait || socket.is_nonblocking() {
            context.with(&self.rights, || sys::connect(socket.as_fd(), bytes))
        } else {
            let begun = &mut self.begun;
            let connect = || Self::without_waiting(begun, context, bytes);
            match context.with(&self.rights, connect) {
                Err(Errno::EINPROGRESS | Errno::EALREADY) if socket.is_ip() => {
                    return Step::Wait(None);
                }
                Err(Errno::EAGAIN) if !socket.is_ip() => return Step::Wait(Some(TRY_AGAIN)),
                Err(Errno::EBUSY) => return Step::Wait(Some(Duration::from_millis(1))),
                result => result,
            }
        };
        if let (Ok(()), Some(destination)) = (result, &self.destination)
            && let Ok(peer @ 1..) = sys::peer(socket.as_fd())
        {
            let caller = context.target.caller;
            context.surroundings.connected(caller, peer, destination);
        }
        Step::Done(result.map(|()| 0).into())
    }

    /// Connects a blocking socket without waiting, though O_NONBLOCK is the target's and cannot be
    /// touched: with a send timeout of less than nothing for the length of the call. The second
    /// time it asks how the first one went, as the kernel wants it. EBUSY: another thread of the
    /// target connects the same socket just now.
    fn without_waiting(
        begun: &mut Option<Errno>,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        const NEVER_WAIT: libc::timeval = libc::timeval {
            tv_sec: -1,
            tv_usec: 0,
        };
        let socket = context.socket.as_fd();
        let is_sctp = context.socket.protocol == libc::IPPROTO_SCTP;
        if begun.is_some() && is_sctp {
            // A second connect of SCTP would begin anew where the first has failed.
            return match sys::option(socket, libc::SO_ERROR)? {
                0 => Ok(()),
                error => Err(Errno::from_raw(error)),
            };
        }
        if !context.surroundings.claim(socket) {
            return Err(Errno::EBUSY);
        }
        let result = sys::send_timeout(socket).and_then(|timeout| {
            sys::set_send_timeout(socket, NEVER_WAIT)?;
            let result = match sys::connect(socket, bytes) {
                // On this machine the answer has come by the time that the call has returned.
                Err(errno @ Errno::EINPROGRESS) if begun.is_none() && !is_sctp => {
                    *begun = Some(errno);
                    sys::connect(socket, bytes)
                }
                result => result,
            };
            sys::set_send_timeout(socket, timeout)?;
            result
        });
        context.surroundings.unclaim(socket);
        if let Err(errno @ (Errno::EINPROGRESS | Errno::EALREADY | Errno::EAGAIN)) = result {
            begun.get_or_insert(errno);
        }
        result
    }

    /// What the kernel says where SO_SNDTIMEO runs out, also of a call that is still held.
    pub(super) fn timed_out(&self) -> Answer {
        Answer::Error(self.begun.unwrap_or(Errno::EINPROGRESS))
    }
}
