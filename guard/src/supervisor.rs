//! Receives calls, has them decided, makes them in their callers' place.
//!
//! One thread receives, and does at once whatever does not wait; a second carries on what has had
//! to wait; [`crate::roles`] replaces either when it is held up.

use crate::address::Address;
use crate::answer::Answer;
use crate::call::{Connect, Context, Send, Step, Surroundings, Work};
use crate::closed;
use crate::decide::{
    Call, CallKind, Caller, Decide, Destination, REPORT_MAX, Refusal, Reply, Verdict, Withdrawn,
};
use crate::filter;
use crate::listener::{Listener, Notification};
use crate::proceed::MayProceed;
use crate::roles::{Holder, Roles};
use crate::signals::{self, Pending};
use crate::socket::Socket;
use crate::target::{Memory, Status, Targets};
use crate::task::{Held, Task};
use crate::waiting::Waiting;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often signals of waiting calls are looked for: at least so far apart, …
const SIGNALS_EVERY: Duration = Duration::from_millis(20);
/// … and for each call that waits so much further, which bounds the work (about 20 µs a call).
const SIGNALS_EACH: Duration = Duration::from_micros(400);
/// Interrupted calls that are remembered until they come again.
const INTERRUPTED_MAX: usize = 1024;

/// The supervisor of one program. It works until no process of it is left, or this process ends;
/// then every call that would reach it fails with ENOSYS.
#[derive(Debug)]
pub struct Supervisor(());

impl Supervisor {
    /// Starts to answer `listener`'s calls with what `decide` says, in threads of this process.
    ///
    /// # Errors
    /// Where the kernel has no thread or descriptor left.
    pub fn start(listener: Listener, decide: Arc<dyn Decide>) -> io::Result<Self> {
        raise_descriptor_limit();
        let shared = Arc::new(Shared {
            listener,
            decide,
            targets: Targets::default(),
            waiting: Waiting::new()?,
            claimed: Mutex::default(),
            interrupted: Mutex::default(),
            interrupted_count: AtomicUsize::new(0),
            privileged: Privileged::look(),
        });
        let roles = Roles::new();
        let receiver = Arc::clone(&shared);
        roles.add("guard-wait", move |holder, roles| {
            shared.carry_on(holder, roles)
        })?;
        roles.add("guard-receive", move |holder, roles| {
            receiver.receive(holder, roles)
        })?;
        roles.watch()?;
        Ok(Self(()))
    }
}

/// Each held call has a descriptor of ours; the default limit is for programs that hold few.
fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Without it fewer calls are held at once, and the next are refused by name.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

struct Shared {
    listener: Listener,
    decide: Arc<dyn Decide>,
    targets: Targets,
    waiting: Waiting,
    /// Sockets whose send timeout somebody has put aside just now.
    claimed: Mutex<HashSet<u64>>,
    /// Calls that gave way to a signal handler, by thread.
    interrupted: Mutex<HashMap<u32, (i32, [u64; 6])>>,
    interrupted_count: AtomicUsize,
    privileged: Option<Privileged>,
}

/// This process's credentials, where they are worth borrowing.
struct Privileged {
    own: Status,
}

impl Privileged {
    fn look() -> Option<Self> {
        let own = Status::read(std::process::id()).ok()?;
        let [_, effective, ..] = own.uids;
        (effective == 0 || own.capabilities != 0).then_some(Self { own })
    }
}

impl Shared {
    fn receive(self: &Arc<Self>, holder: &Holder, roles: &Roles) {
        let mut buffer = Vec::new();
        while let Ok(Some(notification)) = self.listener.receive() {
            if !holder.turn(roles, || self.arrived(&notification, &mut buffer)) {
                return;
            }
        }
        roles.end();
        self.waiting.wake();
    }

    /// A call has come.
    fn arrived(self: &Arc<Self>, notification: &Notification, buffer: &mut Vec<u8>) {
        match self.take_up(notification) {
            Ok(Some(task)) => self.drive(task, None, buffer),
            Ok(None) => {}
            Err(answer) => self.listener.answer(notification.id, answer),
        }
    }

    /// Makes a task of a call, or its answer. None: its thread is gone.
    fn take_up(&self, notification: &Notification) -> Result<Option<Task>, Answer> {
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
            self.refuse(notification.tid, refusal);
            return Err(error(errno));
        };
        let [first, second, third, ..] = notification.arguments;
        let fd = first as u32 as i32;
        if kind == CallKind::Connect && fd == -1 {
            return Err(error(self.report(notification, second, third)));
        }
        let (target, own) = self
            .targets
            .descriptor(notification.tid, fd)
            .map_err(|errno| error(self.cannot_look(notification.tid, errno)))?;
        let readable = |errno| match errno {
            Errno::EPERM | Errno::EACCES | Errno::ESRCH => {
                error(self.cannot_look(notification.tid, errno))
            }
            errno => error(errno),
        };
        let work = match kind {
            CallKind::Connect => {
                let memory = Memory::of(notification.tid);
                let address = Address::copy(memory, second, third).map_err(readable)?;
                Work::Connect(Connect::new(address))
            }
            CallKind::SendTo => Work::Send(Box::new(Send::to(notification).map_err(readable)?)),
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
        if !self.listener.is_waiting(notification.id) {
            return Ok(None);
        }
        Ok(Some(Task {
            notification: *notification,
            target,
            socket,
            kind,
            work,
            resumed: self.comes_again(notification),
            begun: Instant::now(),
            held: None,
            timeout: None,
            again: None,
            polled: false,
        }))
    }

    /// What a hook says by `connect(-1, …)`.
    fn report(&self, notification: &Notification, address: u64, length: u64) -> Errno {
        let length = length as u32 as usize;
        if length == 0 || length > REPORT_MAX {
            return Errno::EBADF;
        }
        let mut report = vec![0; length];
        let memory = Memory::of(notification.tid);
        if memory.read(address, &mut report).is_err() {
            return Errno::EBADF;
        }
        match self.targets.open(notification.tid) {
            Ok(target) if self.listener.is_waiting(notification.id) => {
                self.decide.report(target.caller, &report)
            }
            _ => Errno::EBADF,
        }
    }

    /// The errno for a descriptor that could not be duplicated.
    fn cannot_look(&self, tid: u32, errno: Errno) -> Errno {
        let refusal = match errno {
            Errno::EBADF => return errno,
            Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => Refusal::OutOfResources(errno),
            _ => Refusal::Unreadable(errno),
        };
        self.refuse(tid, refusal);
        Errno::ECONNREFUSED
    }

    fn refuse(&self, tid: u32, refusal: Refusal) {
        let pid = self.targets.open(tid).map_or(tid, |it| it.caller.pid);
        self.decide.refused(Caller { pid, tid }, refusal);
    }

    /// Carries a call on until it is answered or waits.
    fn drive(self: &Arc<Self>, mut task: Task, mut verdict: Option<Verdict>, buffer: &mut Vec<u8>) {
        loop {
            match self.step(&mut task, verdict.take(), buffer) {
                Step::Done(answer) => return self.finish(task, answer),
                Step::Gone => return task.withdraw(Withdrawn::Gone),
                Step::Wait(again) => {
                    task.again = again.map(|it| Instant::now() + it);
                    task.read_timeout();
                    // Where the time to look again is known, readiness would only spin.
                    return self.put(task, again.is_none());
                }
                Step::Ask(destination) => match self.ask(task, destination) {
                    Some((asked, said)) => {
                        task = asked;
                        verdict = Some(said);
                    }
                    None => return,
                },
            }
        }
    }

    fn step(&self, task: &mut Task, verdict: Option<Verdict>, buffer: &mut Vec<u8>) -> Step {
        let id = task.notification.id;
        let context = Context {
            target: &task.target,
            socket: &task.socket,
            surroundings: self,
            is_waiting: &|| self.listener.is_waiting(id),
        };
        task.work.step(&context, verdict, buffer)
    }

    /// Asks; gives the task back where the verdict is there already.
    fn ask(self: &Arc<Self>, mut task: Task, destination: Destination) -> Option<(Task, Verdict)> {
        let (reply, slot) = Reply::new();
        let call = Call {
            caller: task.target.caller,
            kind: task.kind,
            destination,
            resumed: std::mem::take(&mut task.resumed),
        };
        let withdraw = self.decide.decide(call, reply);
        if let Some(verdict) = slot.verdict() {
            let verdict = self.said(&task, verdict);
            return Some((task, verdict));
        }
        task.held = Some(Held {
            slot: Arc::clone(&slot),
            withdraw,
        });
        task.read_timeout();
        let id = task.notification.id;
        self.put(task, false);
        let waker = Arc::clone(self);
        if slot.hold(move || waker.waiting.decided(id)) {
            return None;
        }
        // The verdict came while it was put down.
        self.take_decided(id)
    }

    fn take_decided(&self, id: u64) -> Option<(Task, Verdict)> {
        let is_decided = |task: &Task| {
            task.held
                .as_ref()
                .is_some_and(|held| held.slot.verdict().is_some())
        };
        let mut task = self.waiting.take(id, is_decided)?;
        let verdict = task.held.take()?.slot.verdict()?;
        let verdict = self.said(&task, verdict);
        Some((task, verdict))
    }

    fn said(&self, task: &Task, verdict: Option<Verdict>) -> Verdict {
        verdict.unwrap_or_else(|| {
            self.decide.refused(task.target.caller, Refusal::Unanswered);
            Verdict::Deny
        })
    }

    fn put(&self, task: Task, poll: bool) {
        if let Err(refused) = self.waiting.put(task, poll) {
            let (task, errno) = *refused;
            let refusal = Refusal::OutOfResources(errno);
            self.decide.refused(task.target.caller, refusal);
            self.finish(task, Answer::Error(Errno::ECONNREFUSED));
        }
    }

    fn finish(&self, mut task: Task, answer: Answer) {
        task.withdraw(Withdrawn::Gone);
        let id = task.notification.id;
        // First ours: when the caller closes its own, the connection must end.
        drop(task);
        self.listener.answer(id, answer);
    }

    /// Carries on what waits, looks for signals, ends what has waited too long.
    fn carry_on(self: &Arc<Self>, holder: &Holder, roles: &Roles) {
        let mut buffer = Vec::new();
        let mut signals_at: Option<Instant> = None;
        let mut next = None;
        while !roles.has_ended() {
            let until = [next, signals_at].into_iter().flatten().min();
            let ready = self.waiting.next(until);
            let go_on = holder.turn(roles, || {
                for id in ready {
                    self.ready(id, &mut buffer);
                }
                let now = Instant::now();
                let (later, due) = self.waiting.due(now);
                next = later;
                for id in due {
                    next = Some(now);
                    self.due(id, now, &mut buffer);
                }
                signals_at = self.look_for_signals(signals_at, now);
            });
            if !go_on {
                return;
            }
        }
        for mut task in self.waiting.drain() {
            task.withdraw(Withdrawn::Gone);
        }
    }

    /// A verdict has come, or the socket is ready.
    fn ready(self: &Arc<Self>, id: u64, buffer: &mut Vec<u8>) {
        if let Some((task, verdict)) = self.take_decided(id) {
            self.drive(task, Some(verdict), buffer);
        } else if let Some(task) = self.waiting.take(id, |task| task.held.is_none()) {
            self.drive(task, None, buffer);
        }
    }

    fn due(self: &Arc<Self>, id: u64, now: Instant, buffer: &mut Vec<u8>) {
        if let Some(mut task) = self.waiting.take(id, |task| task.is_overdue(now)) {
            task.withdraw(Withdrawn::TimedOut);
            let answer = task.work.timed_out();
            self.finish(task, answer);
        } else {
            self.ready(id, buffer);
        }
    }

    /// Ends the calls whose threads have a signal or are gone. Returns when to look again.
    fn look_for_signals(&self, at: Option<Instant>, now: Instant) -> Option<Instant> {
        let watched = self.waiting.watched();
        if watched.is_empty() {
            return None;
        }
        let each = SIGNALS_EACH.saturating_mul(watched.len().try_into().unwrap_or(u32::MAX));
        let pause = SIGNALS_EVERY.max(each);
        match at {
            Some(at) if at <= now => {}
            at => return at.or(Some(now + pause)),
        }
        for it in watched {
            if !self.listener.is_waiting(it.id) {
                if let Some(mut task) = self.waiting.take(it.id, |_| true) {
                    task.withdraw(Withdrawn::Gone);
                }
                continue;
            }
            let exact = match signals::pending(it.pid, it.tid) {
                Pending::Nothing => continue,
                Pending::Surely => true,
                Pending::Perhaps => false,
            };
            if let Some(mut task) = self.waiting.take(it.id, |_| true) {
                task.withdraw(Withdrawn::Interrupted);
                self.remember(&task.notification);
                let answer = task.work.interrupted(task.has_timeout(), exact);
                self.finish(task, answer);
            }
        }
        Some(Instant::now() + pause)
    }

    fn remember(&self, notification: &Notification) {
        let mut interrupted = lock(&self.interrupted);
        if interrupted.len() >= INTERRUPTED_MAX {
            interrupted.clear();
        }
        let call = (notification.number, notification.arguments);
        interrupted.insert(notification.tid, call);
        self.interrupted_count
            .store(interrupted.len(), Ordering::Relaxed);
    }

    /// Whether this call gave way to a signal handler before.
    fn comes_again(&self, notification: &Notification) -> bool {
        if self.interrupted_count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut interrupted = lock(&self.interrupted);
        let call = interrupted.remove(&notification.tid);
        self.interrupted_count
            .store(interrupted.len(), Ordering::Relaxed);
        call == Some((notification.number, notification.arguments))
    }
}

impl Surroundings for Shared {
    fn refused(&self, caller: Caller, refusal: Refusal) {
        self.decide.refused(caller, refusal);
    }

    fn claim(&self, inode: u64) -> bool {
        lock(&self.claimed).insert(inode)
    }

    fn unclaim(&self, inode: u64) {
        lock(&self.claimed).remove(&inode);
    }

    fn differs_in_credentials(&self, tid: u32) -> bool {
        let Some(privileged) = &self.privileged else {
            // Without privileges no target can have others than ours.
            return false;
        };
        Status::read(tid).map_or(true, |it| {
            (it.uids, it.gids, it.capabilities)
                != (
                    privileged.own.uids,
                    privileged.own.gids,
                    privileged.own.capabilities,
                )
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
