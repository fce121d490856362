//! Time in a session: the engine's deadlines, what kept verdicts have counted meanwhile, and the end.

use super::Core;
use super::state::State;
use crate::engine::Totals;
use crate::event::Kind;
use crate::verdict::Fallback;
use std::sync::PoisonError;
use std::time::Instant;

impl Core {
    /// Refuses all that waits, says the totals, and stops the clock.
    pub fn shut_down(&self, reason: Fallback) -> Totals {
        let mut state = self.lock();
        state.engine.refuse_all(reason);
        self.carry_out(&mut state, Instant::now());
        self.shared.repeats.void();
        self.take_counts(&mut state);
        let totals = state.engine.totals();
        self.publish(
            &mut state,
            Kind::Totals {
                allowed: totals.allowed,
                denied: totals.denied,
            },
        );
        state.is_over = true;
        self.shared.changed.notify_all();
        totals
    }

    /// True after [`Self::shut_down`].
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Lets the engine's time pass until [`Self::shut_down`]; a thread of its own runs this.
    pub fn run_clock(&self) {
        let mut state = self.lock();
        while !state.is_over {
            let now = Instant::now();
            let next = state.next_deadline();
            state.clock_sleeps_until = next;
            state = match next {
                Some(deadline) if deadline <= now => {
                    state.engine.tick(now);
                    if state.next_taking.is_some_and(|at| at <= now) {
                        self.take_counts(&mut state);
                    }
                    self.carry_out(&mut state, now);
                    state
                }
                Some(deadline) => {
                    let wait = self.shared.changed.wait_timeout(state, deadline - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let wait = self.shared.changed.wait(state);
                    wait.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    /// Records what kept verdicts have settled since the last time.
    pub(super) fn take_counts(&self, state: &mut State) {
        let mut counted = self.shared.repeats.take();
        let mut pause = self.shared.repeats.pause();
        if let Some(tally) = &mut state.tally {
            counted.append(&mut tally.take());
            pause = [pause, tally.pause()].into_iter().flatten().min();
        }
        state.next_taking = pause.map(|pause| Instant::now() + pause);
        for (kept, count) in counted {
            state.engine.count_for(kept.verdict, count, &kept.runs);
            let kind = Kind::Decided {
                flow: kept.flow,
                verdict: kept.verdict,
                source: kept.source,
                count,
            };
            self.publish(state, kind);
        }
    }

    /// Sooner, never later: counts must be taken also while verdicts are being kept.
    pub(super) fn take_counts_soon(&self, state: &mut State, now: Instant) {
        let soon = self.shared.repeats.pause().map(|pause| now + pause);
        state.next_taking = [state.next_taking, soon].into_iter().flatten().min();
        self.wake_clock(state);
    }

    /// Only where the clock would sleep too long: waking it costs more than most decisions.
    pub(super) fn wake_clock(&self, state: &State) {
        if let Some(next) = state.next_deadline()
            && state.clock_sleeps_until.is_none_or(|until| next < until)
        {
            self.shared.changed.notify_all();
        }
    }
}
