//! Which calls wait for which look-ups, and what the look-ups have given. No I/O and no clock of
//! its own: look-ups to be made come out, results go in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How often a name is looked up for one call before it counts as not verified: a name with many
/// addresses gives some of them at a time.
const ROUNDS: u32 = 3;
/// How long look-ups of a name count towards [`ROUNDS`].
const RECENT: Duration = Duration::from_secs(10);
/// How long a look-up is good enough for a name that a rule refuses or asks about.
const FRESH: Duration = Duration::from_secs(30);
/// How long a call waits for look-ups.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many names are known; another is never verified.
const MAX_NAMES: usize = 4096;
/// How many addresses of one name are known.
const MAX_ADDRESSES: usize = 1024;
/// How many look-ups may be under way or wait for their turn.
const MAX_LOOK_UPS: usize = 256;
/// How many calls may wait.
const MAX_CALLS: usize = 4096;

/// A name that would change what happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Canonical form.
    pub name: String,
    /// With the name the call fares better: it is looked up again until it is verified.
    pub opens: bool,
    /// A rule says the name, so whoever connects to one of its addresses has it.
    pub of_rule: bool,
}

/// A call that waits, as whoever asked calls it.
pub(super) type CallId = u64;

#[derive(Default)]
pub(super) struct Checks {
    names: HashMap<String, Known>,
    calls: BTreeMap<CallId, Waiting>,
    under_way: HashSet<String>,
}

#[derive(Default)]
struct Known {
    addresses: HashSet<IpAddr>,
    of_rule: bool,
    /// Somebody has begun to look it up: it no longer only waits for its turn.
    is_begun: bool,
    /// When it was looked up lately, oldest first.
    looked_up: Vec<Instant>,
}

struct Waiting {
    address: IpAddr,
    wanted: Vec<Wanted>,
    /// Whose look-up of this round has not come back.
    missing: HashSet<String>,
    until: Instant,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Todo {
    pub(super) look_up: Vec<String>,
    pub(super) go_on: Vec<CallId>,
}

impl Checks {
    /// A call to `address` that these names matter to.
    pub(super) fn begin(
        &mut self,
        id: CallId,
        address: IpAddr,
        wanted: Vec<Wanted>,
        now: Instant,
    ) -> Todo {
        let mut todo = Todo::default();
        let mut waiting = Waiting {
            address,
            wanted,
            missing: HashSet::new(),
            until: now + PATIENCE,
        };
        if self.calls.len() < MAX_CALLS && self.next_round(&mut waiting, now, &mut todo) {
            self.calls.insert(id, waiting);
        } else {
            todo.go_on.push(id);
        }
        todo
    }

    /// It is this name's turn to be looked up.
    pub(super) fn has_begun(&mut self, name: &str) {
        if let Some(known) = self.names.get_mut(name) {
            known.is_begun = true;
        }
    }

    /// Whether nothing is known of a name because there were too many others, and not because name
    /// servers have no answer.
    pub(super) fn is_crowded_out(&self, name: &str) -> bool {
        self.names.get(name).is_none_or(|known| !known.is_begun)
    }

    /// A look-up has come back.
    pub(super) fn looked_up(
        &mut self,
        name: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
        now: Instant,
    ) -> Todo {
        self.under_way.remove(name);
        if let Some(known) = self.names.get_mut(name) {
            for address in addresses {
                if known.addresses.len() < MAX_ADDRESSES {
                    known.addresses.insert(address.to_canonical());
                }
            }
        }
        let mut todo = Todo::default();
        for (id, mut waiting) in std::mem::take(&mut self.calls) {
            waiting.missing.remove(name);
            let waits =
                !waiting.missing.is_empty() || self.next_round(&mut waiting, now, &mut todo);
            if waits {
                self.calls.insert(id, waiting);
            } else {
                todo.go_on.push(id);
            }
        }
        todo
    }

    /// Calls that have waited long enough.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<CallId> {
        let late: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, waiting)| waiting.until <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in &late {
            self.calls.remove(id);
        }
        late
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.calls.values().map(|waiting| waiting.until).min()
    }

    /// Whether some look-up gave this address for the name.
    pub(super) fn is_verified(&self, name: &str, address: IpAddr) -> bool {
        let known = self.names.get(name);
        known.is_some_and(|known| known.addresses.contains(&address))
    }

    /// The names of rules that have this address.
    pub(super) fn of_rules(&self, address: IpAddr) -> Vec<String> {
        let mut names: Vec<String> = self
            .names
            .iter()
            .filter(|(_, known)| known.of_rule && known.addresses.contains(&address))
            .map(|(name, _)| name.clone())
            .collect();
        names.sort_unstable();
        names
    }

    /// Starts the look-ups that a call is still to wait for; false where there are none.
    fn next_round(&mut self, waiting: &mut Waiting, now: Instant, todo: &mut Todo) -> bool {
        let address = waiting.address;
        for wanted in &waiting.wanted {
            if self.is_verified(&wanted.name, address) {
                continue;
            }
            if !self.names.contains_key(&wanted.name) && self.names.len() >= MAX_NAMES {
                continue;
            }
            let known = self.names.entry(wanted.name.clone()).or_default();
            known.of_rule |= wanted.of_rule;
            if self.under_way.contains(&wanted.name) {
                waiting.missing.insert(wanted.name.clone());
                continue;
            }
            let last = known.looked_up.last();
            let again = if wanted.opens {
                known
                    .looked_up
                    .retain(|at| now.saturating_duration_since(*at) < RECENT);
                known.looked_up.len() < ROUNDS as usize
            } else {
                last.is_none_or(|at| now.saturating_duration_since(*at) >= FRESH)
            };
            if again && self.under_way.len() < MAX_LOOK_UPS {
                if !wanted.opens {
                    known.looked_up.clear();
                }
                known.looked_up.push(now);
                self.under_way.insert(wanted.name.clone());
                waiting.missing.insert(wanted.name.clone());
                todo.look_up.push(wanted.name.clone());
            }
        }
        !waiting.missing.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Checks, FRESH, MAX_LOOK_UPS, PATIENCE, RECENT, Todo, Wanted};
    use std::net::IpAddr;
    use std::time::{Duration, Instant};

    fn opens(name: &str) -> Wanted {
        Wanted {
            name: name.to_owned(),
            opens: true,
            of_rule: false,
        }
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    fn look_up(names: &[&str]) -> Todo {
        Todo {
            look_up: names.iter().map(|name| (*name).to_owned()).collect(),
            go_on: Vec::new(),
        }
    }

    fn go_on(ids: &[u64]) -> Todo {
        Todo {
            look_up: Vec::new(),
            go_on: ids.to_vec(),
        }
    }

    #[test]
    fn a_name_that_has_the_address_is_verified_for_good() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        assert_eq!(
            checks.begin(1, ip(1), vec![opens("a")], now),
            look_up(&["a"])
        );
        assert!(!checks.is_verified("a", ip(1)));
        assert_eq!(checks.looked_up("a", [ip(1), ip(2)], now), go_on(&[1]));
        assert!(checks.is_verified("a", ip(1)) && checks.is_verified("a", ip(2)));
        // Nothing is looked up again for it, and other addresses of a later answer are added.
        assert_eq!(checks.begin(2, ip(2), vec![opens("a")], now), go_on(&[2]));
        assert_eq!(
            checks.begin(3, ip(3), vec![opens("a")], now),
            look_up(&["a"])
        );
        assert_eq!(checks.looked_up("a", [ip(3)], now), go_on(&[3]));
        assert!(checks.is_verified("a", ip(1)));
    }

    #[test]
    fn three_look_ups_and_no_more_for_a_while() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        assert_eq!(
            checks.begin(1, ip(9), vec![opens("a")], now),
            look_up(&["a"])
        );
        for _ in 0..2 {
            assert_eq!(checks.looked_up("a", [ip(1)], now), look_up(&["a"]));
        }
        assert_eq!(checks.looked_up("a", [ip(2)], now), go_on(&[1]));
        assert!(!checks.is_verified("a", ip(9)));
        assert_eq!(checks.begin(2, ip(9), vec![opens("a")], now), go_on(&[2]));
        let later = now + RECENT;
        assert_eq!(
            checks.begin(3, ip(9), vec![opens("a")], later),
            look_up(&["a"])
        );
    }

    #[test]
    fn one_look_up_serves_all_who_wait() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        let wanted = || vec![opens("a"), opens("b")];
        assert_eq!(checks.begin(1, ip(1), wanted(), now), look_up(&["a", "b"]));
        assert_eq!(checks.begin(2, ip(1), wanted(), now), go_on(&[]));
        assert_eq!(checks.looked_up("a", [ip(1)], now), go_on(&[]));
        // One of them had it, but the other may matter more: it is waited for, once.
        assert_eq!(checks.looked_up("b", [ip(1)], now), go_on(&[1, 2]));
    }

    #[test]
    fn a_name_that_closes_is_looked_up_now_and_then() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        let wanted = || {
            vec![Wanted {
                opens: false,
                of_rule: true,
                ..opens("bad")
            }]
        };
        assert_eq!(checks.begin(1, ip(1), wanted(), now), look_up(&["bad"]));
        assert_eq!(checks.looked_up("bad", [ip(2)], now), go_on(&[1]));
        assert_eq!(
            checks.begin(2, ip(1), wanted(), now + FRESH / 2),
            go_on(&[2])
        );
        assert_eq!(
            checks.begin(3, ip(1), wanted(), now + FRESH),
            look_up(&["bad"])
        );
        assert_eq!(checks.of_rules(ip(2)), ["bad"]);
        assert!(checks.of_rules(ip(1)).is_empty());
    }

    #[test]
    fn nobody_waits_for_ever() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        checks.begin(1, ip(1), vec![opens("a")], now);
        assert_eq!(checks.next_deadline(), Some(now + PATIENCE));
        assert!(
            checks
                .tick(now + PATIENCE - Duration::from_millis(1))
                .is_empty()
        );
        assert_eq!(checks.tick(now + PATIENCE), [1]);
        assert_eq!(checks.next_deadline(), None);
        // What comes after that is known to the next.
        assert_eq!(checks.looked_up("a", [ip(1)], now + PATIENCE), go_on(&[]));
        assert!(checks.is_verified("a", ip(1)));
    }

    #[test]
    fn look_ups_are_bounded() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        let names: Vec<Wanted> = (0..MAX_LOOK_UPS + 7)
            .map(|n| opens(&n.to_string()))
            .collect();
        let todo = checks.begin(1, ip(1), names, now);
        assert_eq!(todo.look_up.len(), MAX_LOOK_UPS);
        assert_eq!(checks.begin(2, ip(1), vec![opens("x")], now), go_on(&[2]));
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        checks.begin(1, ip(1), vec![opens("a")], now);
        let mapped: IpAddr = "::ffff:203.0.113.1".parse().unwrap();
        assert_eq!(checks.looked_up("a", [mapped], now), go_on(&[1]));
    }
}
