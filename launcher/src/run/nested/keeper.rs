//! The session process of a nested run: it has joined, and keeps what it starts.

use super::channel::{Channel, Silence};
use crate::run::command::{Command, Started};
use crate::run::totals::Totals;
use hallpass_guard::{MarkError, mark};
use hallpass_wire::{MAX_PART, Nested, Part};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use std::io;

/// What a nested run begins with.
#[derive(Debug)]
pub(in crate::run) struct Plan {
    /// The way to the session.
    pub(in crate::run) channel: Channel,
    /// Its rules, as they are sent.
    pub(in crate::run) rules: Vec<u8>,
}

/// A nested run that has joined.
#[derive(Debug)]
pub(in crate::run) struct Joined {
    channel: Channel,
    totals: Totals,
    has_left: bool,
}

impl Plan {
    /// Hands the rules over: from here on they hold for all that this process starts.
    pub(in crate::run) fn join(&self) -> Result<Joined, String> {
        let say = |said| {
            match self.channel.say(said) {
            Ok(true) => Ok(()),
            Ok(false) => Err(
                "the session that this runs in did not take the rules of this run; -v of the outer \
                 `hallpass run`, or `hallpass events` beside it, says why"
                    .to_owned(),
            ),
            Err(silence) => Err(in_words(silence)),
        }
        };
        for bytes in self.rules.chunks(MAX_PART) {
            let part = Part::new(bytes).ok_or("a part of the rules does not fit")?;
            say(Nested::Part(part))?;
        }
        let length = u32::try_from(self.rules.len()).map_err(|error| error.to_string())?;
        say(Nested::Join(length))?;
        Ok(Joined {
            channel: self.channel.clone(),
            totals: Totals::default(),
            has_left: false,
        })
    }
}

impl Joined {
    /// Forks CMD, marked where there is a guard that looks for the mark.
    pub(in crate::run) fn start(
        &self,
        command: &Command,
        group: Pid,
        mask: &SigSet,
    ) -> Result<Started, String> {
        if !self.channel.has_guard() {
            let started = command.start(group, mask);
            return started.map_err(|error| format!("cannot start a process: {error}"));
        }
        let marked = mark(|| {
            if self.channel.say(Nested::Marked) == Ok(true) {
                command.start(group, mask)
            } else {
                Err(io::Error::other(
                    "the session that this runs in does not see the mark of what is started \
                     (Seccomp_filters in /proc/PID/status, Linux 5.9)",
                ))
            }
        });
        marked.map_err(|error| match error {
            MarkError::Refused(_) => format!("what is started cannot be marked: {error}"),
            MarkError::Start(_) => format!("cannot start a process: {error}"),
        })
    }

    /// Calls, once nothing is left.
    pub(in crate::run) fn totals(&self) -> Totals {
        self.totals
    }

    /// Nothing of what was started is left. Only the first call does anything.
    pub(in crate::run) fn leave(&mut self) {
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        // The guard reads what is said from this process's memory; whom that was kept from is gone.
        let _ = prctl::set_dumpable(true);
        let number = |more_than: fn(u64) -> Nested| find(|than| self.channel.say(more_than(than)));
        self.totals = Totals {
            allowed: number(Nested::Allowed),
            denied: number(Nested::Refused),
            audited: 0,
        };
        // A session that does not hear it goes on taking others for ours, and narrows them.
        let _ = self.channel.say(Nested::Left);
    }
}

/// The number of which is only said whether it is greater than another.
fn find(is_more_than: impl Fn(u64) -> Result<bool, Silence>) -> u64 {
    let more = |than| is_more_than(than) == Ok(true);
    if !more(0) {
        return 0;
    }
    let (mut low, mut high) = (1, 1_u64);
    while more(high) && high < u64::MAX / 2 {
        low = high + 1;
        high *= 2;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if more(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn in_words(silence: Silence) -> String {
    match silence {
        Silence::Killed => "the session that this runs in was killed",
        Silence::Nobody => "the session that this runs in does not answer",
        Silence::Stranger => "what answers for the session that this runs in is not that session",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::find;
    use std::cell::Cell;

    #[test]
    fn a_number_is_found_in_a_few_questions() {
        for number in (0..300).chain([1000, 12_345, 1 << 40, u64::MAX / 4]) {
            let asked = Cell::new(0);
            let found = find(|than| {
                asked.set(asked.get() + 1);
                Ok(number > than)
            });
            assert_eq!(found, number);
            assert!(asked.get() < 130, "{number}: {}", asked.get());
        }
    }
}
