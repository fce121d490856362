//! Notices a program that asks again and again after it was refused.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// So many refusals…
const MANY: usize = 3;
/// …within this time are a loop.
const WITHIN: Duration = Duration::from_secs(60);
/// How many destinations are watched at once.
const WATCHED: usize = 512;

/// Who asks for what: session, app, host.
pub type Asker = (String, String, String);

/// Refusals of the last minute.
#[derive(Debug, Default)]
pub struct Retries {
    refused: HashMap<Asker, VecDeque<Instant>>,
}

impl Retries {
    /// A person refused this, for no longer than the calls that waited.
    pub fn refused(&mut self, asker: Asker, now: Instant) {
        if self.refused.len() >= WATCHED && !self.refused.contains_key(&asker) {
            self.refused
                .retain(|_, times| times.back().is_some_and(|last| is_recent(*last, now)));
            if self.refused.len() >= WATCHED {
                return;
            }
        }
        let times = self.refused.entry(asker).or_default();
        times.push_back(now);
        if times.len() > MANY {
            times.pop_front();
        }
    }

    /// How often this was refused lately, if that makes a loop.
    #[must_use]
    pub fn is_loop(&self, asker: &Asker, now: Instant) -> bool {
        self.refused.get(asker).is_some_and(|times| {
            times.len() >= MANY && times.front().is_some_and(|first| is_recent(*first, now))
        })
    }
}

fn is_recent(time: Instant, now: Instant) -> bool {
    now.saturating_duration_since(time) <= WITHIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(host: &str) -> Asker {
        ("s".to_owned(), "/usr/bin/curl".to_owned(), host.to_owned())
    }

    #[test]
    fn three_refusals_in_a_minute_are_a_loop() {
        let start = Instant::now();
        let mut retries = Retries::default();
        for seconds in [0, 20, 40] {
            assert!(!retries.is_loop(&asker("a"), start + Duration::from_secs(seconds)));
            retries.refused(asker("a"), start + Duration::from_secs(seconds));
        }
        assert!(retries.is_loop(&asker("a"), start + Duration::from_secs(41)));
        assert!(!retries.is_loop(&asker("b"), start + Duration::from_secs(41)));
        assert!(!retries.is_loop(&asker("a"), start + Duration::from_secs(61)));
    }

    #[test]
    fn slow_refusals_are_none() {
        let start = Instant::now();
        let mut retries = Retries::default();
        for minute in 0..10 {
            retries.refused(asker("a"), start + Duration::from_secs(60 * minute));
        }
        assert!(!retries.is_loop(&asker("a"), start + Duration::from_secs(540)));
    }

    #[test]
    fn what_is_watched_is_bounded() {
        let start = Instant::now();
        let mut retries = Retries::default();
        for number in 0..2 * WATCHED {
            retries.refused(asker(&number.to_string()), start);
        }
        assert_eq!(retries.refused.len(), WATCHED);
        let later = start + Duration::from_secs(120);
        retries.refused(asker("new"), later);
        assert_eq!(retries.refused.len(), 1);
    }
}
