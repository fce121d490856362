//! Stopping everything, for a while or for good.

use super::{AskId, Engine};
use crate::control::protocol::QuestionId;
use crate::verdict::{Fallback, Source, Verdict};
use std::time::Instant;

impl Engine {
    /// Holds every call from now on, and asks nobody.
    pub fn halt(&mut self) {
        self.halted = true;
        self.generation += 1;
        let open: Vec<QuestionId> = self.questions.keys().copied().collect();
        for id in open {
            if let Some(open) = self.close(id, None, None)
                && open.is_for_a_retry()
            {
                self.aside.push(open);
            }
        }
        for waiting in self.waiting.values_mut() {
            waiting.question = None;
        }
    }

    /// Ends a halt: everything that waits is decided anew.
    pub fn release(&mut self, now: Instant, wall: jiff::Timestamp) {
        self.halted = false;
        self.take_up_again(now, wall);
        self.decide_all_anew(now, wall);
    }

    /// Refuses everything that waits, for good: the session ends.
    pub fn refuse_all(&mut self, reason: Fallback) {
        let open: Vec<QuestionId> = self.questions.keys().copied().collect();
        for id in open {
            self.fall_back(id, reason);
        }
        self.aside.clear();
        let rest: Vec<AskId> = self.waiting.keys().copied().collect();
        for ask in rest {
            self.settle(ask, Verdict::Deny, Source::Fallback { reason });
        }
    }
}
