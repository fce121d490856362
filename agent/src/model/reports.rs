//! Takes in what sessions did.

use super::{Item, Key, MAX_QUESTIONS, Model, Report, Sent};
use hallpass_session::control::protocol::{Call, Message, Question};
use std::time::Instant;

impl Model {
    /// Takes in what a session did.
    pub fn report(&mut self, report: Report, now: Instant) {
        let front = self.front_key();
        self.is_quiet = false;
        match report {
            Report::Joined(hello) => self.sessions.joined(hello),
            Report::Left(session) => {
                self.sessions.left(&session);
                self.queue.remove_session(&session);
                self.beyond.remove(&session);
                self.live.left(&session);
                self.sent.retain(|_, sent| match sent {
                    Sent::Decision(item) => item.key.session != session,
                    Sent::Halt(halted, _) => *halted != session,
                    Sent::Look(other) | Sent::End(other, _) | Sent::DenyRest(other) => {
                        *other != session
                    }
                    Sent::Other => true,
                });
            }
            Report::Summed(key, sums) => {
                if let Some((wanted, place)) = &mut self.sums
                    && *wanted == key
                {
                    *place = Some(sums);
                }
            }
            Report::Said(session, message) => self.said(&session, message, now),
            Report::Replied(ticket, result) => self.replied(ticket, result),
        }
        self.ask_for_the_rest();
        self.front_may_have_changed(front, false, now);
    }

    fn said(&mut self, session: &str, message: Message, now: Instant) {
        match message {
            Message::Question(question) => self.asked(session, *question, now),
            Message::Pending { questions, .. } => {
                for question in questions {
                    self.asked(session, question, now);
                }
            }
            Message::Settled { question, .. } => {
                let key = Key {
                    session: session.to_owned(),
                    question,
                };
                self.queue.remove(&key);
                self.sent
                    .retain(|_, sent| !matches!(sent, Sent::Decision(item) if item.key == key));
            }
            Message::Event(event) => self.sessions.happened(session, &event.time, &event.kind),
            Message::Flows { flows, more, .. } => {
                self.sent
                    .retain(|_, sent| !matches!(sent, Sent::Look(asked) if asked == session));
                self.is_quiet = !self.live.came(session, &flows, more, now);
            }
            // Replies come as `Replied`.
            Message::Hello(_)
            | Message::Done { .. }
            | Message::Error { .. }
            | Message::Checksum { .. }
            | Message::Answering { .. } => {}
        }
    }

    fn asked(&mut self, session: &str, question: Question, now: Instant) {
        let item = Item::new(session, question, now);
        // An answer is under way: what comes now was sent before it arrived.
        let answering = self.sent.values_mut().find_map(|sent| match sent {
            Sent::Decision(sent) if sent.key == item.key => Some(sent),
            _ => None,
        });
        if let Some(answering) = answering {
            **answering = item;
        } else if self.queue.len() < MAX_QUESTIONS || self.queue.contains(&item.key) {
            self.queue.put(item);
        } else {
            self.beyond.insert(session.to_owned());
        }
    }

    fn ask_for_the_rest(&mut self) {
        if self.queue.len() < MAX_QUESTIONS / 2 {
            for session in std::mem::take(&mut self.beyond) {
                self.send(&session, Call::Pending, Sent::Other);
            }
        }
    }

    fn replied(&mut self, ticket: u64, result: Result<usize, String>) {
        let sent = self.sent.remove(&ticket);
        match (sent, result) {
            (Some(Sent::Halt(session, halted)), Ok(_)) => self.sessions.halted(&session, halted),
            (Some(Sent::DenyRest(session)), Ok(_)) => self.sessions.denies_rest(&session),
            (Some(Sent::DenyRest(session)), Err(error)) => {
                self.trouble(format!("Not denied: {error}"));
                self.send(&session, Call::Pending, Sent::Other);
            }
            (Some(Sent::End(session, flow)), result) => {
                if let Err(error) = result {
                    self.live.not_ended(&session, flow);
                    self.trouble(format!("Not ended: {error}"));
                }
                self.live.look_again(&session);
            }
            // What cannot be seen is not worth a word each second.
            (Some(Sent::Look(_)), Err(_)) => self.is_quiet = true,
            (Some(Sent::Decision(item)), Err(error)) => {
                self.trouble(format!("Not answered: {error}"));
                self.queue.put(*item);
            }
            (Some(_), Err(error)) => self.trouble(error),
            (Some(_), Ok(_)) | (None, _) => {}
        }
    }
}
