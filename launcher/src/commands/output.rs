//! stdout of the shell commands. A reader that has gone away is an error like any other here,
//! and none in the end ([`super::failure`]).

use serde::Serialize;
use std::io::{self, BufWriter, StdoutLock, Write};

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

    /// Lets readers see what was written so far.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Writes the rest.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.flush()
    }
}
