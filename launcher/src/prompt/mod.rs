//! Questions on the terminal: asks one at a time, in the foreground job's place, and gives the
//! terminal back.
//!
//! Keys and rows are pure ([`keys`], [`choice`], [`look`], [`view`]); [`foreground`] takes the
//! terminal, [`asking`] holds it and [`screen`] draws on it; this file puts them in order. It must never decide:
//! whatever goes wrong here leaves the question open or refused.

mod asking;
mod choice;
mod foreground;
mod keys;
mod look;
#[cfg(test)]
pub(crate) mod samples;
mod screen;
mod view;

use asking::Asking;
use choice::{Act, Choice};
use foreground::Trouble;
use hallpass_session::control::client::Client;
use hallpass_session::control::protocol::{Call, Question, QuestionId};
use hallpass_session::verdict::{Source, Verdict};
use look::Look;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How often it is looked whether our job has come to the foreground.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// After this long in the background it is said once that something waits.
const SAY_AFTER: Duration = Duration::from_millis(300);
/// After a terminal that could not be taken, or a job that does not stop at Ctrl-Z.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What the front is to do for the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Ask the session to save the terminal's state; then call [`Prompt::saved`].
    Begin,
    /// Tell the session which processes are being stopped.
    Stopping(Vec<i32>),
    /// Tell the session that the terminal is as it was. Comes before any process is continued.
    End,
    /// Say this line to the person.
    Say(String),
    /// The terminal is gone: nobody can be asked there any more.
    Lost,
}

/// Where a prompt's wishes go.
pub(crate) type Wishes<'a> = &'a mut dyn FnMut(Wish);

/// The terminal prompt.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// Process id of the session; its descendants are the program.
    session: i32,
    questions: BTreeMap<QuestionId, Question>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is on the screen.
    #[default]
    Idle,
    /// There are questions, but not in the foreground.
    Waiting {
        since: Instant,
        next: Instant,
        has_said: bool,
    },
    /// The session saves the terminal's state.
    Saving,
    /// The terminal is ours.
    Asking(Box<Asking>),
}

impl Prompt {
    /// A prompt for the processes below `session`.
    pub(crate) fn new(session: i32) -> Self {
        Self {
            session,
            ..Self::default()
        }
    }

    /// A question is new or has changed.
    pub(crate) fn question(&mut self, question: Question) {
        if let State::Asking(asking) = &mut self.state {
            asking.update(&question);
        }
        self.questions.insert(question.id, question);
    }

    /// A question is gone.
    pub(crate) fn settled(
        &mut self,
        id: QuestionId,
        verdict: Option<Verdict>,
        source: Option<&Source>,
    ) {
        self.questions.remove(&id);
        if let State::Asking(asking) = &mut self.state {
            asking.withdraw(id, verdict, source);
        }
    }

    /// The terminal, while it is read.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Asking(asking) => Some(asking.taken.terminal().as_fd()),
            _ => None,
        }
    }

    /// When [`Self::step`] wants to be called again.
    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        match &self.state {
            // Questions that a window has left to us came without a message.
            State::Idle => (!self.questions.is_empty()).then(Instant::now),
            State::Saving => None,
            State::Waiting { next, .. } => Some(*next),
            State::Asking(asking) => match &asking.current {
                Some(current) => current.wakes_at(),
                // The next question, or giving the terminal back, waits for nothing.
                None => Some(Instant::now()),
            },
        }
    }

    /// Goes on as far as it can without waiting.
    pub(crate) fn step(&mut self, session: &mut Client, wishes: Wishes<'_>) {
        let now = Instant::now();
        match &mut self.state {
            State::Idle if !self.questions.is_empty() => {
                self.state = State::Waiting {
                    since: now,
                    next: now,
                    has_said: false,
                };
                self.begin(now, wishes);
            }
            State::Waiting { .. } if self.questions.is_empty() => self.state = State::Idle,
            State::Waiting { .. } => self.begin(now, wishes),
            State::Asking(_) => self.ask(session, now, wishes),
            State::Idle | State::Saving => {}
        }
    }

    /// Begins to ask where our job is in the foreground.
    fn begin(&mut self, now: Instant, wishes: Wishes<'_>) {
        let State::Waiting {
            since,
            next,
            has_said,
        } = &mut self.state
        else {
            return;
        };
        if *next > now {
            return;
        }
        let is_ours =
            foreground::open().and_then(|terminal| foreground::is_ours(&terminal, self.session));
        match is_ours {
            Ok(true) => {
                self.state = State::Saving;
                wishes(Wish::Begin);
            }
            Ok(false) => {
                *next = now + LOOK_AGAIN;
                if !*has_said && now.duration_since(*since) >= SAY_AFTER {
                    *has_said = true;
                    if let Some(question) = self.questions.values().next() {
                        wishes(Wish::Say(waits_in_background(question)));
                    }
                }
            }
            Err(error) => self.lose(&error, wishes),
        }
    }

    /// The session has saved the terminal's state: take it.
    pub(crate) fn saved(&mut self, wishes: Wishes<'_>) {
        if !matches!(self.state, State::Saving) {
            return;
        }
        let now = Instant::now();
        let mut wait = |duration: Duration, has_said| {
            self.state = State::Waiting {
                since: now,
                next: now + duration,
                has_said,
            };
        };
        let terminal = match foreground::open() {
            Ok(terminal) => terminal,
            Err(error) => {
                wishes(Wish::End);
                return self.lose(&error, wishes);
            }
        };
        // The shell may have put our job into the background in between.
        if !foreground::is_ours(&terminal, self.session).unwrap_or(false) {
            wishes(Wish::End);
            return wait(LOOK_AGAIN, false);
        }
        let taken = foreground::take(terminal, self.session, |pids| {
            wishes(Wish::Stopping(pids.to_vec()));
        });
        match taken {
            Ok(taken) => {
                self.state = State::Asking(Box::new(Asking::new(taken)));
            }
            Err(trouble) => {
                wishes(Wish::End);
                match trouble {
                    Trouble::Terminal(error) => return self.lose(&error, wishes),
                    Trouble::CannotStop(pid) => wishes(Wish::Say(format!(
                        "cannot ask on this terminal: process {pid} belongs to another user and \
                         may be reading it; answer from another terminal: hallpass answer"
                    ))),
                    Trouble::DoesNotStop => wishes(Wish::Say(
                        "cannot ask on this terminal: the program that reads it does not stop; \
                         answer from another terminal: hallpass answer"
                            .into(),
                    )),
                }
                wait(TRY_AGAIN, true);
            }
        }
    }

    /// Nobody can be asked here any more.
    fn lose(&mut self, error: &io::Error, wishes: Wishes<'_>) {
        self.state = State::Idle;
        self.questions.clear();
        wishes(Wish::Say(format!(
            "cannot ask on this terminal any more ({error}); what would be asked is refused"
        )));
        wishes(Wish::Lost);
    }

    /// Handles what was typed, shows the next question, or gives the terminal back.
    fn ask(&mut self, session: &mut Client, now: Instant, wishes: Wishes<'_>) {
        let State::Asking(asking) = &mut self.state else {
            return;
        };
        if asking.current.is_none() {
            match self.questions.values().next() {
                Some(question) => asking.show(question.clone(), now),
                None => return self.give_back(None, wishes),
            }
        }
        asking.tick(self.questions.len(), now);
        let keys = match asking.read_keys(now) {
            Ok(keys) => keys,
            Err(error) => {
                self.give_back(None, wishes);
                return self.lose(&error, wishes);
            }
        };
        for key in keys {
            let State::Asking(asking) = &mut self.state else {
                return;
            };
            let Some(current) = &mut asking.current else {
                return;
            };
            let act = current.choice.on_key(key);
            let id = current.choice.question.id;
            match act {
                Act::Redraw => {
                    if !std::mem::replace(&mut current.is_touched, true) {
                        // Somebody is there: the clock need not run. It may have run out just now.
                        let _ = session.request(Call::Touch { question: id });
                    }
                    asking.draw(self.questions.len(), now);
                }
                Act::Answer(answer) => {
                    let result = session.request(Call::Answer {
                        question: id,
                        answer: answer.clone(),
                    });
                    let words = |choice: &Choice, settled, look: &Look| {
                        view::answered(choice, answer.verdict, settled, look)
                    };
                    if asking.answered(result, words, self.questions.len(), now) {
                        self.questions.remove(&id);
                    }
                }
                Act::DenyRest => {
                    let result = session.request(Call::DenyRest);
                    let words = |_: &Choice, settled, look: &Look| view::denied_rest(settled, look);
                    if asking.answered(result, words, self.questions.len(), now) {
                        self.questions.clear();
                    }
                }
                Act::Dismiss => {
                    // It may have been settled in between, which is as well.
                    let _ = session.request(Call::Dismiss { question: id });
                    self.questions.remove(&id);
                    asking.drop_current();
                }
                Act::Signal(signal) => {
                    for question in std::mem::take(&mut self.questions).into_keys() {
                        let _ = session.request(Call::Dismiss { question });
                    }
                    asking.drop_current();
                    return self.give_back(Some(signal), wishes);
                }
                Act::Suspend => return self.suspend(now, wishes),
            }
        }
    }

    /// As Ctrl-Z without us: the job stops, and its questions wait for `fg`.
    fn suspend(&mut self, now: Instant, wishes: Wishes<'_>) {
        let State::Asking(asking) = &mut self.state else {
            return;
        };
        asking.drop_current();
        let job = asking.taken.foreground();
        self.give_back(None, wishes);
        // After the job goes on: SIGCONT would have thrown the stop away.
        foreground::suspend(job, self.session);
        self.wait_until(now + TRY_AGAIN);
    }

    /// The job has stopped, and its caller has the terminal until it goes on.
    pub(crate) fn job_stopped(&mut self, wishes: Wishes<'_>) {
        match self.state {
            State::Idle => return,
            State::Waiting { .. } => {}
            State::Saving => wishes(Wish::End),
            State::Asking(_) => self.give_back(None, wishes),
        }
        self.wait_until(Instant::now());
    }

    fn wait_until(&mut self, next: Instant) {
        self.state = State::Waiting {
            since: next,
            next,
            has_said: true,
        };
    }

    /// Gives the terminal back, if it is ours.
    pub(crate) fn give_back(&mut self, signal: Option<i32>, wishes: Wishes<'_>) {
        if let State::Asking(mut asking) = std::mem::take(&mut self.state) {
            asking.drop_current();
            wishes(Wish::End);
            asking.taken.give_back(signal);
        }
    }

    /// Makes room for a line on the same terminal; `write` writes it.
    pub(crate) fn around(&mut self, write: impl FnOnce()) {
        match &mut self.state {
            State::Asking(asking) => asking.around(self.questions.len(), write),
            _ => write(),
        }
    }

    /// The terminal has another size.
    pub(crate) fn resized(&mut self) {
        if let State::Asking(asking) = &mut self.state {
            asking.resized(self.questions.len());
        }
    }
}

fn waits_in_background(question: &Question) -> String {
    let line = hallpass_session::render::question(question);
    let line: Vec<&str> = line.split_whitespace().collect();
    format!(
        "{}: to answer, bring this job to the foreground (fg), or use another terminal: \
         hallpass answer",
        line.join(" ")
    )
}
