//! The desktop window as the place where questions are asked: started when one comes up and no
//! window is there, waited for, and given up.
//!
//! The window is a client of the session by itself; this only sees to it that there is one. Its
//! process is a child of the front, never of the session: whatever descends from a session is a
//! target, and may not answer.

use hallpass_session::control::protocol::{Question, QuestionId};
use hallpass_session::problem::show_path;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program, beside this one.
const PROGRAM: &str = "hallpass-agent";
/// What it calls itself to a session.
const NAME: &str = "agent";
/// How long it may take to turn up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many in a row may go within [`PATIENCE`] of turning up before no other is started: it
/// cannot open its display, or dies of something that the next one would die of as well.
const SHORT_LIVES: u32 = 2;
/// How often it is looked whether it has failed.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Nothing,
    Say(String),
    /// No window comes: why, and what waits.
    GiveUp(String, Vec<Question>),
}

/// The window, as the front knows it.
#[derive(Default)]
pub(super) struct Window {
    /// None where questions are not asked in a window, or no more.
    program: Option<PathBuf>,
    state: State,
    /// What waits, for whoever asks instead.
    questions: BTreeMap<QuestionId, Question>,
    child: Option<Child>,
    /// When it turned up.
    since: Option<Instant>,
    /// How many in a row did not stay.
    short_lives: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// There is none.
    #[default]
    Away,
    /// It has been started, and has until then to turn up.
    Expected(Instant),
    /// It is a client of the session.
    There,
}

/// Where the window's program is.
///
/// # Errors
/// There is none, or no display; what to do, for a person.
pub(crate) fn program() -> Result<PathBuf, String> {
    let has_display = ["WAYLAND_DISPLAY", "DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !has_display {
        return Err(
            "there is no display (DISPLAY and WAYLAND_DISPLAY are empty); start it from a \
             desktop, or write --prompt=tty"
                .to_owned(),
        );
    }
    beside_us()
}

/// [`program`], with a display or without.
///
/// # Errors
/// There is none.
pub(crate) fn beside_us() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("where is hallpass? {error}"))?;
    let path = own.with_file_name(PROGRAM);
    match path.is_file() {
        true => Ok(path),
        false => Err(format!(
            "{PROGRAM} is not beside {}: build both with `cargo build`, or install hallpass with \
             the feature `gui`, which is on by default",
            show_path(&own)
        )),
    }
}

impl Window {
    /// A window by that program, or none.
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        Self {
            program,
            ..Self::default()
        }
    }

    /// Whether questions are asked in the window.
    pub(super) fn is_wanted(&self) -> bool {
        self.program.is_some()
    }

    /// A question waits, or has changed.
    pub(super) fn question(&mut self, question: Question, now: Instant) -> Step {
        self.questions.insert(question.id, question);
        self.want(now)
    }

    /// They will all be told of again.
    pub(super) fn forget_questions(&mut self) {
        self.questions.clear();
    }

    /// A question is gone.
    pub(super) fn settled(&mut self, question: QuestionId) {
        self.questions.remove(&question);
    }

    /// Who else can answer now.
    pub(super) fn answering(&mut self, clients: &[String], now: Instant) -> Step {
        let was_there = self.state == State::There;
        if clients.iter().any(|client| client == NAME) {
            if !was_there {
                self.since = Some(now);
            }
            self.state = State::There;
            return Step::Nothing;
        }
        if !was_there {
            return Step::Nothing;
        }
        self.state = State::Away;
        let stayed = self
            .since
            .is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE);
        self.short_lives = if stayed { 0 } else { self.short_lives + 1 };
        if self.short_lives >= SHORT_LIVES && !self.questions.is_empty() {
            return self.give_up("no hallpass window stays open".to_owned());
        }
        if self.questions.is_empty() {
            return Step::Nothing;
        }
        match self.want(now) {
            Step::Nothing => Step::Say("the hallpass window has gone; opening another".to_owned()),
            step => step,
        }
    }

    /// Gives up on a window that does not turn up.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        let State::Expected(until) = self.state else {
            return Step::Nothing;
        };
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok()?);
        match ended {
            Some(status) if !status.success() => {
                self.give_up(format!("no hallpass window can be opened ({status})"))
            }
            _ if until <= now => {
                let seconds = PATIENCE.as_secs();
                self.give_up(format!("no hallpass window appeared within {seconds} s"))
            }
            _ => Step::Nothing,
        }
    }

    /// When [`Self::step`] wants to be called again.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.state {
            State::Expected(until) => Some(until.min(Instant::now() + LOOK)),
            State::Away | State::There => None,
        }
    }

    /// Sees to it that a window is there or comes.
    fn want(&mut self, now: Instant) -> Step {
        let Some(program) = self.program.as_ref().filter(|_| self.state == State::Away) else {
            return Step::Nothing;
        };
        // Where one runs already this ends at once, and that one finds the session by itself.
        let started = Command::new(program)
            .arg("--background")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(child) => {
                if let Some(mut before) = self.child.replace(child) {
                    // It has ended, or is about to; then it stays a zombie until we end.
                    let _ = before.try_wait();
                }
                self.state = State::Expected(now + PATIENCE);
                Step::Nothing
            }
            Err(error) => self.give_up(format!("no hallpass window can be started ({error})")),
        }
    }

    fn give_up(&mut self, why: String) -> Step {
        self.program = None;
        self.state = State::Away;
        let questions = std::mem::take(&mut self.questions);
        Step::GiveUp(why, questions.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::samples::printer;

    fn question(id: QuestionId) -> Question {
        Question { id, ..printer() }
    }

    fn window(program: &str) -> (Window, Instant) {
        (Window::new(Some(program.into())), Instant::now())
    }

    #[test]
    fn a_window_is_started_once_and_waited_for() {
        let (mut window, now) = window("/bin/true");
        assert_eq!(window.question(question(1), now), Step::Nothing);
        let first = window.child.as_ref().unwrap().id();
        assert_eq!(window.question(question(2), now), Step::Nothing);
        assert_eq!(window.child.as_ref().unwrap().id(), first);
        assert_eq!(window.step(now), Step::Nothing);
        assert_eq!(window.answering(&["agent".to_owned()], now), Step::Nothing);
        assert_eq!(window.step(now + 2 * PATIENCE), Step::Nothing);
        assert_eq!(window.wakes_at(), None);
    }

    #[test]
    fn what_waits_is_handed_on_when_none_comes() {
        let (mut window, now) = window("/bin/true");
        window.question(question(1), now);
        window.question(question(2), now);
        window.settled(1);
        window.answering(&["shell".to_owned()], now);
        let Step::GiveUp(why, questions) = window.step(now + PATIENCE) else {
            panic!("still waiting");
        };
        assert!(why.contains("within 5 s"), "{why}");
        assert_eq!(questions.iter().map(|q| q.id).collect::<Vec<_>>(), [2]);
        assert!(!window.is_wanted());
    }

    #[test]
    fn a_program_that_fails_is_not_waited_for() {
        let (mut window, now) = window("/bin/false");
        window.question(question(1), now);
        let end = Instant::now() + PATIENCE;
        let step = loop {
            match window.step(now) {
                Step::Nothing if Instant::now() < end => std::thread::sleep(LOOK),
                step => break step,
            }
        };
        assert!(matches!(step, Step::GiveUp(..)), "{step:?}");
        let (mut missing, now) = (Window::new(Some("/nonexistent".into())), now);
        assert!(matches!(
            missing.question(question(1), now),
            Step::GiveUp(..)
        ));
    }

    #[test]
    fn one_that_goes_while_something_waits_is_replaced() {
        let (mut window, now) = window("/bin/true");
        window.answering(&["agent".to_owned()], now);
        assert_eq!(window.question(question(1), now), Step::Nothing);
        assert!(window.child.is_none(), "it was there already");
        assert!(matches!(window.answering(&[], now), Step::Say(_)));
        assert!(window.child.is_some());
        assert!(window.wakes_at().is_some());
    }

    #[test]
    fn windows_that_do_not_stay_are_not_replaced_for_ever() {
        let agent = ["agent".to_owned()];
        let (mut window, now) = window("/bin/true");
        window.question(question(1), now);
        // One that stayed is no reason to give up on the next.
        window.answering(&agent, now);
        let now = now + PATIENCE;
        assert!(matches!(window.answering(&[], now), Step::Say(_)));
        window.answering(&agent, now);
        assert!(matches!(window.answering(&[], now), Step::Say(_)));
        window.answering(&agent, now);
        let Step::GiveUp(why, questions) = window.answering(&[], now) else {
            panic!("yet another one was started");
        };
        assert!(why.contains("stays open"), "{why}");
        assert_eq!(questions.len(), 1);
    }
}
