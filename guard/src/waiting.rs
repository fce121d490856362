//! Calls that wait: for a verdict, for their socket, for a moment.

use crate::task::{Job, Task};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the poller says when it is only to be woken.
const WAKE: u64 = u64::MAX;

/// The calls that wait, by the ids of their notifications.
pub(crate) struct Waiting {
    tasks: Mutex<HashMap<u64, Task>>,
    epoll: Epoll,
    wake: EventFd,
    /// Calls whose verdict has come.
    decided: Mutex<Vec<u64>>,
}

/// A call that waits, as far as its signals are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    pub(crate) id: u64,
    pub(crate) pid: u32,
    pub(crate) tid: u32,
}

impl Waiting {
    pub(crate) fn new() -> Result<Self, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        Ok(Self {
            tasks: Mutex::default(),
            epoll,
            wake,
            decided: Mutex::default(),
        })
    }

    /// Puts a call down. On an error it is given back.
    pub(crate) fn put(&self, mut task: Task, poll: bool) -> Result<(), Box<(Task, Errno)>> {
        let id = task.notification.id;
        let mut tasks = self.tasks();
        if poll && let Job::Make { socket, .. } = &task.job {
            let events = EpollFlags::EPOLLOUT | EpollFlags::EPOLLONESHOT;
            // Under the lock: whoever is told finds it in the table.
            if let Err(errno) = self.epoll.add(socket, EpollEvent::new(events, id)) {
                return Err(Box::new((task, errno)));
            }
            task.polled = true;
        }
        tasks.insert(id, task);
        drop(tasks);
        // Its time may be the next to run out, and its signals must be looked for.
        self.wake();
        Ok(())
    }

    /// Takes a call up, if it is there and `is_it` says so.
    pub(crate) fn take(&self, id: u64, is_it: impl FnOnce(&Task) -> bool) -> Option<Task> {
        let mut tasks = self.tasks();
        if !is_it(tasks.get(&id)?) {
            return None;
        }
        let mut task = tasks.remove(&id)?;
        if std::mem::take(&mut task.polled)
            && let Job::Make { socket, .. } = &task.job
        {
            // Closing ours would leave it there: the target's own descriptor stays open.
            let _ = self.epoll.delete(socket);
        }
        Some(task)
    }

    /// A verdict has come for the call.
    pub(crate) fn decided(&self, id: u64) {
        self.lock_decided().push(id);
        self.wake();
    }

    /// Calls to go on with: their verdict has come, their socket is ready, or it is time. Sleeps
    /// until there is one, at most until `until`.
    pub(crate) fn next(&self, until: Option<Instant>) -> Vec<u64> {
        let now = Instant::now();
        let wait = until.map_or(EpollTimeout::NONE, |until| {
            // Rounded up: too early would only mean again.
            let left = until.saturating_duration_since(now) + Duration::from_micros(999);
            EpollTimeout::try_from(left).unwrap_or(EpollTimeout::MAX)
        });
        let mut events = [EpollEvent::empty(); 64];
        // EINTR: as if nothing had come.
        let count = self.epoll.wait(&mut events, wait).unwrap_or_default();
        let mut ready: Vec<u64> = events
            .iter()
            .take(count)
            .map(EpollEvent::data)
            .filter(|id| *id != WAKE)
            .collect();
        let _ = self.wake.read();
        ready.append(&mut self.lock_decided());
        ready
    }

    /// When the next call must be looked at by itself, and those whose time has come.
    pub(crate) fn due(&self, now: Instant) -> (Option<Instant>, Vec<u64>) {
        let (mut next, mut due) = (None::<Instant>, Vec::new());
        for (id, task) in self.tasks().iter() {
            match task.next_look() {
                Some(at) if at <= now => due.push(*id),
                Some(at) => next = Some(next.map_or(at, |it| it.min(at))),
                None => {}
            }
        }
        (next, due)
    }

    pub(crate) fn watched(&self) -> Vec<Watched> {
        let watched = |(id, task): (&u64, &Task)| Watched {
            id: *id,
            pid: task.target.caller.pid,
            tid: task.target.caller.tid,
        };
        self.tasks().iter().map(watched).collect()
    }

    /// Everything, for the end.
    pub(crate) fn drain(&self) -> Vec<Task> {
        self.tasks().drain().map(|(_, task)| task).collect()
    }

    pub(crate) fn wake(&self) {
        // Full means that it will wake anyway.
        let _ = self.wake.write(1);
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<u64, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_decided(&self) -> MutexGuard<'_, Vec<u64>> {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
