//! A log that stops growing: beyond its limit equal decisions are counted, not listed.

use super::merged::{Merged, Unlisted};
use crate::event::{Event, Kind};
use std::io::{self, Write};

/// Size that a log never passes, in bytes.
pub const LIMIT: usize = 64 * 1024 * 1024;
/// Kept free for what has to be written at the end.
const RESERVE: usize = 4 * 1024 * 1024;
/// Kept free of that for the last lines.
const LAST_LINES: usize = 64 * 1024;
/// How much merged events may take, in bytes.
pub(super) const ROOM_FOR_MERGED: usize = RESERVE / 2 - LAST_LINES;

/// Writes events to `out` until the limit, then merges.
pub(super) struct BoundedLog<W: Write> {
    out: W,
    limit: usize,
    written: usize,
    merged: Merged,
    /// The last write failed, perhaps in the middle of a line.
    torn: bool,
    /// The template of what the log says for itself: the latest event.
    latest: Option<(u64, String, String)>,
}

impl<W: Write> BoundedLog<W> {
    pub(super) fn new(out: W, limit: usize) -> Self {
        Self {
            out,
            limit,
            written: 0,
            merged: Merged::default(),
            torn: false,
            latest: None,
        }
    }

    /// Writes or merges one event. After an error the event is merged, and so are those that
    /// follow: the disk is not tried again before the end.
    pub(super) fn write(&mut self, event: Event) -> io::Result<()> {
        self.latest = Some((event.seq, event.time.clone(), event.session.clone()));
        if matches!(event.kind, Kind::Totals { .. }) {
            let flushed = self.flush();
            let written = self.line(&event, self.limit);
            return flushed.and(written.map(|_| ()));
        }
        let decided = matches!(event.kind, Kind::Decided { .. });
        let room = self
            .limit
            .saturating_sub(if decided { RESERVE } else { RESERVE / 2 });
        if self.torn || !self.merged.is_empty() && decided {
            self.merged.add(event);
            return Ok(());
        }
        match self.line(&event, room) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.merged.add(event);
                Ok(())
            }
            Err(error) => {
                self.merged.add(event);
                Err(error)
            }
        }
    }

    /// Counts what has come past [`Self::write`].
    pub(super) fn absorb(&mut self, others: Merged) {
        self.merged.absorb(others);
    }

    /// Writes what was merged, and says what was lost.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let (merged, mut unlisted) = self.merged.take();
        let mut result = Ok(());
        for event in merged {
            match self.line(&event, self.limit.saturating_sub(LAST_LINES)) {
                Ok(true) => {}
                Ok(false) => unlisted.add(&event.kind),
                Err(error) => {
                    unlisted.add(&event.kind);
                    result = Err(error);
                }
            }
        }
        let Unlisted {
            allowed,
            denied,
            others,
        } = unlisted;
        if allowed + denied + others == 0 {
            return result;
        }
        let Some((seq, time, session)) = self.latest.clone() else {
            return result;
        };
        let text = format!(
            "the log could not take everything: {allowed} allowed and {denied} refused calls and {others} other events are not listed"
        );
        let event = Event {
            v: crate::event::VERSION,
            seq,
            time,
            session,
            kind: Kind::Coverage { text },
        };
        result.and(self.line(&event, self.limit).map(|_| ()))
    }

    /// Writes a line if it stays below `room`; false if not.
    fn line(&mut self, event: &Event, room: usize) -> io::Result<bool> {
        let mut line = if self.torn {
            b"\n".to_vec()
        } else {
            Vec::new()
        };
        serde_json::to_writer(&mut line, event)?;
        line.push(b'\n');
        if self.written + line.len() > room {
            return Ok(false);
        }
        // One write per line: whoever follows the file sees whole lines.
        let result = self.out.write_all(&line).and_then(|()| self.out.flush());
        self.torn = result.is_err();
        self.written += line.len();
        result.map(|()| true)
    }
}
