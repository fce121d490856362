//! Calls that wait: how they join a question, how they leave it, and how many there may be.

use super::question::{Key, Open};
use super::{
    AskId, Effect, Engine, MAX_QUESTIONS, MAX_QUESTIONS_PER_APP, MAX_WAITING, MAX_WAITING_PER_APP,
    Ruling, Step, Waiting,
};
use crate::control::protocol::QuestionId;
use crate::event::{FlowLine, Kind};
use crate::flow::Flow;
use crate::verdict::{Fallback, Source, Verdict};
use std::time::Instant;

impl Engine {
    pub(super) fn ask_somebody(
        &mut self,
        ask: AskId,
        flow: Flow,
        why: String,
        now: Instant,
    ) -> Step {
        if !self.somebody_may_answer() {
            return self.refuse(&flow, Fallback::NobodyToAsk);
        }
        let key = Key::of(&self.offered(&flow));
        if let Some(id) = self.by_key.get(&key).copied() {
            return self.hold_or_refuse(ask, flow, Some(id), now);
        }
        let same_app = |open: &&Open| open.key.app == key.app;
        if self.questions.len() >= MAX_QUESTIONS
            || self.questions.values().filter(same_app).count() >= MAX_QUESTIONS_PER_APP
            || self.is_full(&flow)
        {
            return self.refuse(&flow, Fallback::TooManyWaiting);
        }
        self.last_question += 1;
        let id = self.last_question;
        self.effects.push(Effect::Event(Kind::Asked {
            question: id,
            flow: FlowLine::of(&flow),
            argv: flow.app.argv.clone(),
        }));
        self.by_key.insert(key.clone(), id);
        let open = Open::new(key, flow.clone(), why, self.settings.ask_timeout, now);
        self.questions.insert(id, open);
        let step = self.hold_or_refuse(ask, flow, Some(id), now);
        self.effects.push(Effect::Show(id));
        step
    }

    pub(super) fn hold_or_refuse(
        &mut self,
        ask: AskId,
        flow: Flow,
        question: Option<QuestionId>,
        now: Instant,
    ) -> Step {
        if self.is_full(&flow) {
            return self.refuse(&flow, Fallback::TooManyWaiting);
        }
        if let Some(open) = question.and_then(|id| self.questions.get_mut(&id)) {
            open.asks.insert(ask);
            open.grace_until = None;
            open.count_changed(now);
        }
        self.waiting.insert(ask, Waiting { flow, question });
        Step::Held
    }

    fn refuse(&mut self, flow: &Flow, reason: Fallback) -> Step {
        self.decided(flow, Verdict::Deny, Source::Fallback { reason })
    }

    fn is_full(&self, flow: &Flow) -> bool {
        let app = flow.app.identity();
        self.waiting.len() >= MAX_WAITING
            || (self.waiting.len() >= MAX_WAITING_PER_APP
                && self
                    .waiting
                    .values()
                    .filter(|waiting| waiting.flow.app.identity() == app)
                    .count()
                    >= MAX_WAITING_PER_APP)
    }

    fn somebody_may_answer(&self) -> bool {
        !self.askable.is_empty()
            || self.settings.ask_timeout.is_some()
            || self.settings.client_expected_until.is_some()
    }

    pub(super) fn refuse_if_nobody_is_left(&mut self, _now: Instant) {
        if self.somebody_may_answer() {
            return;
        }
        let open: Vec<QuestionId> = self.questions.keys().copied().collect();
        for id in open {
            self.fall_back(id, Fallback::NobodyToAsk);
        }
    }

    /// Refuses all that waits in a question now, by a named fallback.
    pub(super) fn fall_back(&mut self, id: QuestionId, reason: Fallback) -> usize {
        let source = Source::Fallback { reason };
        let asks = match self.questions.get(&id) {
            Some(open) => open.asks.clone(),
            None => return 0,
        };
        for ask in &asks {
            self.settle(*ask, Verdict::Deny, source.clone());
        }
        self.close(id, Some(Verdict::Deny), Some(source));
        asks.len()
    }

    pub(super) fn close_unanswered(&mut self, id: QuestionId) {
        self.effects.push(Effect::Event(Kind::Answered {
            question: id,
            verdict: None,
            by: "caller gone".to_owned(),
            rule: None,
            settled: 0,
        }));
        self.close(id, None, None);
    }

    pub(super) fn close(
        &mut self,
        id: QuestionId,
        verdict: Option<Verdict>,
        source: Option<Source>,
    ) {
        let Some(open) = self.questions.remove(&id) else {
            return;
        };
        self.by_key.remove(&open.key);
        self.effects.push(Effect::Close {
            question: id,
            verdict,
            source,
        });
    }

    pub(super) fn settle(&mut self, ask: AskId, verdict: Verdict, source: Source) {
        let Some(waiting) = self.waiting.remove(&ask) else {
            return;
        };
        if let Some(id) = waiting.question
            && let Some(open) = self.questions.get_mut(&id)
        {
            open.asks.remove(&ask);
            if open.asks.is_empty() {
                self.close(id, Some(verdict), Some(source.clone()));
            } else {
                self.effects.push(Effect::Show(id));
            }
        }
        self.decided(&waiting.flow, verdict, source.clone());
        self.effects.push(Effect::Settle {
            ask,
            verdict,
            source,
        });
    }

    pub(super) fn decided(&mut self, flow: &Flow, verdict: Verdict, source: Source) -> Step {
        self.count(verdict, 1);
        self.effects.push(Effect::Event(Kind::Decided {
            flow: FlowLine::of(flow),
            verdict,
            source: source.clone(),
            count: 1,
        }));
        Step::Decided(verdict, source)
    }

    /// Every waiting call meets the rules as they are now.
    pub(super) fn decide_all_anew(&mut self, now: Instant, wall: jiff::Timestamp) {
        if self.halted {
            return;
        }
        let asks: Vec<AskId> = self.waiting.keys().copied().collect();
        for ask in asks {
            let Some(waiting) = self.waiting.get(&ask) else {
                continue;
            };
            match self.rule_on(&waiting.flow, wall) {
                Ruling::Settled(verdict, source) => self.settle(ask, verdict, source),
                Ruling::Ask { .. } if waiting.question.is_some() => {}
                Ruling::Ask { why } => {
                    // It waited through a halt, and is asked about only now.
                    if let Some(waiting) = self.waiting.remove(&ask)
                        && let Step::Decided(verdict, source) =
                            self.ask_somebody(ask, waiting.flow, why, now)
                    {
                        self.effects.push(Effect::Settle {
                            ask,
                            verdict,
                            source,
                        });
                    }
                }
            }
        }
    }
}
