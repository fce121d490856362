//! Drawing on a terminal that is ours for the moment: the panel, and lines that stay.

use super::look::Look;
use std::fs::File;
use std::io::Write;

/// What is drawn, so that it can be taken away again.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Rows of the panel above the cursor's own; none where no panel is drawn.
    above: Option<usize>,
}

impl Screen {
    /// Nothing is drawn yet. The cursor may stand anywhere, behind a prompt for example, so the
    /// first row is one of its own.
    pub(crate) fn new(terminal: &File) -> Self {
        put(terminal, "\r\n");
        Self { above: None }
    }

    /// Whether a panel is drawn.
    pub(crate) fn has_panel(&self) -> bool {
        self.above.is_some()
    }

    /// Draws the panel in place of the one before; the cursor stays behind `last`.
    pub(crate) fn draw(&mut self, terminal: &File, look: &Look, rows: &[String], last: &str) {
        let mut text = self.take_away(look);
        for row in rows {
            text.push_str(row);
            text.push_str("\r\n");
        }
        text.push_str(last);
        put(terminal, &text);
        self.above = Some(rows.len());
    }

    /// Draws the last row alone again. A terminal whose cursor does not move keeps what it has.
    pub(crate) fn draw_last(&self, terminal: &File, look: &Look, last: &str) {
        if look.moves {
            put(terminal, &format!("\r{last}\x1b[K"));
        }
    }

    /// Takes the panel away.
    pub(crate) fn clear(&mut self, terminal: &File, look: &Look) {
        let text = self.take_away(look);
        put(terminal, &text);
    }

    /// Writes a line that stays. The panel must have been taken away.
    pub(crate) fn line(&self, terminal: &File, line: &str) {
        put(terminal, &format!("{line}\r\n"));
    }

    fn take_away(&mut self, look: &Look) -> String {
        match self.above.take() {
            None => String::new(),
            Some(_) if !look.moves => "\r\n".to_owned(),
            Some(0) => "\r\x1b[J".to_owned(),
            Some(above) => format!("\r\x1b[{above}A\x1b[J"),
        }
    }
}

/// A terminal that is gone shows nothing; reading from it says so.
fn put(mut terminal: &File, text: &str) {
    let _ = terminal.write_all(text.as_bytes());
}
