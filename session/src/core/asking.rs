//! Calls: decided by the engine, or like one that was decided before.

use super::state::State;
use super::tally::Kept;
use super::{Core, Way};
use crate::engine::{AskId, Step};
use crate::event::FlowLine;
use crate::flow::{App, Flow};
use crate::verdict::{Source, Verdict};
use hallpass_wire::Keep;
use std::sync::Arc;
use std::time::Instant;

/// What a call met.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// It is decided.
    Decided {
        /// Its verdict.
        verdict: Verdict,
        /// Why.
        source: Source,
        /// Present where the hook may keep the verdict.
        keep: Option<Keep>,
    },
    /// It waits; its verdict comes by the callback.
    Held(AskId),
}

impl Core {
    /// A new call. `reply` takes the verdict of a call that is held, once, from any thread and
    /// maybe before this returns; never if the call is withdrawn first.
    pub fn ask(&self, flow: Flow, reply: impl FnOnce(Verdict, &Source) + Send + 'static) -> Asked {
        self.ask_at_once(flow, |_, _, _| {}, reply)
    }

    /// [`Self::ask`] for a caller that is waiting already: where the call is decided, `at_once`
    /// hears so before anything is recorded, which takes longer than to decide. It runs under the
    /// lock; whoever looks at what was recorded once the caller has heard finds it there.
    pub fn ask_at_once(
        &self,
        flow: Flow,
        at_once: impl FnOnce(Verdict, &Source, Option<Keep>),
        reply: impl FnOnce(Verdict, &Source) + Send + 'static,
    ) -> Asked {
        let asked = self.put(reply, |state, ask, now, wall| {
            match state.engine.ask(ask, flow.clone(), now, wall) {
                Step::Decided(verdict, source) => {
                    let keep = state.keep(&flow, verdict, &source, now, wall);
                    self.void_if_changed(state);
                    at_once(verdict, &source, keep);
                    Some(Asked::Decided {
                        verdict,
                        source,
                        keep,
                    })
                }
                Step::Held => None,
            }
        });
        asked.unwrap_or_else(Asked::Held)
    }

    /// Puts something to the engine under a number of its own. Where `step` has nothing to say it
    /// is held: `reply` is kept for its verdict, and the number is returned.
    pub(super) fn put<T>(
        &self,
        reply: impl FnOnce(Verdict, &Source) + Send + 'static,
        step: impl FnOnce(&mut State, AskId, Instant, jiff::Timestamp) -> Option<T>,
    ) -> Result<T, AskId> {
        let mut state = self.lock();
        state.last_ask += 1;
        let ask = state.last_ask;
        let now = Instant::now();
        let answer = step(&mut state, ask, now, jiff::Timestamp::now());
        if answer.is_none() {
            state.replies.insert(ask, Box::new(reply));
        }
        self.carry_out(&mut state, now);
        answer.ok_or(ask)
    }

    /// A call of `app` like an earlier one whose verdict is still good; counts it.
    #[must_use]
    pub fn ask_again(&self, way: Way, app: &Arc<App>) -> Option<Verdict> {
        self.shared.repeats.give(way, app)
    }

    /// To be taken before anything is read that a call is decided by, for [`Self::ask_rules`].
    #[must_use]
    pub fn repeats_generation(&self) -> u64 {
        self.shared.repeats.generation()
    }

    /// A new call, if the rules decide it; else nothing has happened, and it is to be put to
    /// [`Self::ask`]. The verdict is good for equal calls until something changes
    /// ([`Self::ask_again`]): every name that matters to it must have been looked up
    /// ([`Self::names_wanted`]).
    pub fn ask_rules(&self, flow: &Flow, way: Way, generation: u64) -> Option<Verdict> {
        let mut state = self.lock();
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        let decided = state.engine.ask_rules(flow, now, wall);
        // First, so that what runs out just now is void before this is kept.
        self.carry_out(&mut state, now);
        let (verdict, source) = decided?;
        if state.engine.may_be_repeated(flow, &source) {
            let until = state.engine.next_expiry();
            let kept = Kept {
                flow: FlowLine::of(flow),
                verdict,
                source,
                runs: Arc::clone(&flow.runs),
            };
            let repeats = &self.shared.repeats;
            repeats.keep(way, &flow.app, generation, until, kept);
            self.take_counts_soon(&mut state, now);
        }
        Some(verdict)
    }
}
