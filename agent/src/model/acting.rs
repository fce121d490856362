//! What keys and clicks do, but for the answers themselves.

use super::edit::Edit;
use super::{Key, Model, Press, Sent, Sums};
use hallpass_session::control::protocol::Call;
use hallpass_session::verdict::Verdict;
use std::time::Instant;

impl Model {
    /// A key, a click or a scroll anywhere in the window: the person is looking.
    pub fn touch(&mut self) {
        let Some(item) = self.queue.front() else {
            return;
        };
        if item.ends.is_some() && self.touched.as_ref() != Some(&item.key) {
            self.touched = Some(item.key.clone());
            let (session, question) = (item.key.session.clone(), item.key.question);
            self.send(&session, Call::Touch { question }, Sent::Other);
        }
    }

    /// A key. Before it is armed it does nothing.
    pub fn press(&mut self, key: Press, now: Instant) {
        if self.arming.keys(now) {
            self.act(key, now);
        }
    }

    /// A click on what a key would do.
    pub fn click(&mut self, key: Press, now: Instant) {
        if self.arming.clicks(now) {
            self.act(key, now);
        }
    }

    fn act(&mut self, key: Press, now: Instant) {
        if self.closing {
            if key == Press::Refuse {
                self.closing = false;
            }
            return;
        }
        let Some(item) = self.queue.front() else {
            return;
        };
        let (offers, may_save) = (item.question.offers.clone(), item.question.may_save);
        match key {
            Press::Allow => self.decide(Verdict::Allow, now),
            Press::Deny => self.decide(Verdict::Deny, now),
            Press::AllowAll => self.decide_all(Verdict::Allow, now),
            Press::DenyAll => self.decide_all(Verdict::Deny, now),
            Press::DenyRun => self.deny_run(now),
            Press::DenyRest => self.deny_rest(now),
            Press::Refuse => self.refuse_front(now),
            Press::Length(number) => {
                if let Some(choice) = &mut self.choice {
                    choice.take(number, may_save);
                }
            }
            Press::Narrower | Press::Wider => {
                if let Some(choice) = &mut self.choice {
                    choice.step(&offers, key == Press::Wider);
                }
                self.edit = None;
            }
            Press::Width(scope) => {
                if let Some(choice) = &mut self.choice
                    && offers.iter().any(|offer| offer.scope == scope)
                {
                    choice.scope = scope;
                }
                self.edit = None;
            }
            Press::Edit => self.start_edit(),
            Press::Details => {
                self.details = !self.details;
                self.ask_for_sums();
            }
            Press::Later => self.later = true,
        }
    }

    /// Sums are made only for a person who looks at the details.
    pub(super) fn ask_for_sums(&mut self) {
        let Some(key) = self.front_key().filter(|_| self.details) else {
            return;
        };
        if self.sums.as_ref().is_none_or(|(known, _)| *known != key) {
            let question = key.question;
            let session = key.session.clone();
            self.sums = Some((key, None));
            self.send(&session, Call::Checksum { question }, Sent::Other);
        }
    }

    /// The sums of the files of a question's program, where they are known by now.
    #[must_use]
    pub fn sums(&self, key: &Key) -> Option<&Sums> {
        let (known, sums) = self.sums.as_ref()?;
        sums.as_ref().filter(|_| known == key)
    }

    fn start_edit(&mut self) {
        let offer = self
            .front()
            .and_then(|item| self.choice?.offer(&item.question.offers));
        let to = offer.map(|offer| offer.to.join(", ")).unwrap_or_default();
        self.edit = match self.edit.take() {
            None => Some(Edit::new(to)),
            Some(_) => None,
        };
    }

    /// Leaves the rule as it was offered.
    pub fn drop_edit(&mut self) {
        self.edit = None;
    }

    /// Whether Allow and Deny can be answered: an edited rule must cover the call.
    #[must_use]
    pub fn edit_problem(&self) -> Option<String> {
        let edit = self.edit.as_ref()?;
        let item = self.front()?;
        edit.destinations(&item.question).err()
    }
}
