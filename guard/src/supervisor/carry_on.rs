//! Calls that wait: going on with them, their signals, their time.

use super::Shared;
use crate::answer::Answer;
use crate::decide::Withdrawn;
use crate::roles::{Holder, Roles};
use crate::signals::{self, Pending};
use crate::task::Task;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often signals of waiting calls are looked for: at least so far apart, …
const SIGNALS_EVERY: Duration = Duration::from_millis(20);
/// … and for each call that waits so much further, which bounds the work (about 20 µs a call).
const SIGNALS_EACH: Duration = Duration::from_micros(400);
/// How often calls of stopped processes are looked at where nothing else waits.
const STOPPED_EVERY: Duration = Duration::from_millis(200);

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
        for held in self.interrupted.drain() {
            held.withdraw(Withdrawn::Gone);
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
            let answer = task.job.timed_out();
            self.finish(task, answer);
        } else {
            self.ready(id, buffer);
        }
    }

    /// Ends the calls whose threads have a signal or are gone. Returns when to look again.
    fn look_for_signals(&self, at: Option<Instant>, now: Instant) -> Option<Instant> {
        let watched = self.waiting.watched();
        let each = SIGNALS_EACH.saturating_mul(watched.len().try_into().unwrap_or(u32::MAX));
        let pause = SIGNALS_EVERY.max(each);
        match at {
            Some(at) if at <= now => {}
            at if !watched.is_empty() => return at.or(Some(now + pause)),
            at => return at,
        }
        let mut any_stopped = self.interrupted.look(now);
        for it in watched {
            if !self.listener.is_waiting(it.id) {
                if let Some(mut task) = self.waiting.take(it.id, |_| true) {
                    task.withdraw(Withdrawn::Gone);
                }
                continue;
            }
            let pending = signals::pending(it.pid, it.tid);
            if pending != Pending::Nothing
                && let Some(task) = self.waiting.take(it.id, |_| true)
            {
                any_stopped |= pending == Pending::Stop;
                self.interrupt(task, pending);
            }
        }
        if self.waiting.watched().is_empty() {
            any_stopped.then(|| Instant::now() + STOPPED_EVERY)
        } else {
            Some(Instant::now() + pause)
        }
    }

    fn interrupt(&self, mut task: Task, pending: Pending) {
        // Not even a timeout keeps a call from going on after a stop, though signal(7) would let
        // it: the stop may be our own prompt's.
        let has_timeout = task.has_timeout() && pending != Pending::Stop;
        let answer = task
            .job
            .interrupted(has_timeout, pending != Pending::Perhaps);
        if pending == Pending::Stop && matches!(answer, Answer::Restart) {
            self.interrupted.park(&mut task);
        } else {
            task.withdraw(Withdrawn::Interrupted);
            self.interrupted.remember(&task);
        }
        self.finish(task, answer);
    }
}
