//! Where sessions, window and rules file meet: one model behind one lock.

use crate::link::{Links, Listener};
use crate::looker;
use crate::model::rules::Change;
use crate::model::{Command, Model, Report};
use eframe::egui;
use hallpass_session::control::protocol::Message;
use hallpass_session::event::Kind;
use hallpass_session::rules_file;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How often decisions may repaint the window: a flood of them must not keep a core busy.
const EVENTS_EVERY: Duration = Duration::from_millis(200);

/// What the rules file's thread shall do.
enum Job {
    Load,
    Change(Box<Change>),
}

/// Shared by all threads; clones are the same desk.
#[derive(Clone)]
pub(crate) struct Desk {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    links: OnceLock<Links>,
    /// Asks for live connections; to be woken when they come on screen.
    looker: OnceLock<Thread>,
    jobs: Mutex<Sender<Job>>,
}

#[derive(Default)]
struct State {
    model: Model,
    /// A person asked for the window.
    summoned: bool,
    /// The window, once there is one.
    window: Option<Opened>,
}

impl State {
    fn wanted(&mut self) -> Option<Reason> {
        match std::mem::take(&mut self.summoned) {
            true => Some(Reason::Person),
            false => self.model.front().map(|_| Reason::Question),
        }
    }
}

/// A window as the desk knows it.
struct Opened {
    ctx: egui::Context,
    lift: Lift,
    stage: Stage,
}

/// Brings a hidden window to the screen, and makes it look at the desk. Called from any thread:
/// the window manager takes its time, in which the window is painted.
pub(crate) type Lift = Arc<dyn Fn(Reason) + Send + Sync>;

/// Where a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Behind its curtain.
    Hidden,
    /// On its way to the screen, which it does not know yet.
    Lifted(Reason),
    /// On the screen.
    Open,
}

/// Why a window is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A person asked for it.
    Person,
    /// A question waits.
    Question,
}

impl Desk {
    /// Follows the sessions below `bases`, and reads the saved rules at `rules`, where that
    /// place is known.
    pub(crate) fn start(bases: Vec<PathBuf>, rules: Option<PathBuf>) -> std::io::Result<Self> {
        let (jobs, waiting) = channel();
        let desk = Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: Condvar::new(),
                links: OnceLock::new(),
                looker: OnceLock::new(),
                jobs: Mutex::new(jobs),
            }),
        };
        if let Some(rules) = rules {
            let here = desk.clone();
            std::thread::Builder::new()
                .name("rules".to_owned())
                .spawn(move || here.keep_rules(&rules, &waiting))?;
        }
        let here = desk.clone();
        let listener: Listener = Arc::new(move |report| here.report(report));
        let links = Links::start(bases, listener)?;
        // It was empty: this is the only place that fills it.
        let _ = desk.shared.links.set(links);
        let _ = desk.shared.looker.set(looker::start(desk.clone())?);
        Ok(desk)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked in here ends the process soon; until then what it left is used.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the model, and sends off what it wants done.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Model) -> R) -> R {
        let mut state = self.state();
        let result = work(&mut state.model);
        let is_watched = state.model.live().is_on_screen();
        let commands = state.model.take_commands();
        let changes = state.model.saved_mut().take_changes();
        drop(state);
        if is_watched && let Some(looker) = self.shared.looker.get() {
            looker.unpark();
        }
        self.send(commands);
        for change in changes {
            self.job(Job::Change(Box::new(change)));
        }
        result
    }

    fn send(&self, commands: Vec<Command>) {
        // The finder may be faster than the line that keeps it.
        let links = commands.first().map(|_| self.shared.links.wait());
        for command in commands {
            if let Some(links) = links {
                links.send(command);
            }
        }
    }

    fn report(&self, report: Report) {
        let is_event = matches!(report, Report::Said(_, Message::Event(_)));
        let is_rule = matches!(&report, Report::Said(_, Message::Event(event))
            if matches!(event.kind, Kind::Answered { rule: Some(_), .. }));
        let is_quiet = self.with(|model| {
            model.report(report, Instant::now());
            model.is_quiet()
        });
        if is_quiet {
            return;
        }
        if is_rule {
            self.load_rules();
        }
        let mut state = self.state();
        let is_asked = state.model.front().is_some();
        let is_idle = state.model.sessions().is_empty();
        match &mut state.window {
            None => self.shared.changed.notify_all(),
            Some(window) if window.stage == Stage::Hidden => {
                if is_asked {
                    self.lift(state, Reason::Question);
                } else if is_idle {
                    window.ctx.request_repaint();
                }
            }
            Some(window) if is_event => window.ctx.request_repaint_after(EVENTS_EVERY),
            Some(window) => window.ctx.request_repaint(),
        }
    }

    fn lift(&self, mut state: MutexGuard<'_, State>, reason: Reason) {
        let Some(window) = &mut state.window else {
            return;
        };
        window.stage = Stage::Lifted(reason);
        let lift = Arc::clone(&window.lift);
        drop(state);
        lift(reason);
        self.load_rules();
    }

    /// Reads the saved rules again.
    pub(crate) fn load_rules(&self) {
        self.job(Job::Load);
    }

    fn job(&self, job: Job) {
        let jobs = self.shared.jobs.lock();
        // Where no place for rules is known nobody listens, and none are shown.
        let _ = jobs.unwrap_or_else(PoisonError::into_inner).send(job);
    }

    fn keep_rules(&self, path: &Path, jobs: &Receiver<Job>) {
        for job in jobs {
            let is_change = matches!(job, Job::Change(_));
            let rules = match job {
                Job::Load => rules_file::load(path).map(|file| file.rules),
                Job::Change(change) => rules_file::update(path, |file| {
                    change.make(file);
                    file.rules.clone()
                }),
            };
            let rules = rules.map_err(|problem| problem.to_string());
            self.with(|model| {
                if is_change {
                    model.rules_changed();
                }
                model.saved_mut().loaded(rules);
            });
            if let Some(window) = self.state().window.as_ref() {
                window.ctx.request_repaint();
            }
        }
    }

    /// A person asks for the window.
    pub(crate) fn summon(&self) {
        let mut state = self.state();
        match &state.window {
            Some(window) if window.stage == Stage::Hidden => {
                self.lift(state, Reason::Person);
                return;
            }
            Some(window) => window.ctx.request_repaint(),
            None => self.shared.changed.notify_all(),
        }
        state.summoned = true;
    }

    /// Whether a person has asked for the window since the last look.
    pub(crate) fn take_summons(&self) -> bool {
        std::mem::take(&mut self.state().summoned)
    }

    /// Why a window is wanted now.
    pub(crate) fn wanted(&self) -> Option<Reason> {
        self.state().wanted()
    }

    /// Waits until a window is wanted; none where nothing has run for `idle`.
    pub(crate) fn wait(&self, idle: Duration) -> Option<Reason> {
        let mut state = self.state();
        loop {
            if let Some(reason) = state.wanted() {
                return Some(reason);
            }
            let changed = &self.shared.changed;
            let is_idle = state.model.sessions().is_empty();
            let waited = changed.wait_timeout(state, idle);
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = next;
            if is_idle && timeout.timed_out() && state.model.sessions().is_empty() {
                return None;
            }
        }
    }

    /// There is a window, and it is shown for a reason, or hidden: then `lift` shows it.
    pub(crate) fn opened(&self, ctx: egui::Context, reason: Option<Reason>, lift: Lift) {
        let stage = reason.map_or(Stage::Hidden, Stage::Lifted);
        let mut state = self.state();
        state.window = Some(Opened { ctx, lift, stage });
        drop(state);
        // What came up before it was known where to tell it.
        if reason.is_none()
            && let Some(reason) = self.wanted()
        {
            self.lift(self.state(), reason);
        }
    }

    /// Where the window is; that it was lifted is told once.
    pub(crate) fn take_stage(&self) -> Stage {
        let mut state = self.state();
        let Some(window) = &mut state.window else {
            return Stage::Open;
        };
        match window.stage {
            Stage::Lifted(_) => std::mem::replace(&mut window.stage, Stage::Open),
            stage => stage,
        }
    }

    /// Whether the window is behind its curtain.
    pub(crate) fn is_hidden(&self) -> bool {
        let state = self.state();
        let stage = state.window.as_ref().map(|window| window.stage);
        stage == Some(Stage::Hidden)
    }

    /// The window goes behind its curtain; false where something has come up meanwhile.
    pub(crate) fn hide(&self) -> bool {
        let mut state = self.state();
        let is_asked = state.summoned || state.model.front().is_some();
        if let Some(window) = state.window.as_mut().filter(|_| !is_asked) {
            window.stage = Stage::Hidden;
            state.model.hidden();
        }
        !is_asked
    }

    /// The window is closed.
    pub(crate) fn closed(&self) {
        let mut state = self.state();
        state.window = None;
        state.model.hidden();
    }
}
