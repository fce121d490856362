//! What a decision does: the answer that is sent, and what stands in front afterwards.

use super::choice::Choice;
use super::queue::{Item, Key};
use super::{Model, Sent, retry};
use crate::words;
use hallpass_session::control::protocol::{Answer, Call, Duration, Scope};
use hallpass_session::verdict::Verdict;
use std::time::Instant;

impl Model {
    pub(super) fn decide(&mut self, verdict: Verdict, now: Instant) {
        let (Some(item), Some(choice)) = (self.queue.front(), self.choice) else {
            return;
        };
        let key = item.key.clone();
        let to = match &self.edit {
            None => Vec::new(),
            Some(edit) => match edit.destinations(&item.question) {
                Ok(to) => to,
                Err(_) => return,
            },
        };
        self.answer(&key, verdict, choice, to, now);
        self.front_may_have_changed(Some(key), true, now);
    }

    pub(super) fn decide_all(&mut self, verdict: Verdict, now: Instant) {
        let (Some(group), Some(choice)) = (self.queue.front_group(), self.choice) else {
            return;
        };
        let front = self.front_key();
        let keys: Vec<Key> = group.items().iter().map(|item| item.key.clone()).collect();
        for key in keys {
            self.answer(&key, verdict, choice, Vec::new(), now);
        }
        self.front_may_have_changed(front, true, now);
    }

    /// What a program that asks again and again is offered.
    pub(super) fn deny_run(&mut self, now: Instant) {
        let Some(key) = self.front_key() else {
            return;
        };
        let choice = Choice {
            duration: Duration::Run,
            scope: Scope::Host,
        };
        self.answer(&key, Verdict::Deny, choice, Vec::new(), now);
        self.front_may_have_changed(Some(key), true, now);
    }

    /// An answer to all that the front question's session asks, or would ask.
    pub(super) fn deny_rest(&mut self, now: Instant) {
        let front = self.front_key();
        let Some(session) = front.as_ref().map(|key| key.session.clone()) else {
            return;
        };
        self.queue.remove_session(&session);
        self.last_answer = Some((format!("Denied: the rest of session {session}"), now));
        self.send(&session, Call::DenyRest, Sent::DenyRest(session.clone()));
        self.front_may_have_changed(front, true, now);
    }

    fn answer(
        &mut self,
        key: &Key,
        verdict: Verdict,
        choice: Choice,
        to: Vec<String>,
        now: Instant,
    ) {
        let Some(item) = self.queue.remove(key) else {
            return;
        };
        // Where the width that was chosen does not fit this question, its host does.
        let offers = &item.question.offers;
        let scope = choice
            .offer(offers)
            .or_else(|| offers.iter().find(|offer| offer.scope == Scope::Host))
            .or(offers.first())
            .map_or(Scope::Host, |offer| offer.scope);
        self.memory
            .keep(item.question.app.identity(), choice.duration);
        if verdict == Verdict::Deny && choice.duration == Duration::Once {
            self.retries.refused(asker(&item), now);
        }
        let reach = match to.is_empty() {
            true => offers.iter().find(|offer| offer.scope == scope),
            false => None,
        };
        let reach = reach.map_or_else(|| to.join(", "), words::reach);
        let name = &item.question.app.subject.name;
        let words = words::done(verdict, name, &reach, choice.duration);
        self.last_answer = Some((words, now));
        let answer = Answer {
            verdict,
            duration: choice.duration,
            scope,
        };
        let question = key.question;
        let call = match to.is_empty() {
            true => Call::Answer { question, answer },
            false => Call::AnswerTo {
                question,
                verdict,
                duration: choice.duration,
                to,
            },
        };
        self.send(&key.session, call, Sent::Decision(Box::new(item)));
    }

    pub(super) fn refuse_front(&mut self, now: Instant) {
        if self.edit.take().is_some() {
            return;
        }
        let Some(key) = self.front_key() else {
            return;
        };
        self.refuse(&key, now);
        self.front_may_have_changed(Some(key), true, now);
    }

    fn refuse(&mut self, key: &Key, now: Instant) {
        if let Some(item) = self.queue.remove(key) {
            self.retries.refused(asker(&item), now);
            let app = words::clip_app(&item.question.app.subject.name);
            self.last_answer = Some((format!("Refused once: {app}"), now));
            let question = key.question;
            self.send(
                &key.session,
                Call::Dismiss { question },
                Sent::Decision(Box::new(item)),
            );
        }
    }

    /// The window's close button. True where the window may go at once: nothing waits, or the
    /// person has been told what it does and closes it again.
    pub fn close(&mut self, now: Instant) -> bool {
        if self.queue.is_empty() {
            return true;
        }
        if !self.closing {
            self.closing = true;
            self.arming.expected(now);
            return false;
        }
        self.refuse_all(now)
    }

    /// Refuses all that waits; true where that was done.
    pub fn refuse_all(&mut self, now: Instant) -> bool {
        if !self.closing || !self.arming.clicks(now) {
            return false;
        }
        let keys: Vec<Key> = self.queue.items().map(|item| item.key.clone()).collect();
        for key in keys {
            self.refuse(&key, now);
        }
        self.closing = false;
        self.front_may_have_changed(None, true, now);
        true
    }

    /// Goes on asking.
    pub fn keep_open(&mut self) {
        self.closing = false;
    }
}

/// Who asks for what, as repetitions are counted.
pub(super) fn asker(item: &Item) -> retry::Asker {
    let question = &item.question;
    let host = match question.names.first() {
        Some(name) => name.name.clone(),
        None => question.address.to_string(),
    };
    (
        item.key.session.clone(),
        question.app.identity().to_owned(),
        host,
    )
}
