//! The terminal while it is ours, and the question on it.

use super::choice::Choice;
use super::foreground::Taken;
use super::keys;
use super::look::Look;
use super::screen::Screen;
use super::view::{self, Scene};
use hallpass_session::control::client::ClientError;
use hallpass_session::control::protocol::{Question, QuestionId};
use hallpass_session::verdict::{Source, Verdict};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long no key may come before keys count: what is typed into a question that has just
/// appeared was meant for something else.
const QUIET: Duration = Duration::from_millis(250);
/// How long typing may put that off.
const QUIET_AT_MOST: Duration = Duration::from_secs(3);
/// The terminal, and what is on it.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) taken: Taken,
    screen: Screen,
    look: Look,
    /// The question that is shown; none between two.
    pub(super) current: Option<Current>,
    dropped_input: bool,
}

/// The question on the screen.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) choice: Choice,
    shown_at: Instant,
    /// Keys count from then on; later with each key that comes before.
    armed_at: Instant,
    /// When the clock of `--ask-timeout` runs out.
    runs_out: Option<Instant>,
    /// The session knows that somebody is there.
    pub(super) is_touched: bool,
}

fn look(taken: &Taken) -> Look {
    let (rows, columns) = taken.size();
    Look::new(|name| std::env::var_os(name), columns.into(), rows.into())
}

impl Asking {
    /// Nothing is asked yet.
    pub(super) fn new(taken: Taken) -> Self {
        Self {
            screen: Screen::new(taken.terminal()),
            look: look(&taken),
            dropped_input: taken.dropped_input,
            taken,
            current: None,
        }
    }

    /// Puts a question on the screen.
    pub(super) fn show(&mut self, question: Question, now: Instant) {
        self.taken.flush();
        self.current = Some(Current {
            runs_out: runs_out(&question, now),
            choice: Choice::new(question),
            shown_at: now,
            armed_at: now + QUIET,
            is_touched: false,
        });
    }

    /// The question that is shown may have changed.
    pub(super) fn update(&mut self, question: &Question) {
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

    /// Draws the panel; `questions` wait in all.
    pub(super) fn draw(&mut self, questions: usize, now: Instant) {
        let scene = self.scene(questions, now);
        // Where nothing that is drawn can be changed, it is drawn when keys count.
        if !self.look.moves && !scene.armed {
            return;
        }
        if let Some(current) = &self.current {
            let rows = view::panel(&current.choice, &scene, &self.look);
            let last = view::last_row(&scene, &self.look);
            self.screen
                .draw(self.taken.terminal(), &self.look, &rows, &last);
        }
    }

    /// Draws a question that is new, arms it, counts its clock.
    pub(super) fn tick(&mut self, questions: usize, now: Instant) {
        if !self.screen.has_panel() {
            return self.draw(questions, now);
        }
        let scene = self.scene(questions, now);
        let last = view::last_row(&scene, &self.look);
        self.screen
            .draw_last(self.taken.terminal(), &self.look, &last);
    }

    /// The keys that count.
    pub(super) fn read_keys(&mut self, now: Instant) -> std::io::Result<Vec<keys::Key>> {
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
        let is_armed = current.armed_at <= now;
        if keys.contains(&keys::Key::Report) {
            // The rest of it may still come, and look like a key. However long that goes on: a
            // program that keeps the terminal talking is not answered for.
            current.armed_at = current.armed_at.max(now + QUIET);
        }
        if is_armed {
            return Ok(keys);
        }
        // Still typing at what was there before; but never for so long that nobody can answer.
        let later = (now + QUIET).min(current.shown_at + QUIET_AT_MOST);
        current.armed_at = current.armed_at.max(later);
        self.dropped_input = true;
        // Ctrl-C and its like are never meant for something else.
        Ok(keys
            .into_iter()
            .filter(|key| matches!(key, keys::Key::Interrupt | keys::Key::Quit))
            .collect())
    }

    /// Says what an answer did, as `words` have it of how many calls it settled; false where the
    /// session refused it and the question stays.
    pub(super) fn answered(
        &mut self,
        result: Result<usize, ClientError>,
        words: impl FnOnce(&Choice, usize, &Look) -> String,
        questions: usize,
        now: Instant,
    ) -> bool {
        let Some(current) = &mut self.current else {
            return true;
        };
        match result {
            Ok(settled) => {
                let line = words(&current.choice, settled, &self.look);
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
    pub(super) fn withdraw(
        &mut self,
        id: QuestionId,
        verdict: Option<Verdict>,
        source: Option<&Source>,
    ) {
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

    /// Makes room for a line that `write` writes to the same terminal.
    pub(super) fn around(&mut self, questions: usize, write: impl FnOnce()) {
        self.screen.clear(self.taken.terminal(), &self.look);
        write();
        self.draw(questions, Instant::now());
    }

    /// The terminal has another size.
    pub(super) fn resized(&mut self, questions: usize) {
        self.screen.clear(self.taken.terminal(), &self.look);
        self.look = look(&self.taken);
        self.draw(questions, Instant::now());
    }

    /// Takes the question from the screen.
    pub(super) fn drop_current(&mut self) {
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
    /// When there is something to do without a key.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
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
