//! What the window knows and does, without a window, a socket or a clock.
//!
//! Reports of sessions, keys, clicks and the time go in; commands to sessions come out. It never
//! answers by itself: every command that decides something follows a key or a click that came
//! after the question had been on screen long enough ([`arming`]).

mod acting;
mod answering;
pub mod arming;
pub mod choice;
pub mod edit;
pub mod keys;
pub mod live;
pub mod queue;
mod reports;
pub mod retry;
pub mod rules;
#[cfg(test)]
pub(crate) mod samples;
pub mod sessions;
#[cfg(test)]
mod tests;
mod watching;

pub use keys::Key as Press;
pub use queue::{Item, Key};

use answering::asker;
use arming::Arming;
use choice::{Choice, Memory};
use edit::Edit;
use hallpass_session::checksum::Sum;
use hallpass_session::control::protocol::{Call, FlowId, Hello, Message};
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
    /// Refuse all that is asked in this session; its questions come back if that fails.
    DenyRest(String),
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

    /// Whether the front question's program asks again and again.
    #[must_use]
    pub fn is_loop(&self, now: Instant) -> bool {
        self.front()
            .is_some_and(|item| self.retries.is_loop(&asker(item), now))
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
