//! `hallpass run` inside the session.

use super::Core;
use crate::engine::Totals;
use crate::nested::{Narrowing, RunId};
use std::time::Instant;

impl Core {
    /// A process has joined with rules for what it starts.
    pub(crate) fn nested_began(&self, id: RunId, keeper: u32, narrowing: Narrowing) {
        let mut state = self.lock();
        state.engine.nested_began(id, keeper, narrowing);
        self.carry_out(&mut state, Instant::now());
    }

    /// Nothing of it is left.
    pub(crate) fn nested_ended(&self, id: RunId) {
        let mut state = self.lock();
        state.engine.nested_ended(id);
        self.carry_out(&mut state, Instant::now());
    }

    /// Its calls so far, those that hooks have settled by kept verdicts included.
    pub(crate) fn nested_totals(&self, id: RunId) -> Totals {
        let mut state = self.lock();
        self.take_counts(&mut state);
        state.engine.nested_totals(id)
    }
}
