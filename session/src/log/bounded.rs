//! A log that stops growing: beyond its limit equal decisions are counted, not listed.

use crate::event::{Event, FlowLine, Kind};
use crate::verdict::Verdict;
use std::collections::HashMap;
use std::io::{self, Write};

/// Size that a log never passes, in bytes.
pub const LIMIT: usize = 64 * 1024 * 1024;
/// Kept free for what has to be written at the end.
const RESERVE: usize = 4 * 1024 * 1024;
/// Kept free of that for the last lines.
const LAST_LINES: usize = 64 * 1024;

/// What is not listed at all, only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unlisted {
    allowed: u64,
    denied: u64,
    others: u64,
}

impl Unlisted {
    pub(super) fn add(&mut self, kind: &Kind) {
        match kind {
            Kind::Decided {
                verdict: Verdict::Allow,
                count,
                ..
            } => self.allowed += count,
            Kind::Decided {
                verdict: Verdict::Deny,
                count,
                ..
            } => self.denied += count,
            Kind::Refused { .. } => self.denied += 1,
            _ => self.others += 1,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            allowed: self.allowed + other.allowed,
            denied: self.denied + other.denied,
            others: self.others + other.others,
        }
    }
}

/// Writes events to `out` until the limit, then merges.
pub(super) struct BoundedLog<W: Write> {
    out: W,
    limit: usize,
    written: usize,
    /// Equal decisions, under their JSON without what tells one from the next.
    merged: HashMap<String, Event>,
    /// Bytes that writing `merged` will take, roughly.
    merged_bytes: usize,
    unlisted: Unlisted,
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
            merged: HashMap::new(),
            merged_bytes: 0,
            unlisted: Unlisted::default(),
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
            self.merge(event);
            return Ok(());
        }
        match self.line(&event, room) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.merge(event);
                Ok(())
            }
            Err(error) => {
                self.merge(event);
                Err(error)
            }
        }
    }

    /// Writes what was merged, and says what was lost.
    pub(super) fn finish(mut self, lost: Unlisted) -> io::Result<()> {
        self.unlisted = self.unlisted.plus(lost);
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut merged: Vec<Event> = std::mem::take(&mut self.merged).into_values().collect();
        self.merged_bytes = 0;
        merged.sort_by_key(|event| event.seq);
        let mut result = Ok(());
        for event in merged {
            match self.line(&event, self.limit.saturating_sub(LAST_LINES)) {
                Ok(true) => {}
                Ok(false) => self.unlisted.add(&event.kind),
                Err(error) => {
                    self.unlisted.add(&event.kind);
                    result = Err(error);
                }
            }
        }
        let Unlisted {
            allowed,
            denied,
            others,
        } = std::mem::take(&mut self.unlisted);
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

    fn merge(&mut self, event: Event) {
        let (Kind::Decided { count, .. }, Some(key)) = (&event.kind, key(&event)) else {
            self.unlisted.add(&event.kind);
            return;
        };
        if let Some(first) = self.merged.get_mut(&key) {
            if let Kind::Decided { count: total, .. } = &mut first.kind {
                *total += count;
            }
            first.seq = event.seq;
            first.time = event.time;
            return;
        }
        // The key is about as long as the line it stands for; names and rules are the most of it.
        let bytes = key.len() + 256;
        if self.merged_bytes + bytes > RESERVE / 2 - LAST_LINES {
            self.unlisted.add(&event.kind);
            return;
        }
        self.merged_bytes += bytes;
        self.merged.insert(key, event);
    }
}

/// What makes two decisions equal: all but when, how often, and which process.
fn key(event: &Event) -> Option<String> {
    let Kind::Decided {
        flow,
        verdict,
        source,
        ..
    } = &event.kind
    else {
        return None;
    };
    let flow = FlowLine {
        pid: 0,
        ..flow.clone()
    };
    serde_json::to_string(&(flow, verdict, source)).ok()
}
