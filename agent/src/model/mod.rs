//! What the window knows and does, without a window, a socket or a clock.
//!
//! Reports of sessions, keys, clicks and the time go in; commands to sessions come out. It never
//! answers by itself: every command that decides something follows a key or a click that came
//! after the question had been on screen long enough ([`arming`]).

mod answering;
pub mod arming;
pub mod choice;
pub mod edit;
pub mod keys;
pub mod live;
pub mod queue;
pub mod retry;
pub mod rules;
#[cfg(test)]
pub(crate) mod samples;
pub mod sessions;
#[cfg(test)]
mod tests;

pub use keys::Key as Press;
pub use queue::{Item, Key};

use answering::asker;
use arming::Arming;
use choice::{Choice, Memory};
use edit::Edit;
use hallpass_session::checksum::Sum;
use hallpass_session::control::protocol::{Call, FlowId, Hello, Message, Question};
use hallpass_session::verdict::Verdict;
use live::Live;
use queue::Queue;
use retry::Retries;
use rules::SavedList;
use sessions::Sessions;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// How many questions are kept; what is beyond waits in its session and is asked for once there
/// is room.
const MAX_QUESTIONS: usize = 4096;
/// For how long the last answer is shown.
const ANSWER_SHOWN: std::time::Duration = std::time::Duration::from_secs(5);

/// Sums of files, or why there are none.
pub type Sums = Result<Vec<Sum>, String>;

/// Something that a session did.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A session is there and has said hello.
    Joined(Hello),
    /// A session has ended, or does not speak to us any more.
    Left(String),
    /// It sent something.
    Said(String, Message),
    /// The sums of the files that a question's program is made of, or why there are none.
    Summed(Key, Sums),
    /// It answered a command: how many calls that settled, or why not.
    Replied(u64, Result<usize, String>),
}

/// Something that a session shall do.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its session.
    pub session: String,
    /// Repeated in [`Report::Replied`].
    pub ticket: u64,
    /// What to do.
    pub call: Call,
}

/// A command that has not been answered.
#[derive(Debug)]
enum Sent {
    /// An answer; the question comes back if it is refused.
    Decision(Box<Item>),
    /// Halt (true) or release.
    Halt(String, bool),
    /// What is open in this session?
    Look(String),
    /// End a connection of this session.
    End(String, FlowId),
    /// What needs no reply.
    Other,
}

/// A line that tells the person of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The line.
    pub text: String,
    /// Whether something went wrong.
    pub is_trouble: bool,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Model {
    queue: Queue,
    sessions: Sessions,
    live: Live,
    /// The last report changes nothing that is on screen.
    is_quiet: bool,
    saved: SavedList,
    choice: Option<Choice>,
    memory: Memory,
    arming: Arming,
    retries: Retries,
    edit: Option<Edit>,
    sent: HashMap<u64, Sent>,
    last_ticket: u64,
    commands: Vec<Command>,
    notice: Option<Notice>,
    is_shown: bool,
    details: bool,
    /// The sums of the files of a question's program: none yet where they have been asked for.
    sums: Option<(Key, Option<Sums>)>,
    /// The window was closed while questions wait: the person is told what that does.
    closing: bool,
    /// The person put the window away until later.
    later: bool,
    touched: Option<Key>,
    last_answer: Option<(String, Instant)>,
    /// Sessions with questions that there was no room for.
    beyond: HashSet<String>,
}

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
                    Sent::Look(other) | Sent::End(other, _) => *other != session,
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

    /// The question on screen.
    #[must_use]
    pub fn front(&self) -> Option<&Item> {
        self.queue.front()
    }

    fn front_key(&self) -> Option<Key> {
        self.front().map(|item| item.key.clone())
    }

    /// All that waits.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The sessions that run, and what they did.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Their live connections.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Whether the last report changed nothing that is on screen.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Live connections are on screen, or not any more.
    pub fn live_on_screen(&mut self, is_on_screen: bool) {
        self.live.on_screen(is_on_screen && self.is_shown);
    }

    /// Asks for the live connections that are on screen, where it is time.
    pub fn look(&mut self, now: Instant) {
        if !self.live.is_on_screen() {
            return;
        }
        let sessions: Vec<String> = self.sessions.iter().map(|s| s.name.clone()).collect();
        for session in sessions {
            if self.live.is_due(&session, now) {
                self.send(&session, Call::Flows, Sent::Look(session.clone()));
            }
        }
    }

    /// Ends a live connection; rules stay as they are.
    pub fn end(&mut self, session: &str, flow: FlowId, now: Instant) {
        if !self.live.may_end(session, flow, now) {
            return;
        }
        let call = Call::End {
            flow,
            reset: false,
            deny: false,
        };
        self.send(session, call, Sent::End(session.to_owned(), flow));
    }

    /// The saved rules.
    #[must_use]
    pub fn saved(&self) -> &SavedList {
        &self.saved
    }

    /// The saved rules, to be changed.
    pub fn saved_mut(&mut self) -> &mut SavedList {
        &mut self.saved
    }

    /// For how long and how wide the answer would be.
    #[must_use]
    pub fn choice(&self) -> Option<Choice> {
        self.choice
    }

    /// What is being edited.
    #[must_use]
    pub fn edit(&self) -> Option<&Edit> {
        self.edit.as_ref()
    }

    /// What is being edited, for a text field.
    pub fn edit_mut(&mut self) -> Option<&mut Edit> {
        self.edit.as_mut()
    }

    /// When keys and clicks count.
    #[must_use]
    pub fn arming(&self) -> Arming {
        self.arming
    }

    /// Whether details are unfolded.
    #[must_use]
    pub fn details(&self) -> bool {
        self.details
    }

    /// Whether the person is being told what closing the window does.
    #[must_use]
    pub fn closing(&self) -> bool {
        self.closing
    }

    /// The latest thing to tell.
    #[must_use]
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// The person has read it.
    pub fn forget_notice(&mut self) {
        self.notice = None;
    }

    /// Tells the person that something went wrong.
    pub fn trouble(&mut self, text: String) {
        self.notice = Some(Notice {
            text,
            is_trouble: true,
        });
    }

    /// What was answered last, in words, for a few seconds.
    #[must_use]
    pub fn last_answer(&self, now: Instant) -> Option<&str> {
        let (text, since) = self.last_answer.as_ref()?;
        (now.saturating_duration_since(*since) < ANSWER_SHOWN).then_some(text)
    }

    /// What sessions shall do; each is given once.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Whether the window should be put away; given once.
    pub fn take_later(&mut self) -> bool {
        std::mem::take(&mut self.later)
    }

    /// The window is on screen.
    pub fn shown(&mut self, now: Instant) {
        if !self.is_shown {
            self.is_shown = true;
            self.arming.surprise(now);
        }
    }

    /// The window is gone, or behind a panel of the desktop.
    pub fn hidden(&mut self) {
        self.is_shown = false;
        self.live.on_screen(false);
        self.closing = false;
        self.arming.disarm();
    }

    /// The window got the keyboard.
    pub fn keyboard_came(&mut self, now: Instant) {
        self.arming.keyboard_came(now);
    }

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

    /// Whether the front question's program asks again and again.
    #[must_use]
    pub fn is_loop(&self, now: Instant) -> bool {
        self.front()
            .is_some_and(|item| self.retries.is_loop(&asker(item), now))
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
    fn ask_for_sums(&mut self) {
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

    /// Holds everything in a session, or lets it go on.
    pub fn halt(&mut self, session: &str, halt: bool) {
        let call = if halt { Call::Halt } else { Call::Release };
        self.send(session, call, Sent::Halt(session.to_owned(), halt));
    }

    /// Tells every session that the saved rules are others.
    pub fn rules_changed(&mut self) {
        let sessions: Vec<String> = self.sessions.iter().map(|s| s.name.clone()).collect();
        for session in sessions {
            self.send(&session, Call::RulesChanged, Sent::Other);
        }
    }

    fn send(&mut self, session: &str, call: Call, sent: Sent) {
        self.last_ticket += 1;
        self.sent.insert(self.last_ticket, sent);
        self.commands.push(Command {
            session: session.to_owned(),
            ticket: self.last_ticket,
            call,
        });
    }

    /// Another question may stand in front now: what was chosen for the last one is void, and
    /// the next key is not meant for it yet.
    fn front_may_have_changed(&mut self, before: Option<Key>, own: bool, now: Instant) {
        let Some(item) = self.queue.front() else {
            self.choice = None;
            self.edit = None;
            self.closing = false;
            self.sums = None;
            return;
        };
        if before.as_ref() == Some(&item.key) && self.choice.is_some() {
            return;
        }
        self.choice = Some(Choice::preselected(&item.question, &self.memory));
        self.edit = None;
        self.ask_for_sums();
        if self.is_shown {
            match own {
                true => self.arming.expected(now),
                false => self.arming.surprise(now),
            }
        }
    }
}
