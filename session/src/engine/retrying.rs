//! `--hold=retry`: a call that somebody has to be asked about is refused at once. Its question
//! waits for [`RETRY`] from the program's last try, with no call held, and the answer is for the
//! next one.
//!
//! An answer for a time is a rule like any other. An answer for once waits as a pass
//! ([`super::passes`]).

use super::nested::Why;
use super::passes::For;
use super::question::Open;
use super::{Call, Effect, Engine, RETRY, Ruling, Step, query};
use crate::control::protocol::QuestionId;
use crate::flow::Flow;
use crate::hold::Hold;
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::Rule;
use std::time::Instant;

impl Engine {
    /// Refuses a call for now, and keeps or opens its question.
    pub(super) fn tell_no(&mut self, call: Call, why: Why, now: Instant) -> Step {
        let key = self.key(&call, why.by.clone());
        let known = self.by_key.get(&key).copied();
        let id = match known {
            Some(id) => id,
            None => match self.open_question(key, &call.flow, why, Hold::Retry, now) {
                Some(id) => {
                    self.effects.push(Effect::Show(id));
                    id
                }
                None => return self.refuse(&call, Fallback::TooManyWaiting),
            },
        };
        if let Some(open) = self.questions.get_mut(&id) {
            open.told_no = open.told_no.saturating_add(1);
            open.alone_until = Some(now + RETRY);
            open.add_address(&call.flow.address);
            if known.is_some() {
                open.count_changed(now);
            }
        }
        self.refuse(&call, Fallback::WaitingForAnswer)
    }

    /// The questions without calls that a rule would have answered; `for_nested`: of those that
    /// only nested runs ask.
    pub(super) fn retries_matching(&self, rule: &Rule, for_nested: bool) -> Vec<QuestionId> {
        let open = self.questions.iter().filter(|(_, open)| {
            open.is_for_a_retry() && open.is_for(for_nested) && self.covers(rule, &open.flow)
        });
        open.map(|(id, _)| *id).collect()
    }

    /// Keeps an answer for the next try of a program that was told no, and closes its question.
    pub(super) fn answer_next_try(
        &mut self,
        id: QuestionId,
        verdict: Verdict,
        by: &str,
        now: Instant,
    ) {
        let source = Source::Person { by: by.to_owned() };
        if let Some(open) = self.close(id, Some(verdict), Some(source)) {
            self.passes.add(vec![open.key], For::App, verdict, by, now);
        }
    }

    /// Closes the questions without calls that rules answer by now.
    pub(super) fn decide_retries_anew(&mut self, wall: jiff::Timestamp) {
        let retries = self
            .questions
            .iter()
            .filter(|(_, open)| open.is_for_a_retry());
        let ruled = retries.filter_map(|(id, open)| match self.rule_on(&open.flow, wall) {
            Ruling::Settled(verdict, source) => Some((*id, verdict, source)),
            Ruling::Ask { .. } => None,
        });
        let ruled: Vec<_> = ruled.collect();
        for (id, verdict, source) in ruled {
            self.close(id, Some(verdict), Some(source));
        }
    }

    /// After a halt: opens the questions again that it put aside.
    pub(super) fn take_up_again(&mut self, now: Instant, wall: jiff::Timestamp) {
        for before in std::mem::take(&mut self.aside) {
            let is_over = before.alone_until.is_none_or(|until| until <= now);
            let is_ruled = matches!(self.rule_on(&before.flow, wall), Ruling::Settled(..));
            if is_over || is_ruled || self.by_key.contains_key(&before.key) {
                continue;
            }
            let Open {
                key,
                flow,
                why,
                told_no,
                others,
                alone_until,
                ..
            } = before;
            let Some(id) = self.open_question(key, &flow, why, Hold::Retry, now) else {
                continue;
            };
            if let Some(open) = self.questions.get_mut(&id) {
                open.told_no = told_no;
                open.others = others;
                open.alone_until = alone_until;
            }
            self.effects.push(Effect::Show(id));
        }
    }

    /// Whether a rule covers a flow.
    pub(super) fn covers(&self, rule: &Rule, flow: &Flow) -> bool {
        let names = self.names_for(rule.action, flow);
        let query = query(flow, &names);
        let is_app = rule.app.as_ref();
        is_app.is_none_or(|app| app.matches(&flow.app.subject))
            && rule
                .to
                .iter()
                .any(|to| to.matches_for(rule.action, &query, &self.environment))
    }
}
