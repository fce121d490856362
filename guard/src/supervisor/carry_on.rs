//! Calls that wait: going on with them, their signals, their time.

use super::{Shared, lock};
use crate::decide::Withdrawn;
use crate::listener::Notification;
use crate::roles::{Holder, Roles};
use crate::signals::{self, Pending};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often signals of waiting calls are looked for: at least so far apart, …
const SIGNALS_EVERY: Duration = Duration::from_millis(20);
/// … and for each call that waits so much further, which bounds the work (about 20 µs a call).
const SIGNALS_EACH: Duration = Duration::from_micros(400);
/// Interrupted calls that are remembered until they come again.
const INTERRUPTED_MAX: usize = 1024;

impl Shared {
    /// Carries on what waits, looks for signals, ends what has waited too long.
    pub(super) fn carry_on(self: &Arc<Self>, holder: &Holder, roles: &Roles) {
        let mut buffer = Vec::new();
        let mut signals_at: Option<Instant> = None;
        // At once: what a thread that was replaced had in mind, nobody knows.
        let mut next = Some(Instant::now());
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
}
