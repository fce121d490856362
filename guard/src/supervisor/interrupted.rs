//! Calls that gave way to a signal, until they come again.
//!
//! A call whose process is stopped keeps its place with whoever decides: the kernel makes the same
//! call again when the process goes on, so nobody is asked twice, and a verdict that comes
//! meanwhile is not lost. (hallpass's own terminal prompt stops the job that it asks about.)

use crate::decide::Withdrawn;
use crate::listener::Notification;
use crate::target::{Status, Target};
use crate::task::{Held, Task};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Calls that are remembered.
const MAX: usize = 1024;
/// How long a thread that goes on may take to make its call again.
const PATIENCE: Duration = Duration::from_secs(1);

/// By thread.
#[derive(Default)]
pub(super) struct Interrupted {
    calls: Mutex<HashMap<u32, Before>>,
    /// Of `calls`, so that nobody takes the lock for nothing.
    count: AtomicUsize,
}

struct Before {
    number: i32,
    arguments: [u64; 6],
    parked: Option<Parked>,
}

/// A held call of a stopped process.
pub(super) struct Parked {
    pub(super) held: Held,
    pub(super) begun: Instant,
    target: Arc<Target>,
    /// Since when its thread is seen to go on, without the call.
    running_since: Option<Instant>,
}

impl Interrupted {
    /// A call ends for a signal handler.
    pub(super) fn remember(&self, task: &Task) {
        self.put(&task.notification, None);
    }

    /// A held call ends for a stop.
    pub(super) fn park(&self, task: &mut Task) {
        let parked = task.held.take().map(|held| Parked {
            held,
            begun: task.begun,
            target: Arc::clone(&task.target),
            running_since: None,
        });
        self.put(&task.notification, parked);
    }

    fn put(&self, notification: &Notification, parked: Option<Parked>) {
        let before = Before {
            number: notification.number,
            arguments: notification.arguments,
            parked,
        };
        let mut calls = self.lock();
        let mut lost = Vec::new();
        if calls.len() >= MAX {
            lost.extend(calls.drain().map(|(_, before)| before));
        }
        lost.extend(calls.insert(notification.tid, before));
        self.count.store(calls.len(), Ordering::Relaxed);
        drop(calls);
        for held in lost.into_iter().filter_map(|before| before.parked) {
            held.held.withdraw(Withdrawn::Interrupted);
        }
    }

    /// Whether this call gave way before, and its place where that was kept.
    pub(super) fn take(&self, notification: &Notification) -> (bool, Option<Parked>) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return (false, None);
        }
        let mut calls = self.lock();
        let Some(before) = calls.remove(&notification.tid) else {
            return (false, None);
        };
        self.count.store(calls.len(), Ordering::Relaxed);
        drop(calls);
        let same =
            (before.number, before.arguments) == (notification.number, notification.arguments);
        match before.parked {
            // The number may be another thread's by now.
            Some(parked) if !same || parked.target.has_ended() => {
                parked.held.withdraw(Withdrawn::Gone);
                (false, None)
            }
            parked => (same, parked),
        }
    }

    /// Gives up the places of threads that have ended, or go on without their call. True where
    /// any place is still kept.
    pub(super) fn look(&self, now: Instant) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut lost = Vec::new();
        let mut calls = self.lock();
        for before in calls.values_mut() {
            if let Some(why) = before.parked.as_mut().and_then(|it| it.is_lost(now)) {
                lost.extend(before.parked.take().map(|parked| (parked, why)));
            }
        }
        let any = calls.values().any(|before| before.parked.is_some());
        drop(calls);
        for (parked, why) in lost {
            parked.held.withdraw(why);
        }
        any
    }

    /// Everything, for the end.
    pub(super) fn drain(&self) -> Vec<Held> {
        let calls = self.lock().drain().collect::<Vec<_>>();
        let parked = calls.into_iter().filter_map(|(_, before)| before.parked);
        parked.map(|parked| parked.held).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Before>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked {
    fn is_lost(&mut self, now: Instant) -> Option<Withdrawn> {
        if self.target.has_ended() {
            return Some(Withdrawn::Gone);
        }
        let stopped = Status::read(self.target.caller.tid)
            .is_ok_and(|status| matches!(status.state, 'T' | 't'));
        if stopped {
            self.running_since = None;
            return None;
        }
        let since = *self.running_since.get_or_insert(now);
        (now.saturating_duration_since(since) > PATIENCE).then_some(Withdrawn::Interrupted)
    }
}
