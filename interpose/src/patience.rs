//! How long a session may be silent: five seconds in which this program was running.

use crate::sys;

/// Silence after which the session counts as gone, in milliseconds.
const SILENCE: u64 = 5000;
/// Longest single wait.
const SLICE: u64 = 1000;
/// A wait that takes this much longer than asked for: we were stopped, not the session.
const STOPPED: u64 = 1000;

/// Counts silence. To be judged only after everything that has arrived has been read.
pub(crate) struct Patience {
    /// When the silence began.
    heard: u64,
    /// The last look at the clock.
    seen: u64,
}

impl Patience {
    pub(crate) fn new() -> Self {
        let now = sys::now();
        Self {
            heard: now,
            seen: now,
        }
    }

    /// Whether the session has been silent for too long. Time in which this process was stopped
    /// does not count: the session's words of that time may not even have been sent.
    pub(crate) fn is_over(&mut self) -> bool {
        let now = sys::now();
        if now.saturating_sub(self.seen) > SLICE + STOPPED {
            self.heard = now;
        }
        self.seen = now;
        now.saturating_sub(self.heard) >= SILENCE
    }

    /// How long to wait before the next judgement, in milliseconds.
    pub(crate) fn slice(&self) -> u64 {
        let end = self.heard.saturating_add(SILENCE);
        end.saturating_sub(self.seen).clamp(1, SLICE)
    }
}
