//! stdout of the shell commands. A reader that has gone away is an error like any other here,
//! and none in the end ([`super::failure`]).

use hallpass_session::render;
use hallpass_session::runtime_dir::Session;
use serde::Serialize;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Something of a session's, as a line of JSON.
#[derive(Serialize)]
struct OfSession<'a, T: Serialize> {
    session: String,
    #[serde(flatten)]
    item: &'a T,
}

/// Lines for stdout, written out by [`Output::flush`] and at the end by [`Output::finish`].
pub(super) struct Output {
    to: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            to: BufWriter::new(io::stdout().lock()),
        }
    }

    /// One line of text that is safe to show.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.to, "{text}")
    }

    /// One line of JSON. Control and bidi characters cannot be in it raw: what they could be in
    /// is escaped text already.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, value)?;
        self.to.write_all(b"\n")
    }

    /// Something of a session's: a line of JSON, or what `text` makes of it.
    pub(super) fn of_session<T: Serialize>(
        &mut self,
        as_json: bool,
        session: &Session,
        item: &T,
        text: impl FnOnce(&Session, &T) -> String,
    ) -> io::Result<()> {
        if !as_json {
            return self.line(&text(session, item));
        }
        self.json(&OfSession {
            session: session.name.to_string(),
            item,
        })
    }

    /// Lets readers see what was written so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Writes the rest.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Says that these sessions have nothing to list.
pub(super) fn say_nothing(what: &str, running: &[Session]) {
    let sessions = render::count(running.len() as u64, "session runs", "sessions run");
    crate::say::say(&format!("{what} ({sessions})"));
}
