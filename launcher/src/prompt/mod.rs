//! Questions on the terminal: asks one at a time, in the foreground job's place, and gives the
//! terminal back.
//!
//! Keys and rows are pure ([`keys`], [`choice`], [`look`], [`view`]); [`foreground`] takes the
//! terminal and [`screen`] draws on it; this file puts them in order. It must never decide:
//! whatever goes wrong here leaves the question open or refused.

mod choice;
mod foreground;
mod keys;
mod look;
#[cfg(test)]
mod samples;
mod screen;
mod view;

use choice::{Act, Choice};
use foreground::{Taken, Trouble};
use hallpass_session::control::client::{Client, ClientError};
use hallpass_session::control::protocol::{Answer, Call, Question, QuestionId};
use hallpass_session::verdict::{Source, Verdict};
use look::Look;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use screen::Screen;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use view::Scene;

/// How long no key may come before keys count: what is typed into a question that has just
/// appeared was meant for something else.
const QUIET: Duration = Duration::from_millis(250);
/// How long typing may put that off.
const QUIET_AT_MOST: Duration = Duration::from_secs(3);
/// How often it is looked whether our job has come to the foreground.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// After this long in the background it is said once that something waits.
const SAY_AFTER: Duration = Duration::from_millis(300);
/// After a terminal that could not be taken.
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

#[derive(Debug)]
struct Asking {
    taken: Taken,
    screen: Screen,
    look: Look,
    current: Option<Current>,
    dropped_input: bool,
}

/// The question on the screen.
#[derive(Debug)]
struct Current {
    choice: Choice,
    shown_at: Instant,
    /// Keys count from then on; later with each key that comes before.
    armed_at: Instant,
    /// When the clock of `--ask-timeout` runs out.
    runs_out: Option<Instant>,
    is_touched: bool,
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
            State::Idle | State::Saving => None,
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
            Err(_) => {
                self.state = State::Idle;
                self.questions.clear();
                wishes(Wish::Lost);
            }
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

    fn lose(&mut self, _error: &std::io::Error, wishes: Wishes<'_>) {
        self.state = State::Idle;
        self.questions.clear();
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
                    if asking.answered(&answer, result, self.questions.len(), now) {
                        self.questions.remove(&id);
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
        let group = nix::unistd::Pid::from_raw(-asking.taken.foreground().as_raw());
        self.give_back(None, wishes);
        // After the job goes on: SIGCONT would have thrown the stop away.
        let _ = crate::sys::kill(group, libc::SIGTSTP);
        self.state = State::Waiting {
            since: now,
            next: now + LOOK_AGAIN,
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
            State::Asking(asking) => {
                let Asking {
                    screen,
                    taken,
                    look,
                    ..
                } = asking.as_mut();
                screen.clear(taken.terminal(), look);
                write();
                asking.draw(self.questions.len(), Instant::now());
            }
            _ => write(),
        }
    }

    /// The terminal has another size.
    pub(crate) fn resized(&mut self) {
        if let State::Asking(asking) = &mut self.state {
            asking.screen.clear(asking.taken.terminal(), &asking.look);
            asking.look = look(&asking.taken);
            asking.draw(self.questions.len(), Instant::now());
        }
    }
}

fn look(taken: &Taken) -> Look {
    let (rows, columns) = taken.size();
    Look::new(|name| std::env::var_os(name), columns.into(), rows.into())
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

impl Asking {
    fn new(taken: Taken) -> Self {
        Self {
            screen: Screen::new(taken.terminal()),
            look: look(&taken),
            dropped_input: taken.dropped_input,
            taken,
            current: None,
        }
    }

    fn show(&mut self, question: Question, now: Instant) {
        self.taken.flush();
        self.current = Some(Current {
            runs_out: runs_out(&question, now),
            choice: Choice::new(question),
            shown_at: now,
            armed_at: now + QUIET,
            is_touched: false,
        });
    }

    fn update(&mut self, question: &Question) {
        if let Some(current) = &mut self.current
            && current.choice.question.id == question.id
        {
            let now = Instant::now();
            current.runs_out = runs_out(question, now);
            current.choice.update(question.clone());
            self.draw(1, now);
        }
    }

    fn scene(&self, questions: usize, now: Instant) -> Scene {
        let current = self.current.as_ref();
        Scene {
            queued: questions.saturating_sub(1),
            dropped_input: self.dropped_input,
            seconds_left: current
                .and_then(|current| current.runs_out)
                .map(|at| at.saturating_duration_since(now).as_millis().div_ceil(1000))
                .and_then(|seconds| u64::try_from(seconds).ok()),
            armed: current.is_some_and(|current| current.armed_at <= now),
        }
    }

    fn draw(&mut self, questions: usize, now: Instant) {
        let scene = self.scene(questions, now);
        if let Some(current) = &self.current {
            let rows = view::panel(&current.choice, &scene, &self.look);
            let last = view::last_row(&scene, &self.look);
            self.screen
                .draw(self.taken.terminal(), &self.look, &rows, &last);
        }
    }

    /// Draws a question that is new, arms it, counts its clock.
    fn tick(&mut self, questions: usize, now: Instant) {
        if !self.screen.has_panel() {
            return self.draw(questions, now);
        }
        let scene = self.scene(questions, now);
        let last = view::last_row(&scene, &self.look);
        self.screen
            .draw_last(self.taken.terminal(), &self.look, &last);
    }

    /// The keys that count.
    fn read_keys(&mut self, now: Instant) -> std::io::Result<Vec<keys::Key>> {
        let mut terminal: &File = self.taken.terminal();
        let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::ZERO)? == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = [0; 256];
        let length = terminal.read(&mut bytes)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let keys = keys::decode(bytes.get(..length).unwrap_or_default());
        let Some(current) = &mut self.current else {
            return Ok(Vec::new());
        };
        if current.armed_at <= now {
            return Ok(keys);
        }
        // Still typing at what was there before; but never for so long that nobody can answer.
        current.armed_at = (now + QUIET).min(current.shown_at + QUIET_AT_MOST);
        self.dropped_input = true;
        // Ctrl-C and its like are never meant for something else.
        Ok(keys
            .into_iter()
            .filter(|key| matches!(key, keys::Key::Interrupt | keys::Key::Quit))
            .collect())
    }

    /// Says what the answer did; false where the session refused it and the question stays.
    fn answered(
        &mut self,
        answer: &Answer,
        result: Result<usize, ClientError>,
        questions: usize,
        now: Instant,
    ) -> bool {
        let Some(current) = &mut self.current else {
            return true;
        };
        match result {
            Ok(settled) => {
                let line = view::answered(&current.choice, answer.verdict, settled, &self.look);
                self.drop_current();
                self.screen.line(self.taken.terminal(), &line);
                true
            }
            Err(error) => {
                current.choice.note = Some(format!("not done: {error}"));
                self.draw(questions, now);
                false
            }
        }
    }

    /// Takes a question from the screen that was settled elsewhere, and says so.
    fn withdraw(&mut self, id: QuestionId, verdict: Option<Verdict>, source: Option<&Source>) {
        let Some(current) = &self.current else {
            return;
        };
        if current.choice.question.id != id {
            return;
        }
        let line = withdrawal(verdict, source)
            .map(|how| view::withdrawn(&current.choice.question, &how, &self.look));
        self.drop_current();
        if let Some(line) = line {
            self.screen.line(self.taken.terminal(), &line);
        }
    }

    fn drop_current(&mut self) {
        self.current = None;
        self.screen.clear(self.taken.terminal(), &self.look);
    }
}

/// How a question ended; none where a line about the refused call says it anyway.
fn withdrawal(verdict: Option<Verdict>, source: Option<&Source>) -> Option<String> {
    let why = match source {
        Some(Source::Fallback { .. }) => return None,
        Some(source) => hallpass_session::render::source(source),
        None => return Some("question withdrawn, the program no longer waits for it".into()),
    };
    Some(match verdict {
        Some(Verdict::Allow) => format!("allowed, {why}"),
        Some(Verdict::Deny) => format!("denied, {why}"),
        None => format!("question withdrawn, {why}"),
    })
}

fn runs_out(question: &Question, now: Instant) -> Option<Instant> {
    now.checked_add(Duration::from_millis(question.time_left_ms?))
}

impl Current {
    fn wakes_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let to_arm = (self.armed_at > now).then_some(self.armed_at);
        let to_count = self.runs_out.map(|at| {
            // When the shown number of seconds changes.
            let left = at.saturating_duration_since(now);
            now + Duration::from_millis(u64::from(left.subsec_millis()) + 1)
        });
        [to_arm, to_count].into_iter().flatten().min()
    }
}
