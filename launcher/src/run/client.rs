//! The front as a client of its session: prints decisions and asks on the terminal.

use super::Places;
use super::link::{Link, ToSession};
use super::opener::Handover;
use super::window::{Step, Window};
use crate::prompt::{Prompt, Wish};
use crate::say::say;
use hallpass_session::control::client::{Client as Connection, ClientError};
use hallpass_session::control::protocol::Message;
use hallpass_session::event::{Event, FlowLine, Kind};
use hallpass_session::render;
use hallpass_session::verdict::Source;
use nix::unistd::Pid;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What this client calls itself.
const NAME: &str = "terminal";
/// How many refusals for want of an answer are told without `-v`.
const TOLD: u32 = 20;
/// How long the last lines of a run may take to arrive.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The front as a client of its session.
#[derive(Default)]
pub(super) struct Client {
    /// `-v`.
    verbose: bool,
    /// Questions come here: for the terminal, or until the desktop window is there.
    asks: bool,
    /// The terminal can be asked on.
    has_terminal: bool,
    /// Where questions are asked first.
    window: Window,
    connection: Option<Connection>,
    socket: Option<(PathBuf, u32)>,
    prompt: Prompt,
    /// Refusals that were told.
    told: u32,
    /// It was told that a call waits for somebody elsewhere.
    told_of_waiting: bool,
    /// The session's word that CMD has ended has arrived: nothing of before is outstanding.
    has_ended: bool,
    /// The terminal was lost and the session must not wait for it.
    reconnect: bool,
}

impl Client {
    /// A client that is not connected yet.
    pub(super) fn new(verbose: bool, places: Places) -> Self {
        Self {
            verbose,
            asks: places.terminal || places.window.is_some(),
            has_terminal: places.terminal,
            window: Window::new(places.window),
            ..Self::default()
        }
    }

    /// Connects, so that no decision is missed from here on. The error is for a person.
    pub(super) fn connect(&mut self, dir: &Path, session: Pid) -> Result<(), String> {
        let pid = session.as_raw().cast_unsigned();
        self.socket = Some((dir.join("control"), pid));
        self.prompt = Prompt::new(session.as_raw());
        self.subscribe()
            .map_err(|error| format!("cannot reach the session's control socket: {error}"))
    }

    fn subscribe(&mut self) -> Result<(), ClientError> {
        let Some((path, pid)) = &self.socket else {
            return Ok(());
        };
        // Before the old one goes: its going would look as if nobody listened.
        let connection =
            Connection::connect_and_subscribe(path, Some(*pid), NAME, true, self.asks)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// What to poll for input.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let connection = self.connection.as_ref().map(AsFd::as_fd);
        connection
            .into_iter()
            .chain(self.prompt.descriptor())
            .collect()
    }

    /// How long until [`Self::step`] wants to be called again.
    pub(super) fn wakes_in(&self) -> Option<Duration> {
        [self.prompt.wakes_at(), self.window.wakes_at()]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
    }

    /// Reads what has come and goes on asking.
    pub(super) fn step(&mut self, link: &Link) -> io::Result<()> {
        self.read(Duration::ZERO);
        let mut failed = None;
        if let Some(connection) = &mut self.connection {
            let prompt = &mut self.prompt;
            let reconnect = &mut self.reconnect;
            prompt.step(connection, &mut |wish| {
                failed = fulfil(wish, link, reconnect).err().or(failed.take());
            });
        }
        // What the prompt asked for may have come with other messages ahead of its reply.
        self.read(Duration::ZERO);
        let step = self.window.step(Instant::now());
        self.after(step);
        if std::mem::take(&mut self.reconnect) {
            self.asks = false;
            if self.subscribe().is_err() {
                self.connection = None;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The session has saved the terminal's state.
    pub(super) fn terminal_saved(&mut self, link: &Link) -> io::Result<()> {
        let mut failed = None;
        let reconnect = &mut self.reconnect;
        self.prompt.saved(&mut |wish| {
            failed = fulfil(wish, link, reconnect).err().or(failed.take());
        });
        failed.map_or(Ok(()), Err)
    }

    /// The program has stopped. Leaves the terminal alone while `stop` does the same to the front,
    /// and asks again as soon as that returns.
    pub(super) fn stop(&mut self, link: &Link, stop: impl FnOnce()) -> io::Result<()> {
        let mut told = Ok(());
        let reconnect = &mut self.reconnect;
        self.prompt
            .job_stopped(&mut |wish| told = fulfil(wish, link, reconnect));
        told?;
        stop();
        Ok(())
    }

    /// The terminal has another size.
    pub(super) fn terminal_resized(&mut self) {
        self.prompt.resized();
    }

    /// Gives the terminal back and prints what is still to come. `ended` where CMD has ended.
    pub(super) fn close(&mut self, link: &Link, ended: bool) {
        self.prompt.give_back(None, &mut |wish| {
            // A session that is gone needs no word of it.
            let _ = fulfil(wish, link, &mut false);
        });
        let end = Instant::now() + LAST_LINES;
        while ended && !self.has_ended && self.connection.is_some() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.read(left);
        }
    }

    /// Whether windows are opened for questions.
    pub(super) fn opens_windows(&self) -> bool {
        self.window.is_wanted()
    }

    /// What somebody else needs in order to open windows from here on; none where questions are
    /// not asked in a window.
    pub(super) fn hand_over(self) -> Option<Handover> {
        Some(Handover {
            connection: self.connection?,
            socket: self.socket?,
            window: self.window.is_wanted().then_some(self.window)?,
        })
    }

    /// Says a line; a question on the screen makes room for it.
    pub(super) fn say(&mut self, text: &str) {
        self.prompt.around(|| say(text));
    }

    /// Reads the messages that are there, waiting at most `timeout` for the first.
    fn read(&mut self, timeout: Duration) {
        let mut timeout = timeout;
        while let Some(connection) = &mut self.connection {
            match connection.next(Some(timeout)) {
                Ok(Some(message)) => self.on_message(message),
                Ok(None) => return,
                // The front hears of the session's end by its own channel.
                Err(_) => self.connection = None,
            }
            timeout = Duration::ZERO;
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Question(question) if self.asks && self.window.is_wanted() => {
                let step = self.window.question(*question, Instant::now());
                self.after(step);
            }
            Message::Question(question) if self.asks => self.prompt.question(*question),
            Message::Settled {
                question,
                verdict,
                source,
            } => {
                self.window.settled(question);
                self.prompt.settled(question, verdict, source.as_ref());
            }
            Message::Answering { clients } => {
                let step = self.window.answering(&clients, Instant::now());
                self.after(step);
            }
            Message::Event(event) => self.on_event(&event),
            _ => {}
        }
    }

    /// Does what the window's absence makes necessary.
    fn after(&mut self, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Say(text) => self.say(&text),
            Step::GiveUp(why, questions) if self.has_terminal => {
                self.say(&format!("{why}; asking here instead"));
                for question in questions {
                    self.prompt.question(question);
                }
            }
            Step::GiveUp(why, _) => {
                self.say(&format!(
                    "{why}, and there is no terminal to ask on: what no rule allows is refused"
                ));
                self.reconnect = true;
            }
        }
    }

    fn on_event(&mut self, event: &Event) {
        if matches!(event.kind, Kind::Ended { .. }) {
            self.has_ended = true;
        }
        if let Kind::Asked { flow, .. } = &event.kind {
            self.tell_of_waiting(flow);
        }
        let is_wanted = if self.verbose {
            render::is_for_verbose(event)
        } else {
            is_refused_without_a_word(event) && self.count()
        };
        if is_wanted {
            self.say(&render::event(event));
        }
    }

    /// A call waits, and neither this terminal nor a window of ours asks: once, unless the line would
    /// go across a program's screen.
    fn tell_of_waiting(&mut self, flow: &FlowLine) {
        let may_be_told = self.verbose || !io::stderr().is_terminal();
        if self.asks || self.told_of_waiting || !may_be_told {
            return;
        }
        self.told_of_waiting = true;
        self.say(&format!(
            "{} waits for an answer: see `hallpass pending`, then `hallpass answer allow` or \
             `hallpass answer deny`",
            render::flow(flow)
        ));
    }

    /// Counts a refusal; false once there were too many to tell each.
    fn count(&mut self) -> bool {
        self.told = self.told.saturating_add(1);
        if self.told == TOLD + 1 {
            self.say("further refusals like these are only counted; -v prints each");
        }
        self.told <= TOLD
    }
}

/// A call that neither a rule nor a person refused: it must not go by in silence.
fn is_refused_without_a_word(event: &Event) -> bool {
    matches!(
        event.kind,
        Kind::Decided {
            source: Source::Fallback { .. },
            ..
        } | Kind::Refused { .. }
    )
}

fn fulfil(wish: Wish, link: &Link, reconnect: &mut bool) -> io::Result<()> {
    match wish {
        Wish::Begin => link.send(&ToSession::PromptBegin),
        Wish::Stopping(pids) => link.send(&ToSession::PromptStopped(pids)),
        Wish::End => link.send(&ToSession::PromptEnd),
        Wish::Say(text) => {
            say(&text);
            Ok(())
        }
        Wish::Lost => {
            *reconnect = true;
            Ok(())
        }
    }
}
