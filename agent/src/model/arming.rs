//! When a key or a click may decide: never so soon that it was meant for something else.

use std::time::{Duration, Instant};

/// After the window has shown a question that the person did not expect.
pub const SURPRISE: Duration = Duration::from_millis(700);
/// After the person's own answer has brought the next question up.
pub const EXPECTED: Duration = Duration::from_millis(300);

/// Counts to the moment from which keys and clicks count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arming {
    clicks_from: Option<Instant>,
    keys_from: Option<Instant>,
}

impl Arming {
    /// Something else stands there now, and the person had no part in it.
    pub fn surprise(&mut self, now: Instant) {
        self.not_before(now + SURPRISE);
    }

    /// Something else stands there now, because of what the person did.
    pub fn expected(&mut self, now: Instant) {
        self.not_before(now + EXPECTED);
    }

    /// The window got the keyboard: whoever is typing may not have noticed. A click on the window
    /// is aimed at it, so clicks stay as they were.
    pub fn keyboard_came(&mut self, now: Instant) {
        self.keys_from = self.keys_from.max(Some(now + SURPRISE));
    }

    /// Nothing is shown.
    pub fn disarm(&mut self) {
        *self = Self::default();
    }

    /// Whether a click counts.
    #[must_use]
    pub fn clicks(&self, now: Instant) -> bool {
        self.clicks_from.is_some_and(|from| from <= now)
    }

    /// Whether a key counts.
    #[must_use]
    pub fn keys(&self, now: Instant) -> bool {
        self.clicks(now) && self.keys_from.is_some_and(|from| from <= now)
    }

    /// When the window looks different because of this.
    #[must_use]
    pub fn next_change(&self, now: Instant) -> Option<Instant> {
        [self.clicks_from, self.keys_from]
            .into_iter()
            .flatten()
            .filter(|from| *from > now)
            .min()
    }

    fn not_before(&mut self, from: Instant) {
        self.clicks_from = self.clicks_from.max(Some(from));
        self.keys_from = self.keys_from.max(Some(from));
    }
}

#[cfg(test)]
mod tests {
    use super::{Arming, EXPECTED, SURPRISE};
    use std::time::{Duration, Instant};

    const TICK: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_counts_before_anything_is_shown() {
        let arming = Arming::default();
        assert!(!arming.clicks(Instant::now()));
        assert!(!arming.keys(Instant::now()));
    }

    #[test]
    fn a_surprise_takes_700_ms_and_an_answer_300() {
        let start = Instant::now();
        for (wait, expected) in [(SURPRISE, false), (EXPECTED, true)] {
            let mut arming = Arming::default();
            if expected {
                arming.expected(start);
            } else {
                arming.surprise(start);
            }
            assert!(!arming.keys(start + wait - TICK));
            assert!(!arming.clicks(start + wait - TICK));
            assert!(arming.keys(start + wait));
            assert!(arming.clicks(start + wait));
        }
    }

    #[test]
    fn an_answer_never_shortens_a_surprise() {
        let start = Instant::now();
        let mut arming = Arming::default();
        arming.surprise(start);
        arming.expected(start + TICK);
        assert!(!arming.clicks(start + SURPRISE - TICK));
    }

    #[test]
    fn the_keyboard_coming_holds_keys_back_and_not_clicks() {
        let start = Instant::now();
        let mut arming = Arming::default();
        arming.surprise(start);
        let later = start + SURPRISE;
        arming.keyboard_came(later);
        assert!(arming.clicks(later));
        assert!(!arming.keys(later + SURPRISE - TICK));
        assert!(arming.keys(later + SURPRISE));
        assert_eq!(arming.next_change(later), Some(later + SURPRISE));
        assert_eq!(arming.next_change(later + SURPRISE), None);
    }
}
