//! Calls that arrive: what they are, and whether there is anything to decide.

use super::Shared;
use crate::address::Address;
use crate::answer::Answer;
use crate::call::{Connect, Send, Work};
use crate::closed;
use crate::decide::{CallKind, Caller, REPORT_MAX, Refusal};
use crate::filter;
use crate::listener::Notification;
use crate::proceed::MayProceed;
use crate::roles::{Holder, Roles};
use crate::socket::Socket;
use crate::target::{Memory, Target};
use crate::task::{Job, Task};
use nix::errno::Errno;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

impl Shared {
    /// The receiving role.
    pub(super) fn receive(self: &Arc<Self>, holder: &Holder, roles: &Roles) {
        let mut buffer = Vec::new();
        while let Ok(Some(notification)) = self.listener.receive() {
            if !holder.turn(roles, || self.arrived(&notification, &mut buffer)) {
                return;
            }
        }
        if let Some(copies) = &self.copies {
            copies.end();
        }
        roles.end();
        self.waiting.wake();
    }

    /// A call has come.
    fn arrived(self: &Arc<Self>, notification: &Notification, buffer: &mut Vec<u8>) {
        if self.is_made(notification) {
            return;
        }
        match self.take_up(notification, buffer) {
            Ok(task) => self.drive(task, None, buffer),
            Err(answer) => self.listener.answer(notification.id, answer),
        }
    }

    /// Makes a task of a call, or its answer.
    fn take_up(&self, notification: &Notification, buffer: &mut Vec<u8>) -> Result<Task, Answer> {
        let error = Answer::Error;
        let kind = match libc::c_long::from(notification.number) {
            _ if !filter::is_native(notification.arch, notification.number) => None,
            libc::SYS_connect => Some(CallKind::Connect),
            libc::SYS_sendto => Some(CallKind::SendTo),
            libc::SYS_sendmsg => Some(CallKind::SendMsg),
            libc::SYS_sendmmsg => Some(CallKind::SendMmsg),
            _ => None,
        };
        let Some(kind) = kind else {
            let (refusal, errno) = closed::refusal(notification);
            self.refuse_thread(notification, refusal);
            return Err(error(errno));
        };
        let [first, second, third, ..] = notification.arguments;
        let fd = first as u32 as i32;
        if kind == CallKind::Connect && fd == -1 {
            return self.report(notification, second, third);
        }
        let (target, own) = match &self.copies {
            None => self
                .targets
                .descriptor(notification.tid, fd)
                .map_err(|errno| error(self.cannot_look(notification, errno)))?,
            Some(copies) => self.copy_for(copies, notification, kind)?,
        };
        let readable = |errno| match errno {
            Errno::EPERM | Errno::EACCES | Errno::ESRCH => {
                error(self.cannot_look(notification, errno))
            }
            errno => error(errno),
        };
        let work = match kind {
            CallKind::Connect => {
                let memory = Memory::of(notification.tid);
                let address = Address::copy(memory, second, third).map_err(readable)?;
                Work::Connect(Connect::new(address))
            }
            CallKind::SendTo => {
                let send = Send::to(notification, buffer).map_err(readable)?;
                Work::Send(Box::new(send))
            }
            CallKind::SendMsg => Work::Send(Box::new(Send::one(notification))),
            CallKind::SendMmsg => Work::Send(Box::new(Send::many(notification))),
        };
        let socket = Socket::new(own).map_err(error)?;
        if kind != CallKind::Connect
            && let Some(permission) = MayProceed::for_send(&socket, notification.tid)
        {
            drop(socket);
            return Err(Answer::Proceed(permission));
        }
        // That it waits still is made sure of before anything is asked or done.
        Ok(self.task(notification, target, Job::Make { kind, socket, work }))
    }

    /// A call that has just arrived, which may have been here before.
    fn task(&self, notification: &Notification, target: Arc<Target>, job: Job) -> Task {
        let (resumed, parked) = self.interrupted.take(notification);
        let (begun, parked) = match parked {
            Some(parked) => (parked.begun, Some(parked.held)),
            None => (Instant::now(), None),
        };
        Task {
            notification: *notification,
            target,
            job,
            resumed,
            begun,
            held: None,
            parked,
            timeout: None,
            again: None,
            polled: false,
            is_sure: Cell::new(false),
        }
    }

    /// What a hook says by `connect(-1, …)`; EBADF where it is nothing.
    fn report(
        &self,
        notification: &Notification,
        address: u64,
        length: u64,
    ) -> Result<Task, Answer> {
        let nothing = || Answer::Error(Errno::EBADF);
        let length = length as u32 as usize;
        if length == 0 || length > REPORT_MAX {
            return Err(nothing());
        }
        let mut report = vec![0; length];
        let memory = Memory::of(notification.tid);
        memory.read(address, &mut report).map_err(|_| nothing())?;
        match self.targets.open(notification.tid) {
            Ok(target) if self.listener.is_waiting(notification.id) => {
                Ok(self.task(notification, target, Job::Report(report.into())))
            }
            _ => Err(nothing()),
        }
    }

    /// The errno for a descriptor that could not be duplicated.
    pub(super) fn cannot_look(&self, notification: &Notification, errno: Errno) -> Errno {
        let refusal = match errno {
            Errno::EBADF | Errno::ENOTSOCK => return errno,
            Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => Refusal::OutOfResources(errno),
            _ => Refusal::Unreadable(errno),
        };
        self.refuse_thread(notification, refusal);
        Errno::ECONNREFUSED
    }

    /// [`Self::refuse`] for a thread that may not be known yet.
    pub(super) fn refuse_thread(&self, notification: &Notification, refusal: Refusal) {
        let tid = notification.tid;
        let pid = self.targets.open(tid).map_or(tid, |it| it.caller.pid);
        self.refuse(notification, Caller { pid, tid }, refusal);
    }
}
