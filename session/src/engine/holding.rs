//! Calls that wait: how they join a question, how they leave it, and how many there may be.

use super::nested::Why;
use super::question::{Key, Open};
use super::{
    AskId, Call, Effect, Engine, MAX_QUESTIONS, MAX_QUESTIONS_PER_APP, MAX_WAITING,
    MAX_WAITING_PER_APP, Ruling, Step, Waiting,
};
use crate::control::protocol::QuestionId;
use crate::event::{FlowLine, Kind};
use crate::flow::Flow;
use crate::hold::Hold;
use crate::nested::RunId;
use crate::verdict::{Fallback, Source, Verdict};
use std::time::Instant;

impl Engine {
    pub(super) fn ask_somebody(&mut self, ask: AskId, call: Call, why: Why, now: Instant) -> Step {
        let is_look_up = call.look_up.is_some();
        if !is_look_up {
            let offered = self.offered(&call.flow);
            if let Some((verdict, by)) = self.passes.take(&offered, &why.by, now) {
                return self.decided(&call, verdict, Source::Person { by });
            }
        }
        if self.settings.hold == Hold::Retry {
            return self.tell_no(call, why, now);
        }
        if !self.somebody_may_answer() {
            return self.refuse(&call, Fallback::NobodyToAsk);
        }
        let key = self.key(&call, why.by.clone());
        if let Some(id) = self.by_key.get(&key).copied() {
            return self.hold_or_refuse(ask, call, Some(id), now);
        }
        if self.is_full(&call.flow) {
            return self.refuse(&call, Fallback::TooManyWaiting);
        }
        let hold = if is_look_up { Hold::Name } else { Hold::Block };
        let Some(id) = self.open_question(key, &call.flow, why, hold, now) else {
            return self.refuse(&call, Fallback::TooManyWaiting);
        };
        let step = self.hold_or_refuse(ask, call, Some(id), now);
        self.effects.push(Effect::Show(id));
        step
    }

    /// A new question, which is still to be shown; none where there are too many.
    pub(super) fn open_question(
        &mut self,
        key: Key,
        flow: &Flow,
        why: Why,
        hold: Hold,
        now: Instant,
    ) -> Option<QuestionId> {
        let same_app = |open: &&Open| open.key.app == key.app;
        if self.questions.len() >= MAX_QUESTIONS
            || self.questions.values().filter(same_app).count() >= MAX_QUESTIONS_PER_APP
        {
            return None;
        }
        self.last_question += 1;
        let id = self.last_question;
        self.effects.push(Effect::Event(Kind::Asked {
            question: id,
            flow: FlowLine {
                look_up: hold == Hold::Name,
                ..FlowLine::of(flow)
            },
            argv: flow.app.argv.clone(),
            hold,
        }));
        self.by_key.insert(key.clone(), id);
        let open = Open::new(key, flow.clone(), why, hold, self.settings.ask_timeout, now);
        self.questions.insert(id, open);
        Some(id)
    }

    pub(super) fn hold_or_refuse(
        &mut self,
        ask: AskId,
        call: Call,
        question: Option<QuestionId>,
        now: Instant,
    ) -> Step {
        if self.is_full(&call.flow) {
            return self.refuse(&call, Fallback::TooManyWaiting);
        }
        if let Some(open) = question.and_then(|id| self.questions.get_mut(&id)) {
            open.asks.insert(ask);
            for flow in call.look_up.iter().flatten() {
                open.add_address(&flow.address);
            }
            open.alone_until = None;
            open.count_changed(now);
        }
        self.waiting.insert(ask, Waiting { call, question });
        Step::Held
    }

    pub(super) fn refuse(&mut self, call: &Call, reason: Fallback) -> Step {
        self.decided(call, Verdict::Deny, Source::Fallback { reason })
    }

    fn is_full(&self, flow: &Flow) -> bool {
        let app = flow.app.identity();
        self.waiting.len() >= MAX_WAITING
            || (self.waiting.len() >= MAX_WAITING_PER_APP
                && self
                    .waiting
                    .values()
                    .filter(|waiting| waiting.call.flow.app.identity() == app)
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
        // What nobody is held by may wait for whoever comes.
        let held = self
            .questions
            .iter()
            .filter(|(_, open)| !open.is_for_a_retry());
        let held: Vec<QuestionId> = held.map(|(id, _)| *id).collect();
        for id in held {
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

    /// Returns what was open.
    pub(super) fn close(
        &mut self,
        id: QuestionId,
        verdict: Option<Verdict>,
        source: Option<Source>,
    ) -> Option<Open> {
        let open = self.questions.remove(&id)?;
        self.by_key.remove(&open.key);
        self.effects.push(Effect::Close {
            question: id,
            verdict,
            source,
        });
        Some(open)
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
        // What an allowed look-up leads to is decided, and counted, by itself.
        if waiting.call.look_up.is_none() || verdict == Verdict::Deny {
            self.decided(&waiting.call, verdict, source.clone());
        }
        self.effects.push(Effect::Settle {
            ask,
            verdict,
            source,
        });
    }

    pub(super) fn decided(&mut self, call: &Call, verdict: Verdict, source: Source) -> Step {
        let flow = FlowLine {
            look_up: call.look_up.is_some(),
            ..FlowLine::of(&call.flow)
        };
        self.record_decided(flow, verdict, source.clone(), &call.flow.runs);
        Step::Decided(verdict, source)
    }

    pub(super) fn record_decided(
        &mut self,
        flow: FlowLine,
        verdict: Verdict,
        source: Source,
        runs: &[RunId],
    ) {
        self.count_for(verdict, 1, runs);
        self.effects.push(Effect::Event(Kind::Decided {
            flow,
            verdict,
            source,
            count: 1,
        }));
    }

    /// Every waiting call meets the rules as they are now.
    pub(super) fn decide_all_anew(&mut self, now: Instant, wall: jiff::Timestamp) {
        if self.halted {
            return;
        }
        self.decide_retries_anew(wall);
        let asks: Vec<AskId> = self.waiting.keys().copied().collect();
        for ask in asks {
            let Some(waiting) = self.waiting.get(&ask) else {
                continue;
            };
            match self.rule_on_call(&waiting.call, now, wall) {
                Ruling::Settled(verdict, source) => self.settle(ask, verdict, source),
                Ruling::Ask { .. } if waiting.question.is_some() => {}
                Ruling::Ask { why } => {
                    // It waited through a halt, and is asked about only now.
                    if let Some(waiting) = self.waiting.remove(&ask)
                        && let Step::Decided(verdict, source) =
                            self.ask_somebody(ask, waiting.call, why, now)
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
