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

    /// Refuses whatever somebody is asked about, or would be from now on, until
    /// [`Self::release`] or the end: an answer to all questions at once. What rules decide stays
    /// as it is. Gives how many calls that settled; a program that may try again counts as one.
    pub fn deny_rest(&mut self, by: &str, now: Instant, wall: jiff::Timestamp) -> usize {
        self.rest_denied_by = Some(by.to_owned());
        self.generation += 1;
        let retries = |engine: &Self| {
            let open = engine.questions.values();
            open.filter(|open| open.is_for_a_retry()).count()
        };
        let before = self.waiting.len() + retries(self);
        self.decide_all_anew(now, wall);
        before - self.waiting.len() - retries(self)
    }

    /// Ends a halt, and [`Self::deny_rest`]: everything that waits is decided anew.
    pub fn release(&mut self, now: Instant, wall: jiff::Timestamp) {
        self.halted = false;
        self.rest_denied_by = None;
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

#[cfg(test)]
mod tests {
    use super::super::Step;
    use super::super::tests::{Bench, answer, flow, rule};
    use crate::control::protocol::{Duration as For, Scope};
    use crate::verdict::{Source, Verdict};
    use hallpass_policy::Action;

    const WALL: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

    #[test]
    fn denying_the_rest_settles_all_questions_and_asks_no_more() {
        let mut bench = Bench::with(None, &[rule(Action::Allow, "10.0.0.7")]);
        bench.engine.client_joined(1);
        assert_eq!(bench.ask(1, flow("a", "192.0.2.1", 80)), Step::Held);
        assert_eq!(bench.ask(2, flow("b", "192.0.2.2", 80)), Step::Held);
        assert_eq!(bench.engine.deny_rest("terminal", bench.now, WALL), 2);
        let by = Source::Person {
            by: "terminal".to_owned(),
        };
        let settled = bench.settled();
        assert_eq!(settled.len(), 2);
        assert!(
            settled
                .iter()
                .all(|(_, verdict, source)| *verdict == Verdict::Deny && *source == by)
        );
        assert!(bench.pending().is_empty());
        let denied = Step::Decided(Verdict::Deny, by);
        assert_eq!(bench.ask(3, flow("c", "192.0.2.3", 80)), denied);
        // What a rule allows stays allowed.
        let allowed = bench.ask(4, flow("c", "10.0.0.7", 80));
        assert!(matches!(
            allowed,
            Step::Decided(Verdict::Allow, Source::Rule { .. })
        ));
        bench.engine.release(bench.now, WALL);
        assert_eq!(bench.ask(5, flow("c", "192.0.2.3", 80)), Step::Held);
    }

    #[test]
    fn answers_of_before_stay_and_a_halt_ends_in_refusals() {
        let mut bench = Bench::new();
        bench.ask(1, flow("a", "192.0.2.1", 80));
        bench.answer(1, &answer(Verdict::Allow, For::Run, Scope::Host));
        bench.engine.halt();
        bench.ask(2, flow("a", "192.0.2.1", 80));
        bench.ask(3, flow("a", "192.0.2.2", 80));
        // A halt holds all the same.
        assert_eq!(bench.engine.deny_rest("shell", bench.now, WALL), 0);
        bench.settled();
        bench.engine.halted = false;
        bench.engine.decide_all_anew(bench.now, WALL);
        let settled = bench.settled();
        let verdicts: Vec<_> = settled
            .iter()
            .map(|(ask, verdict, _)| (*ask, *verdict))
            .collect();
        assert_eq!(verdicts, [(2, Verdict::Allow), (3, Verdict::Deny)]);
    }
}
