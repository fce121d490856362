//! For how long and how wide the next answer is.

use hallpass_session::control::protocol::{Duration, Offer, Question, Scope};
use std::collections::HashMap;

/// What the third length stands for: chosen again, it goes on to the next.
pub const TIMES: [u64; 5] = [5 * 60, 30 * 60, 3600, 8 * 3600, 24 * 3600];

/// How many apps' last lengths are remembered.
const REMEMBERED: usize = 256;

/// For how long and how wide the next answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// For how long.
    pub duration: Duration,
    /// How wide; always one of the question's offers.
    pub scope: Scope,
}

/// The last length that was chosen for each app.
#[derive(Debug, Default)]
pub struct Memory {
    last: HashMap<String, Duration>,
}

impl Memory {
    /// Remembers what a person chose.
    pub fn keep(&mut self, app: &str, duration: Duration) {
        if self.last.len() >= REMEMBERED && !self.last.contains_key(app) {
            self.last.clear();
        }
        self.last.insert(app.to_owned(), duration);
    }

    fn of(&self, app: &str) -> Duration {
        match self.last.get(app) {
            // What is for good is chosen each time anew.
            None | Some(Duration::Always) => Duration::Run,
            Some(duration) => *duration,
        }
    }
}

impl Choice {
    /// What is preselected: the app's last length but never "for good", and no more than this
    /// host.
    #[must_use]
    pub fn preselected(question: &Question, memory: &Memory) -> Self {
        let host = question
            .offers
            .iter()
            .find(|offer| offer.scope == Scope::Host);
        let narrowest = question.offers.first();
        Self {
            duration: memory.of(question.app.identity()),
            scope: host.or(narrowest).map_or(Scope::Host, |offer| offer.scope),
        }
    }

    /// Takes one of the four lengths, 1 to 4. The third, taken again, goes on to its next time.
    pub fn take(&mut self, number: u8, may_save: bool) {
        self.duration = match (number, self.duration) {
            (1, _) => Duration::Once,
            (2, _) => Duration::Run,
            (3, Duration::Seconds(seconds)) => Duration::Seconds(after(seconds)),
            (3, _) => Duration::Seconds(TIMES[0]),
            (4, _) if may_save => Duration::Always,
            _ => self.duration,
        };
    }

    /// Which of the four lengths is chosen.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self.duration {
            Duration::Once => 1,
            Duration::Run => 2,
            Duration::Seconds(_) => 3,
            Duration::Always => 4,
        }
    }

    /// One step wider (or narrower) among the offers; stays where there is none.
    pub fn step(&mut self, offers: &[Offer], wider: bool) {
        let at = offers
            .iter()
            .position(|offer| offer.scope == self.scope)
            .unwrap_or(0);
        let to = if wider {
            at.saturating_add(1)
        } else {
            at.saturating_sub(1)
        };
        if let Some(offer) = offers.get(to) {
            self.scope = offer.scope;
        }
    }

    /// The offer that is chosen.
    #[must_use]
    pub fn offer<'a>(&self, offers: &'a [Offer]) -> Option<&'a Offer> {
        offers.iter().find(|offer| offer.scope == self.scope)
    }
}

fn after(seconds: u64) -> u64 {
    TIMES
        .into_iter()
        .find(|time| *time > seconds)
        .unwrap_or(TIMES[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::question;

    #[test]
    fn this_run_and_this_host_come_first() {
        let choice = Choice::preselected(&question(1, "curl", "printer.lan"), &Memory::default());
        assert_eq!(
            (choice.duration, choice.scope),
            (Duration::Run, Scope::Host)
        );
    }

    #[test]
    fn the_last_length_is_remembered_for_its_app_alone() {
        let mut memory = Memory::default();
        memory.keep("/usr/bin/curl", Duration::Once);
        let of = |app: &str| Choice::preselected(&question(1, app, "a.test"), &memory).duration;
        assert_eq!(of("curl"), Duration::Once);
        assert_eq!(of("wget"), Duration::Run);
    }

    #[test]
    fn for_good_is_never_preselected() {
        let mut memory = Memory::default();
        memory.keep("/usr/bin/curl", Duration::Always);
        let choice = Choice::preselected(&question(1, "curl", "a.test"), &memory);
        assert_eq!(choice.duration, Duration::Run);
    }

    #[test]
    fn without_a_host_offer_the_narrowest_is_taken() {
        let mut asked = question(1, "curl", "a.test");
        asked.offers.retain(|offer| offer.scope != Scope::Host);
        let choice = Choice::preselected(&asked, &Memory::default());
        assert_eq!(choice.scope, Scope::Port);
    }

    #[test]
    fn numbers_take_lengths_and_the_third_goes_round() {
        let mut choice = Choice::preselected(&question(1, "curl", "a.test"), &Memory::default());
        for (number, duration) in [
            (1, Duration::Once),
            (2, Duration::Run),
            (4, Duration::Always),
        ] {
            choice.take(number, true);
            assert_eq!((choice.duration, choice.number()), (duration, number));
        }
        for seconds in TIMES.into_iter().chain([TIMES[0]]) {
            choice.take(3, true);
            assert_eq!(choice.duration, Duration::Seconds(seconds));
        }
        choice.take(4, false);
        assert_eq!(
            choice.duration,
            Duration::Seconds(TIMES[0]),
            "a hermetic run saves nothing"
        );
    }

    #[test]
    fn widths_step_to_both_ends_and_stay() {
        let asked = question(1, "curl", "a.test");
        let mut choice = Choice::preselected(&asked, &Memory::default());
        choice.step(&asked.offers, false);
        choice.step(&asked.offers, false);
        assert_eq!(choice.scope, Scope::Port);
        for _ in 0..10 {
            choice.step(&asked.offers, true);
        }
        assert_eq!(choice.scope, Scope::Any);
        assert_eq!(choice.offer(&asked.offers).unwrap().to, ["@any"]);
    }
}
