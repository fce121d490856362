//! Where targets' sockets are made here: making them, finding them again, and what becomes of calls
//! on sockets of which there is no copy.

use super::Shared;
use crate::address::Address;
use crate::answer::Answer;
use crate::call::Surroundings;
use crate::closed;
use crate::copies::{Copies, Found, Settled, Unseen};
use crate::decide::{CallKind, Refusal};
use crate::filter;
use crate::listener::Notification;
use crate::proceed::MayProceed;
use crate::rights::Rights;
use crate::sys::socket as sys;
use crate::target::{Memory, Target};
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Arguments that are ints to the kernel.
fn ints(notification: &Notification) -> [i32; 6] {
    notification.arguments.map(|it| it as u32 as i32)
}

impl Shared {
    /// Answers calls that the filter tells of only because sockets are made here. False: another.
    pub(super) fn is_made(&self, notification: &Notification) -> bool {
        let Some(copies) = &self.copies else {
            return false;
        };
        if !filter::is_native(notification.arch, notification.number) {
            return false;
        }
        let id = notification.id;
        let [first, second, third, ..] = ints(notification);
        match libc::c_long::from(notification.number) {
            libc::SYS_socket if !closed::is_closed_socket(first, second, third) => {
                self.make(copies, notification);
            }
            libc::SYS_bind => {
                // One that cannot be read the kernel will not read either.
                if let Ok(address) = Self::address(notification) {
                    copies.make_room(notification.tid, first, &address);
                }
                let permission = MayProceed::for_waiting_to_be_reached();
                self.listener.answer(id, Answer::Proceed(permission));
            }
            libc::SYS_listen => {
                let answer = copies.listen(notification.tid, first, second);
                self.listener.answer(id, answer);
            }
            _ => return false,
        }
        true
    }

    /// socket(2): made, kept and given, or left to the kernel where it would be another there.
    fn make(&self, copies: &Copies, notification: &Notification) {
        let (id, tid) = (notification.id, notification.tid);
        let [family, kind, protocol, ..] = ints(notification);
        let proceed = || {
            let permission = MayProceed::for_socket();
            self.listener.answer(id, Answer::Proceed(permission));
        };
        let asks_for_privileges = match kind & closed::SOCK_TYPE_MASK {
            libc::SOCK_STREAM => false,
            libc::SOCK_DGRAM => !matches!(protocol, 0 | libc::IPPROTO_UDP),
            _ => true,
        } || family == libc::AF_NETLINK;
        let rights = match asks_for_privileges {
            true => self.rights(tid),
            false => Rights::Own,
        };
        if !copies.may_make_for(tid) || rights == Rights::Unknown {
            return proceed();
        }
        let create = || {
            let create = || sys::create(family, kind | libc::SOCK_CLOEXEC, protocol);
            match &rights {
                Rights::Other(credentials) => credentials.act(create)?,
                Rights::Own | Rights::Unknown => create(),
            }
        };
        let socket = create().or_else(|errno| match errno {
            Errno::EMFILE | Errno::ENFILE => {
                copies.sweep_now();
                create()
            }
            errno => Err(errno),
        });
        let socket = match socket {
            Ok(socket) => Arc::new(socket),
            // Ours have run out, not the program's.
            Err(Errno::EMFILE) => return proceed(),
            Err(errno) => return self.listener.answer(id, Answer::Error(errno)),
        };
        let Ok(inode) = copies.keep(&socket, tid) else {
            return proceed();
        };
        let closed_on_exec = kind & libc::SOCK_CLOEXEC != 0;
        match self.listener.give(id, socket.as_fd(), closed_on_exec) {
            Ok(fd) => copies.given(inode, fd),
            Err(errno) => {
                copies.forget(inode);
                self.listener.answer(id, Answer::Error(errno));
            }
        }
    }

    /// Our own duplicate of the socket of a call, and the calling thread; else the call's answer.
    pub(super) fn copy_for(
        &self,
        copies: &Copies,
        notification: &Notification,
        kind: CallKind,
    ) -> Result<(Arc<Target>, OwnedFd), Answer> {
        let (tid, [fd, ..]) = (notification.tid, ints(notification));
        let found = copies.find(tid, fd).and_then(|found| match found {
            Found::Copy(own) => Ok((self.targets.get(tid)?, Ok(own))),
            Found::Unseen(inode, what) => Ok((self.targets.get(tid)?, Err((inode, what)))),
        });
        match found {
            Ok((target, Ok(own))) => Ok((target, own)),
            Ok((_, Err((inode, what)))) => Err(match kind {
                CallKind::Connect => self.connect_unseen(copies, notification, inode, what),
                _ => self.send_unseen(copies, notification, kind, inode, what),
            }),
            Err(errno) => {
                // The kernel reads the address before it looks what the descriptor is of.
                let address = || Self::address(notification).err();
                let first = match (errno, kind) {
                    (Errno::ENOTSOCK, CallKind::Connect) => address(),
                    _ => None,
                };
                let errno = first.unwrap_or_else(|| self.cannot_look(notification, errno));
                Err(Answer::Error(errno))
            }
        }
    }

    /// What connect(2) and bind(2) are given.
    fn address(notification: &Notification) -> Result<Address, Errno> {
        let [_, address, length, ..] = notification.arguments;
        Address::copy(Memory::of(notification.tid), address, length)
    }

    /// A connect on a socket without a copy can only be told what the kernel would say.
    fn connect_unseen(
        &self,
        copies: &Copies,
        notification: &Notification,
        inode: u64,
        what: Unseen,
    ) -> Answer {
        let address = match Self::address(notification) {
            Ok(address) => address,
            Err(errno) => return Answer::Error(errno),
        };
        let is_connection = matches!(what, Unseen::Tcp | Unseen::UnixConnection);
        match (address.family(), copies.settled(inode)) {
            (None, _) => Answer::Error(Errno::EINVAL),
            (Some(libc::AF_UNSPEC), _) => self.no_copy(notification, Errno::EOPNOTSUPP),
            (Some(_), Some(Settled::Meanwhile)) if is_connection => {
                copies.told(inode);
                Answer::Value(0)
            }
            (Some(_), Some(Settled::Connected)) if is_connection => Answer::Error(Errno::EISCONN),
            (Some(_), _) => self.no_copy(notification, Errno::ECONNREFUSED),
        }
    }

    fn send_unseen(
        &self,
        copies: &Copies,
        notification: &Notification,
        kind: CallKind,
        inode: u64,
        what: Unseen,
    ) -> Answer {
        let tid = notification.tid;
        let [_, second, third, fourth, ..] = notification.arguments;
        let flags = match kind {
            CallKind::SendMsg => third,
            _ => fourth,
        };
        let opens = flags & libc::MSG_FASTOPEN as u64 != 0;
        if what == Unseen::Tcp && opens && copies.settled(inode).is_some() {
            return Answer::Error(Errno::EISCONN);
        }
        let Some(permission) = MayProceed::for_unseen(what, flags, tid) else {
            return self.no_copy(notification, Errno::ECONNREFUSED);
        };
        if what == Unseen::UnixConnection {
            match kind {
                CallKind::SendMsg => copies.sends_rights(tid, second, 1),
                CallKind::SendMmsg => copies.sends_rights(tid, second, third),
                CallKind::SendTo | CallKind::Connect => {}
            }
        }
        Answer::Proceed(permission)
    }

    fn no_copy(&self, notification: &Notification, errno: Errno) -> Answer {
        self.refuse_thread(notification, Refusal::NoCopy);
        Answer::Error(errno)
    }
}
