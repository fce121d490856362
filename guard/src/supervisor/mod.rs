//! Receives calls, has them decided, makes them in their callers' place.
//!
//! One thread receives, and does at once whatever does not wait; a second carries on what has had
//! to wait; [`crate::roles`] replaces either when it is held up.

mod arrive;
mod carry_on;
mod claims;
mod interrupted;
mod made;

use crate::answer::Answer;
use crate::call::{Context, Step, Surroundings};
use crate::copies::Copies;
use crate::decide::{
    Answered, Call, Caller, Decide, Destination, Refusal, Reply, Verdict, Withdrawn,
};
use crate::listener::{Listener, Notification};
use crate::rights::{Own, Rights};
use crate::roles::Roles;
use crate::target::Targets;
use crate::task::{Held, Job, Matter, Task};
use crate::waiting::Waiting;
use claims::Claims;
use interrupted::Interrupted;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

/// The supervisor of one program. It works until no process of it is left, or this process ends;
/// then every call that would reach it fails with ENOSYS.
#[derive(Debug)]
pub struct Supervisor {
    copies: Option<Arc<Copies>>,
}

impl Supervisor {
    /// Starts to answer `listener`'s calls with what `decide` says, in threads of this process.
    ///
    /// # Errors
    /// Where the kernel has no thread or descriptor left.
    pub fn start(listener: Listener, decide: Arc<dyn Decide>) -> io::Result<Self> {
        raise_descriptor_limit();
        let copies = match listener.makes_sockets() {
            true => Some(Copies::start()?),
            false => None,
        };
        let shared = Arc::new(Shared {
            listener,
            decide,
            targets: Targets::new(copies.clone()),
            copies: copies.clone(),
            waiting: Waiting::new()?,
            claims: Claims::default(),
            interrupted: Interrupted::default(),
            own: Own::look(),
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
        Ok(Self { copies })
    }

    /// Lets go of sockets that no process of the program has any more, so that their ports are
    /// free for whoever comes next. That happens by itself, but only a moment later.
    pub fn let_go(&self) {
        if let Some(copies) = &self.copies {
            copies.sweep_now();
        }
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
    /// Where targets' sockets cannot be duplicated.
    copies: Option<Arc<Copies>>,
    waiting: Waiting,
    claims: Claims,
    interrupted: Interrupted,
    own: Own,
}

impl Shared {
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
                Step::Ask(matter) => match self.ask(task, matter) {
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
        match &mut task.job {
            Job::Make { socket, work, .. } => {
                let context = Context {
                    target: &task.target,
                    socket,
                    surroundings: self,
                    id,
                    is_sure: &task.is_sure,
                };
                work.step(&context, verdict, buffer)
            }
            Job::Report(report) => match verdict {
                None => Step::Ask(Matter::Report(Arc::clone(report))),
                Some(Verdict::Allow) => Step::Done(Answer::Error(Errno::EBADF)),
                Some(Verdict::Deny | Verdict::Probe) => {
                    Step::Done(Answer::Error(Errno::ECONNREFUSED))
                }
            },
        }
    }

    /// Asks; gives the task back where the verdict is there already.
    fn ask(self: &Arc<Self>, mut task: Task, matter: Matter) -> Option<(Task, Verdict)> {
        let held = match task.parked.take() {
            Some(held) if held.matter == matter => held,
            other => {
                if let Some(other) = other {
                    other.withdraw(Withdrawn::Interrupted);
                }
                match self.ask_at_once(&task, matter) {
                    Ok(verdict) => return Some((task, verdict)),
                    Err(matter) => self.ask_anew(&mut task, matter),
                }
            }
        };
        let slot = Arc::clone(&held.slot);
        if let Some(answered) = slot.answered() {
            let verdict = self.verdict(&task, answered);
            return Some((task, verdict));
        }
        task.held = Some(held);
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

    /// The verdict where it takes no time, else the matter again.
    fn ask_at_once(&self, task: &Task, matter: Matter) -> Result<Verdict, Matter> {
        let Job::Make { kind, .. } = &task.job else {
            return Err(matter);
        };
        let destination = match matter {
            Matter::Destination(destination) => destination,
            other @ Matter::Report(_) => return Err(other),
        };
        let call = Call {
            caller: task.target.caller,
            kind: *kind,
            destination,
            resumed: task.resumed,
        };
        let verdict = self.decide.at_once(&call);
        verdict.ok_or(Matter::Destination(call.destination))
    }

    fn ask_anew(&self, task: &mut Task, matter: Matter) -> Held {
        let (reply, slot) = Reply::new();
        let caller = task.target.caller;
        let withdraw = match (&matter, &task.job) {
            (Matter::Destination(destination), Job::Make { kind, .. }) => {
                let call = Call {
                    caller,
                    kind: *kind,
                    destination: destination.clone(),
                    resumed: std::mem::take(&mut task.resumed),
                };
                self.decide.decide(call, reply)
            }
            (Matter::Report(report), _) => self.decide.report(caller, report, reply),
            // No job asks that; the reply is dropped, which denies.
            (Matter::Destination(_), Job::Report(_)) => None,
        };
        Held {
            matter,
            slot,
            withdraw,
        }
    }

    fn take_decided(&self, id: u64) -> Option<(Task, Verdict)> {
        let is_decided = |task: &Task| {
            task.held
                .as_ref()
                .is_some_and(|held| held.slot.answered().is_some())
        };
        let mut task = self.waiting.take(id, is_decided)?;
        let answered = task.held.take()?.slot.answered()?;
        let verdict = self.verdict(&task, answered);
        Some((task, verdict))
    }

    fn verdict(&self, task: &Task, answered: Answered) -> Verdict {
        answered.unwrap_or_else(|refusal| {
            self.refuse(&task.notification, task.target.caller, refusal);
            Verdict::Deny
        })
    }

    /// Says what is refused of a call, unless nobody waits for it any more: whoever looks at a
    /// thread that is being killed finds nothing there, and nothing is refused to it.
    fn refuse(&self, notification: &Notification, caller: Caller, refusal: Refusal) {
        if self.listener.is_waiting(notification.id) {
            self.decide.refused(caller, refusal);
        }
    }

    fn put(&self, mut task: Task, poll: bool) {
        task.put_down();
        if let Err(refused) = self.waiting.put(task, poll) {
            let (task, errno) = *refused;
            let refusal = Refusal::OutOfResources(errno);
            self.refuse(&task.notification, task.target.caller, refusal);
            self.finish(task, Answer::Error(Errno::ECONNREFUSED));
        }
    }

    fn finish(&self, mut task: Task, answer: Answer) {
        task.withdraw(Withdrawn::Gone);
        let id = task.notification.id;
        if let (Some(copies), Job::Make { socket, .. }) = (&self.copies, &task.job) {
            copies.after(socket, &answer);
        }
        // First ours: when the caller closes its own, the connection must end.
        drop(task);
        self.listener.answer(id, answer);
    }
}

impl Surroundings for Shared {
    fn refused(&self, caller: Caller, refusal: Refusal) {
        self.decide.refused(caller, refusal);
    }

    fn connected(&self, caller: Caller, peer: u32, destination: &Destination) {
        self.decide.connected(caller, peer, destination);
    }

    fn claim(&self, socket: BorrowedFd<'_>) -> bool {
        self.claims.claim(socket)
    }

    fn unclaim(&self, socket: BorrowedFd<'_>) {
        self.claims.unclaim(socket);
    }

    fn is_waiting(&self, id: u64) -> bool {
        self.listener.is_waiting(id)
    }

    fn rights(&self, tid: u32) -> Rights {
        self.own.compare(tid)
    }
}
