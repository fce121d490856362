//! Time: what runs out by itself, and when that is next.

use super::{Effect, Engine};
use crate::verdict::Fallback;
use std::time::Instant;

impl Engine {
    /// Lets time pass: out-of-time questions, expired answers, grace, people who never came.
    pub fn tick(&mut self, now: Instant) {
        self.expire(now);
        let (mut late, mut left_alone) = (Vec::new(), Vec::new());
        for (id, open) in &mut self.questions {
            if open.refresh_at.is_some_and(|at| at <= now) {
                open.refresh_at = None;
                self.effects.push(Effect::Show(*id));
            }
            if open.clock.is_over(now) {
                late.push(*id);
            } else if open.asks.is_empty() && open.alone_until.is_some_and(|until| until <= now) {
                left_alone.push(*id);
            }
        }
        for id in late {
            self.fall_back(id, Fallback::Timeout);
        }
        for id in left_alone {
            self.close_unanswered(id);
        }
        if self
            .settings
            .client_expected_until
            .is_some_and(|until| until <= now)
        {
            self.settings.client_expected_until = None;
            self.refuse_if_nobody_is_left(now);
        }
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let questions = self
            .questions
            .values()
            .flat_map(|open| [open.clock.ends(), open.alone_until, open.refresh_at])
            .flatten();
        questions
            .chain(self.next_expiry())
            .chain(self.settings.client_expected_until)
            .min()
    }
}
