//! What clients see of questions, and what their answers do.

use super::question::Open;
use super::{AskId, ClientId, Effect, Engine, Given, answer_rule, offers, query};
use crate::address::Address;
use crate::control::protocol::{
    Answer, Duration as For, MAX_DESTINATIONS, Question, QuestionId, Scope,
};
use crate::event::Kind;
use crate::flow::Flow;
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{AppPattern, Destination, Rule};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

impl Engine {
    /// The questions that wait, oldest first.
    #[must_use]
    pub fn pending(&self, now: Instant) -> Vec<Question> {
        let ids = self.questions.keys().copied();
        ids.filter_map(|id| self.question(id, now)).collect()
    }

    /// One question as clients see it.
    #[must_use]
    pub fn question(&self, id: QuestionId, now: Instant) -> Option<Question> {
        let open = self.questions.get(&id)?;
        let offers = offers::offers(&self.offered(&open.flow), &open.others, &self.environment)
            .into_iter()
            .map(|mut offer| {
                let rule = offers::rule(&open.flow, Verdict::Allow, &offer.to);
                offer.settles = rule.map_or(0, |rule| {
                    let for_nested = !open.why.by.session;
                    self.matching(&rule, for_nested).len()
                        + self.retries_matching(&rule, for_nested).len()
                });
                offer
            })
            .collect();
        let place = match &open.flow.address {
            Address::Ip(address) => hallpass_policy::place(*address, &self.environment).to_string(),
            Address::Unix(_) => "socket".to_owned(),
        };
        Some(Question {
            id,
            pid: open.flow.pid,
            app: (*open.flow.app).clone(),
            protocol: open.flow.protocol,
            address: open.flow.address.clone(),
            scope_id: open.flow.scope_id,
            port: open.flow.port,
            names: open.flow.names.clone(),
            place,
            hold: open.hold,
            waiting: open.asks.len(),
            told_no: open.told_no,
            why: open.why.text.clone(),
            time_left_ms: open
                .clock
                .left(now)
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            offers,
            may_save: self.settings.may_save && open.why.by.session && can_be_named(&open.flow),
        })
    }

    /// The rule an answer would make, so that it can be saved before it takes effect.
    ///
    /// # Errors
    /// The question is gone, or the answer is none that it offers; in words for the client.
    pub fn plan(&self, id: QuestionId, answer: &Answer) -> Result<Rule, String> {
        let open = self.open_for(id, answer.duration)?;
        answer_rule(
            &self.offered(&open.flow),
            &open.others,
            answer,
            &self.environment,
        )
    }

    /// [`Self::plan`] for destinations of the person's own.
    ///
    /// # Errors
    /// As [`Self::plan`]; a destination cannot be read, or none covers the question.
    pub fn plan_to(
        &self,
        id: QuestionId,
        verdict: Verdict,
        duration: For,
        to: &[String],
    ) -> Result<Rule, String> {
        let open = self.open_for(id, duration)?;
        if to.is_empty() || to.len() > MAX_DESTINATIONS {
            return Err(format!("write 1 to {MAX_DESTINATIONS} destinations"));
        }
        let rule = offers::rule(&open.flow, verdict, to)?;
        let names = self.names_for(rule.action, &open.flow);
        let query = query(&open.flow, &names);
        let covers = |to: &Destination| to.matches_for(rule.action, &query, &self.environment);
        if !rule.to.iter().any(covers) {
            return Err("these destinations do not cover the call that waits".to_owned());
        }
        Ok(rule)
    }

    fn open_for(&self, id: QuestionId, duration: For) -> Result<&Open, String> {
        let open = self.questions.get(&id).ok_or_else(|| gone(id))?;
        if duration == For::Always && !open.why.by.session {
            return Err(
                "only a nested run asks: the answer cannot be saved; use for=run".to_owned(),
            );
        }
        if duration == For::Always && !self.settings.may_save {
            return Err("this run is hermetic (--policy or --default deny): \
                        answers cannot be saved; use for=run"
                .to_owned());
        }
        if duration == For::Always && !can_be_named(&open.flow) {
            return Err(
                "no rule can name a program whose executable is not visible: \
                        the answer cannot be saved; use for=run"
                    .to_owned(),
            );
        }
        Ok(open)
    }

    /// Puts an answer into force: `rule` is what [`Self::plan`] gave for it.
    ///
    /// It holds also if the question was settled meanwhile. Returns how many calls it settled; a program
    /// that may try again counts as one.
    pub fn answer(
        &mut self,
        id: QuestionId,
        answer: &Answer,
        rule: &Rule,
        by: &str,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> usize {
        let for_nested = self.is_for_nested(id);
        self.answer_for(id, answer, rule, by, for_nested, now, wall)
    }

    /// Whether only nested runs ask this question: an answer that allows is then none to the
    /// session's own rules, which must not be widened by what a nested run asks about.
    #[must_use]
    pub fn is_for_nested(&self, id: QuestionId) -> bool {
        let open = self.questions.get(&id);
        open.is_some_and(|open| !open.why.by.session)
    }

    /// [`Self::answer`] for a question that may be gone by now; `for_nested`: what
    /// [`Self::is_for_nested`] said of it.
    #[expect(clippy::too_many_arguments, reason = "an answer, and the two clocks")]
    pub fn answer_for(
        &mut self,
        id: QuestionId,
        answer: &Answer,
        rule: &Rule,
        by: &str,
        for_nested: bool,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> usize {
        // A refusal narrows, so it counts for everybody.
        let for_nested = for_nested && answer.verdict == Verdict::Allow;
        let source = Source::Person { by: by.to_owned() };
        let mut settled: Vec<AskId> = match self.questions.get(&id) {
            Some(open) => open.asks.iter().copied().collect(),
            None => Vec::new(),
        };
        for ask in self.matching(rule, for_nested) {
            if !settled.contains(&ask) {
                settled.push(ask);
            }
        }
        let mut retries = self.retries_matching(rule, for_nested);
        if self.questions.get(&id).is_some_and(Open::is_for_a_retry) && !retries.contains(&id) {
            retries.push(id);
        }
        let count = settled.len() + retries.len();
        if answer.duration != For::Once {
            let expires = match answer.duration {
                For::Seconds(seconds) => now.checked_add(Duration::from_secs(seconds)),
                _ => None,
            };
            self.given.push(Given {
                rule: rule.clone(),
                expires,
                saved: answer.duration == For::Always,
                for_nested,
            });
            self.put_answers_in_force();
        }
        self.effects.push(Effect::Event(Kind::Answered {
            question: id,
            verdict: Some(answer.verdict),
            by: by.to_owned(),
            rule: (answer.duration != For::Once).then(|| rule.to_string()),
            settled: count as u64,
        }));
        for ask in &settled {
            if answer.verdict == Verdict::Allow {
                self.let_look_up_connect(*ask, by, now, wall);
            }
            self.settle(*ask, answer.verdict, source.clone());
        }
        if answer.duration == For::Once {
            for retry in &retries {
                self.answer_next_try(*retry, answer.verdict, by, now);
            }
        }
        // A question whose only caller runs a signal handler has no asks left to close it.
        self.close(id, Some(answer.verdict), Some(source));
        self.decide_all_anew(now, wall);
        count
    }

    /// Refuses a flow's program the same host from now on, until the session ends: an answer
    /// that nobody was asked for. Gives its rule, and how many waiting calls it settled.
    ///
    /// # Errors
    /// No rule can be made for it; in words for the client.
    pub fn refuse_from_now_on(
        &mut self,
        flow: &Flow,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> Result<(Rule, usize), String> {
        let answer = Answer {
            verdict: Verdict::Deny,
            duration: For::Run,
            scope: Scope::Host,
        };
        let rule = answer_rule(flow, &BTreeSet::new(), &answer, &self.environment)?;
        let settles = self.matching(&rule, false).len();
        self.given.push(Given {
            rule: rule.clone(),
            expires: None,
            saved: false,
            for_nested: false,
        });
        self.put_answers_in_force();
        self.decide_all_anew(now, wall);
        Ok((rule, settles))
    }

    /// The rules that answers have made for this run or for good, in the order they were given; and
    /// how many more hold for a time only.
    #[must_use]
    pub fn answers(&self) -> (Vec<Rule>, usize) {
        // What only a nested run asked about says nothing of the session's own rules.
        let own = self.given.iter().filter(|given| !given.for_nested);
        let (lasting, timed): (Vec<&Given>, Vec<&Given>) =
            own.partition(|given| given.expires.is_none());
        let rules = lasting.into_iter().map(|given| given.rule.clone());
        (rules.collect(), timed.len())
    }

    /// Refuses what waits in a question, and writes no rule. Returns how many calls that was.
    ///
    /// # Errors
    /// The question is gone.
    pub fn dismiss(&mut self, id: QuestionId, by: &str) -> Result<usize, String> {
        if !self.questions.contains_key(&id) {
            return Err(gone(id));
        }
        let settled = self.fall_back(id, Fallback::Dismissed);
        self.effects.push(Effect::Event(Kind::Answered {
            question: id,
            verdict: Some(Verdict::Deny),
            by: by.to_owned(),
            rule: None,
            settled: settled as u64,
        }));
        Ok(settled)
    }

    /// Stops a question's clock for as long as `client` is there.
    ///
    /// # Errors
    /// The question is gone.
    pub fn touch(&mut self, id: QuestionId, client: ClientId, now: Instant) -> Result<(), String> {
        let open = self.questions.get_mut(&id).ok_or_else(|| gone(id))?;
        if open.clock.hold(client, now) {
            self.effects.push(Effect::Show(id));
        }
        Ok(())
    }

    /// The waiting calls that a rule matches; `for_nested`: that only nested runs ask about.
    fn matching(&self, rule: &Rule, for_nested: bool) -> Vec<AskId> {
        let waiting = self.waiting.iter();
        let asks = waiting.filter(|(_, waiting)| {
            let open = waiting.question.and_then(|id| self.questions.get(&id));
            open.map_or(!for_nested, |open| open.is_for(for_nested))
                && self.covers(rule, &waiting.call.flow)
        });
        asks.map(|(ask, _)| *ask).collect()
    }
}

fn gone(id: QuestionId) -> String {
    format!("question {id} does not wait: it was answered, or its caller has gone")
}

/// Whether a rule for the flow's program can be read again.
fn can_be_named(flow: &Flow) -> bool {
    AppPattern::for_subject(&flow.app.subject).can_be_written()
}
