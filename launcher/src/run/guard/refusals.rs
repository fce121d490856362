//! Refusals that nobody was asked about: said once, then now and then with a number, so that a
//! program that tries for ever fills neither screen nor log.

use hallpass_session::escape::clip;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Between two lines about the same.
const PAUSE: Duration = Duration::from_secs(10);
/// Kinds of lines that are remembered.
const MAX_KINDS: usize = 1024;
/// Characters of a program's path that are shown.
const SHOWN: usize = 200;

/// What was said of whom, and when.
#[derive(Default)]
pub(super) struct Refusals {
    /// By program, package and what was refused.
    said: HashMap<(String, String, String), Times>,
}

/// What is said once of each name or program.
#[derive(Default)]
pub(super) struct Said(HashSet<String>);

impl Said {
    /// Whether it has not been said of this one; of more than are remembered nothing is.
    pub(super) fn is_new(&mut self, name: &str) -> bool {
        self.0.len() < MAX_KINDS && self.0.insert(name.to_owned())
    }
}

struct Times {
    at: Instant,
    /// How many there were since then.
    since: u64,
}

impl Refusals {
    /// The words for one more refusal of `app` in a script of `package` (empty: of none); none
    /// where the last ones are new enough.
    pub(super) fn say(&mut self, app: &str, package: &str, what: &str) -> Option<String> {
        self.say_at(Instant::now(), app, package, what)
    }

    fn say_at(&mut self, now: Instant, app: &str, package: &str, what: &str) -> Option<String> {
        let kind = (app.to_owned(), package.to_owned(), what.to_owned());
        if self.said.len() >= MAX_KINDS && !self.said.contains_key(&kind) {
            self.said.clear();
        }
        let Some(said) = self.said.get_mut(&kind) else {
            self.said.insert(kind, Times { at: now, since: 0 });
            return Some(what.to_owned());
        };
        if now.saturating_duration_since(said.at) < PAUSE {
            said.since += 1;
            return None;
        }
        let since = std::mem::take(&mut said.since);
        said.at = now;
        Some(match since {
            0 => what.to_owned(),
            since => format!("{what} ({since} more since it was last said)"),
        })
    }
}

/// A coverage line about a process: `node[4711]: io_uring is closed`.
pub(super) fn line(app: &str, pid: u32, what: &str) -> String {
    let name = app.rsplit('/').next().filter(|name| !name.is_empty());
    format!("{}[{pid}]: {what}", clip(name.unwrap_or("?"), SHOWN))
}

#[cfg(test)]
mod tests {
    use super::{MAX_KINDS, PAUSE, Refusals, line};
    use std::time::{Duration, Instant};

    #[test]
    fn the_same_is_said_once_and_counted() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.say_at(start, "/a", "", "x").unwrap(), "x");
        assert_eq!(refusals.say_at(start, "/a", "", "x"), None);
        assert_eq!(refusals.say_at(start + PAUSE / 2, "/a", "", "x"), None);
        assert_eq!(refusals.say_at(start, "/b", "", "x").unwrap(), "x");
        assert_eq!(refusals.say_at(start, "/a", "npm:p", "x").unwrap(), "x");
        assert_eq!(refusals.say_at(start, "/a", "", "y").unwrap(), "y");
        let again = refusals.say_at(start + PAUSE, "/a", "", "x").unwrap();
        assert_eq!(again, "x (2 more since it was last said)");
        let last = refusals.say_at(start + PAUSE * 3, "/a", "", "x").unwrap();
        assert_eq!(last, "x");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        for n in 0..MAX_KINDS * 2 {
            let later = start + Duration::from_micros(n as u64);
            assert!(refusals.say_at(later, "/a", "", &n.to_string()).is_some());
        }
        assert!(refusals.said.len() <= MAX_KINDS);
    }

    #[test]
    fn lines_name_the_program() {
        assert_eq!(line("/usr/bin/node", 7, "x"), "node[7]: x");
        assert_eq!(line("", 7, "x"), "?[7]: x");
    }
}
