//! What was allowed of late, so that a live connection can be told by what rule it is there.
//!
//! Bounded: of what has long been forgotten, a live connection says that no decision is known.

use crate::event::{FlowLine, Kind};
use crate::flow::Name;
use crate::verdict::{Source, Verdict};
use hallpass_policy::Protocol;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many are remembered; each takes some hundred bytes.
const LIMIT: usize = 4096;
/// How many are forgotten at once when there are too many: those not seen for longest.
const FORGOTTEN: usize = LIMIT / 8;

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) protocol: Protocol,
    pub(super) address: IpAddr,
    pub(super) port: u16,
}

/// What a process was allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    app: String,
    pub(super) names: Vec<Name>,
    /// The latest reason.
    pub(super) source: Source,
    first: Instant,
    last: Instant,
    calls: u64,
}

impl Allowed {
    /// How long ago it was allowed at most, and whether it is exactly that long.
    pub(super) fn age(&self, now: Instant) -> (Duration, bool) {
        (now.saturating_duration_since(self.first), self.calls == 1)
    }
}

type Table = HashMap<(u32, Place), Arc<Allowed>>;

/// Allowed calls, by process and place.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    by_process: Table,
}

impl Recent {
    /// Takes note of what was allowed; of everything else it does not.
    pub(super) fn note(&mut self, kind: &Kind, now: Instant) {
        let Kind::Decided {
            flow,
            verdict: Verdict::Allow,
            source,
            count,
        } = kind
        else {
            return;
        };
        // No live connection is one of a UNIX socket.
        let Some(place) = place(flow) else {
            return;
        };
        let key = (flow.pid, place);
        if let Some(known) = self.by_process.get_mut(&key)
            && known.app == flow.app
        {
            let known = Arc::make_mut(known);
            known.last = now;
            known.calls = known.calls.saturating_add(*count);
            if known.source != *source {
                known.source = source.clone();
            }
            if known.names != flow.names {
                known.names.clone_from(&flow.names);
            }
            return;
        }
        if self.by_process.len() >= LIMIT {
            self.forget();
        }
        let allowed = Allowed {
            app: flow.app.clone(),
            names: flow.names.clone(),
            source: source.clone(),
            first: now,
            last: now,
            calls: *count,
        };
        self.by_process.insert(key, Arc::new(allowed));
    }

    fn forget(&mut self) {
        let mut ages: Vec<Instant> = self.by_process.values().map(|it| it.last).collect();
        let (_, limit, _) = ages.select_nth_unstable(FORGOTTEN);
        let limit = *limit;
        self.by_process.retain(|_, allowed| allowed.last > limit);
    }

    /// A copy that is read without the lock.
    pub(super) fn picture(&self) -> Picture {
        let mut by_place: HashMap<Place, Vec<Arc<Allowed>>> = HashMap::new();
        for ((_, place), allowed) in &self.by_process {
            by_place
                .entry(*place)
                .or_default()
                .push(Arc::clone(allowed));
        }
        Picture {
            by_process: self.by_process.clone(),
            by_place,
        }
    }
}

/// What was allowed, at one time.
pub(super) struct Picture {
    by_process: Table,
    by_place: HashMap<Place, Vec<Arc<Allowed>>>,
}

impl Picture {
    /// What was allowed to one of these processes (the one that has the connection, then its
    /// ancestors), else to any process of the same app: the one that connected may be gone.
    pub(super) fn find(&self, place: Place, lineage: &[u32], app: &str) -> Option<&Allowed> {
        places(place).find_map(|place| {
            let by_process = lineage
                .iter()
                .find_map(|pid| self.by_process.get(&(*pid, place)));
            let by_app = || {
                let all = self.by_place.get(&place)?.iter();
                all.filter(|allowed| allowed.app == app)
                    .max_by_key(|allowed| allowed.last)
            };
            by_process.or_else(by_app).map(Arc::as_ref)
        })
    }
}

/// The place, and what a program may have called it: whoever connects to "any" address reaches
/// this machine's loopback.
fn places(place: Place) -> impl Iterator<Item = Place> {
    let any = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    let any = any.into_iter().filter(move |_| place.address.is_loopback());
    std::iter::once(place.address)
        .chain(any)
        .map(move |address| Place { address, ..place })
}

fn place(flow: &FlowLine) -> Option<Place> {
    Some(Place {
        protocol: flow.proto,
        address: flow.address.ip()?,
        port: flow.port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(pid: u32, app: &str, address: &str, verdict: Verdict, count: u64) -> Kind {
        Kind::Decided {
            flow: FlowLine {
                pid,
                app: app.to_owned(),
                script: false,
                package: None,
                step: None,
                proto: Protocol::Tcp,
                address: address.parse().unwrap(),
                port: 80,
                names: Vec::new(),
                look_up: false,
            },
            verdict,
            source: Source::Default,
            count,
        }
    }

    fn at(address: &str) -> Place {
        Place {
            protocol: Protocol::Tcp,
            address: address.parse().unwrap(),
            port: 80,
        }
    }

    #[test]
    fn process_ancestor_and_app_are_matched_in_this_order() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.note(&decided(7, "/bin/a", "10.0.0.1", Verdict::Allow, 1), now);
        recent.note(&decided(8, "/bin/b", "10.0.0.1", Verdict::Deny, 1), now);
        let picture = recent.picture();
        assert!(picture.find(at("10.0.0.1"), &[7], "/bin/x").is_some());
        assert!(picture.find(at("10.0.0.1"), &[9, 7], "/bin/x").is_some());
        assert!(picture.find(at("10.0.0.1"), &[9], "/bin/a").is_some());
        assert!(picture.find(at("10.0.0.1"), &[8], "/bin/b").is_none());
        assert!(picture.find(at("10.0.0.2"), &[7], "/bin/a").is_none());
    }

    #[test]
    fn an_age_is_exact_where_there_was_one_call() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        let later = start + Duration::from_secs(5);
        recent.note(&decided(7, "a", "10.0.0.1", Verdict::Allow, 1), start);
        let age = |recent: &Recent| {
            let picture = recent.picture();
            picture.find(at("10.0.0.1"), &[7], "a").unwrap().age(later)
        };
        assert_eq!(age(&recent), (Duration::from_secs(5), true));
        recent.note(&decided(7, "a", "10.0.0.1", Verdict::Allow, 2), later);
        assert_eq!(age(&recent), (Duration::from_secs(5), false));
        // The process is another program now.
        recent.note(&decided(7, "b", "10.0.0.1", Verdict::Allow, 1), later);
        let picture = recent.picture();
        let found = picture.find(at("10.0.0.1"), &[7], "b").unwrap();
        assert_eq!(found.age(later), (Duration::ZERO, true));
    }

    #[test]
    fn what_connects_to_any_address_is_on_loopback() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.note(&decided(7, "a", "0.0.0.0", Verdict::Allow, 1), now);
        let picture = recent.picture();
        assert!(picture.find(at("127.0.0.1"), &[7], "a").is_some());
        assert!(picture.find(at("10.0.0.1"), &[7], "a").is_none());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        for number in 0..10_000_u32 {
            let now = start + Duration::from_millis(number.into());
            let kind = decided(number, "a", "10.0.0.1", Verdict::Allow, 1);
            recent.note(&kind, now);
            assert!(recent.by_process.len() <= LIMIT);
        }
        let picture = recent.picture();
        let find = |pid| picture.find(at("10.0.0.1"), &[pid], "none").is_some();
        assert!(find(9_999) && find(9_000) && !find(10));
        // All at one moment: it must not grow, nor fail.
        let mut recent = Recent::default();
        for pid in 0..10_000 {
            recent.note(&decided(pid, "a", "10.0.0.1", Verdict::Allow, 1), start);
            assert!(recent.by_process.len() <= LIMIT);
        }
    }
}
