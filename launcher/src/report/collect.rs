//! Counts events while a session runs: equal calls become one entry, and totals stay exact
//! however many different calls a program makes.

use super::learn::EphemeralPorts;
use super::{Counts, Entry, Outcome, Report, Target};
use hallpass_policy::Protocol;
use hallpass_session::address::Address;
use hallpass_session::core::Sink;
use hallpass_session::event::{Event, FlowLine, Kind};
use hallpass_session::flow::Name;
use hallpass_session::flows::has_listener;
use hallpass_session::verdict::{Source, Verdict};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries for each outcome, so that a flood of one kind does not crowd out another.
const MAX_ENTRIES: usize = 4096;
/// Bytes of all entries' texts, for each outcome.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Addresses that an entry names.
pub(super) const MAX_ADDRESSES: usize = 8;
/// How often a server of the run itself is looked for, each time among all its open files.
const MAX_LOOKS: usize = 64;
/// Notes that are kept.
const MAX_NOTES: usize = 100;

/// Counts the events of a session; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collector {
    gathered: Arc<Mutex<Gathered>>,
}

#[derive(Debug, Default)]
struct Gathered {
    session: String,
    started: String,
    ended: String,
    status: Option<i32>,
    /// The session's own totals: allowed, denied.
    said: Option<(u64, u64)>,
    listed: Counts,
    unlisted: Counts,
    entries: Vec<Entry>,
    by_key: HashMap<Key, usize>,
    used: HashMap<Outcome, Used>,
    notes: Vec<String>,
    /// Where servers of the run itself are looked for, and how often they were.
    ephemeral: Option<EphemeralPorts>,
    looks: usize,
}

/// Room that entries of one outcome have taken.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    entries: usize,
    bytes: usize,
}

/// What makes two calls equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    app: String,
    package: Option<String>,
    step: Option<String>,
    target: Target,
    /// None where names say where to: one name often has many addresses.
    address: Option<Address>,
    source: Source,
    outcome: Outcome,
}

impl Collector {
    /// Takes every event of a session.
    pub(crate) fn sink(&self) -> Sink {
        let collector = self.clone();
        Box::new(move |event| collector.lock().take(event))
    }

    /// Looks for servers of the run itself at these ports.
    pub(super) fn watch_own_servers(&self, ports: EphemeralPorts) {
        self.lock().ephemeral = Some(ports);
    }

    /// Calls so far that only `--audit` has let go on.
    pub(crate) fn would_be_refused(&self) -> u64 {
        let gathered = self.lock();
        let counts = [gathered.listed, gathered.unlisted];
        counts.iter().map(|counts| counts.would_be_refused).sum()
    }

    /// The report of what was seen.
    pub(crate) fn report(&self, audit: bool) -> Report {
        self.lock().report(audit)
    }

    /// A panic under the lock aborts the session (its panic hook), so a poisoned lock is never
    /// seen.
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn take(&mut self, event: &Event) {
        if self.session.is_empty() {
            self.session.clone_from(&event.session);
            self.started.clone_from(&event.time);
        }
        self.ended.clone_from(&event.time);
        match &event.kind {
            Kind::Decided {
                flow,
                verdict,
                source,
                count,
            } => self.decided(event, flow, *verdict, source, *count),
            Kind::Refused {
                app,
                package,
                step,
                what,
                source,
                ..
            } => {
                let key = Key {
                    app: app.clone(),
                    package: package.clone(),
                    step: step.clone(),
                    target: Target::Call(what.clone()),
                    address: None,
                    source: source.clone(),
                    outcome: Outcome::Refused,
                };
                self.count(event, key, None, false, 1);
            }
            Kind::Coverage { text } => self.note(text),
            Kind::Ended { status } => self.status = Some(*status),
            Kind::Totals { allowed, denied } => self.said = Some((*allowed, *denied)),
            _ => {}
        }
    }

    fn note(&mut self, text: &str) {
        if self.notes.len() < MAX_NOTES && !self.notes.iter().any(|note| note == text) {
            self.notes.push(text.to_owned());
        }
    }

    fn decided(
        &mut self,
        event: &Event,
        flow: &FlowLine,
        verdict: Verdict,
        source: &Source,
        count: u64,
    ) {
        let outcome = match (verdict, source) {
            (Verdict::Deny, _) => Outcome::Refused,
            (Verdict::Allow, Source::Audit { .. }) => Outcome::WouldBeRefused,
            (Verdict::Allow, _) => Outcome::Allowed,
        };
        let mut names = flow.names.clone();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        let target = |names: Vec<Name>| Target::Flow {
            proto: flow.proto,
            port: flow.port,
            names,
        };
        if flow.look_up {
            let name = flow.names.first().map_or("?", |name| name.name.as_str());
            let key = Key {
                app: flow.app.clone(),
                package: flow.package.clone(),
                step: flow.step.clone(),
                target: Target::Call(format!("the look-up of {name}")),
                address: None,
                source: source.clone(),
                outcome,
            };
            self.count(event, key, None, flow.script, count);
            return;
        }
        let key = Key {
            app: flow.app.clone(),
            package: flow.package.clone(),
            step: flow.step.clone(),
            address: names.is_empty().then(|| flow.address.clone()),
            target: target(names),
            source: source.clone(),
            outcome,
        };
        self.count(event, key, Some(flow), flow.script, count);
    }

    fn count(
        &mut self,
        event: &Event,
        key: Key,
        flow: Option<&FlowLine>,
        is_script: bool,
        count: u64,
    ) {
        let found = self.by_key.get(&key).copied();
        if let Some(entry) = found.and_then(|place| self.entries.get_mut(place)) {
            entry.count = entry.count.saturating_add(count);
            entry.last.clone_from(&event.time);
            if let Some(flow) = flow {
                entry.add_address(&flow.address);
            }
            self.listed.add(key.outcome, count);
            return;
        }
        let used = self.used.entry(key.outcome).or_default();
        let bytes = key.bytes();
        if used.entries >= MAX_ENTRIES || used.bytes + bytes > MAX_BYTES {
            self.unlisted.add(key.outcome, count);
            return;
        }
        used.entries += 1;
        used.bytes += bytes;
        self.listed.add(key.outcome, count);
        let is_own_server = flow.is_some_and(|flow| self.is_own_server(flow));
        self.by_key.insert(key.clone(), self.entries.len());
        let target = match (key.target, flow) {
            // In the order of use, which the key leaves out.
            (Target::Flow { proto, port, .. }, Some(flow)) => Target::Flow {
                proto,
                port,
                names: flow.names.clone(),
            },
            (target, _) => target,
        };
        self.entries.push(Entry {
            app: key.app,
            is_script,
            package: key.package,
            step: key.step,
            target,
            addresses: flow.map(|flow| flow.address.clone()).into_iter().collect(),
            has_more_addresses: false,
            is_own_server,
            outcome: key.outcome,
            source: key.source,
            count,
            first: event.time.clone(),
            last: event.time.clone(),
        });
    }

    /// Looked for when the first call is made, or the server may have gone.
    fn is_own_server(&mut self, flow: &FlowLine) -> bool {
        let Some(ip) = flow.address.ip() else {
            return false;
        };
        let is_chosen = |ports: &EphemeralPorts| ports.contains(&flow.port);
        if flow.proto != Protocol::Tcp
            || !ip.is_loopback()
            || !self.ephemeral.as_ref().is_some_and(is_chosen)
            || self.looks >= MAX_LOOKS
        {
            return false;
        }
        self.looks += 1;
        has_listener(std::process::id(), SocketAddr::new(ip, flow.port))
    }

    /// By outcome, then package, both in the order of their first call.
    fn sorted(&self) -> Vec<Entry> {
        let mut first: HashMap<_, usize> = HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            first
                .entry((entry.outcome, &entry.package))
                .or_insert(index);
        }
        let mut entries = self.entries.clone();
        entries.sort_by_key(|entry| {
            let group = first.get(&(entry.outcome, &entry.package));
            (entry.outcome, group.copied())
        });
        entries
    }

    fn report(&self, audit: bool) -> Report {
        let entries = self.sorted();
        let mut unlisted = self.unlisted;
        if let Some((allowed, denied)) = self.said {
            // Some refusals are only counted; and what was let go on is one number there.
            let audited = self.listed.would_be_refused + unlisted.would_be_refused;
            unlisted.refused = denied.saturating_sub(self.listed.refused);
            unlisted.allowed = allowed
                .saturating_sub(audited)
                .saturating_sub(self.listed.allowed);
        }
        let sum = |a: u64, b: u64| a.saturating_add(b);
        Report {
            session: self.session.clone(),
            started: self.started.clone(),
            ended: self.ended.clone(),
            status: self.status,
            audit,
            totals: Counts {
                allowed: sum(self.listed.allowed, unlisted.allowed),
                refused: sum(self.listed.refused, unlisted.refused),
                would_be_refused: sum(self.listed.would_be_refused, unlisted.would_be_refused),
            },
            entries,
            unlisted,
            notes: self.notes.clone(),
        }
    }
}

impl Key {
    /// What an entry of this key takes, roughly.
    fn bytes(&self) -> usize {
        let target = match &self.target {
            Target::Flow { names, .. } => names.iter().map(|name| name.name.len() + 32).sum(),
            Target::Call(what) => what.len(),
        };
        let texts = [&self.package, &self.step].into_iter().flatten();
        let package: usize = texts.map(String::len).sum();
        256 + self.app.len() + package + target + source_bytes(&self.source)
    }
}

fn source_bytes(source: &Source) -> usize {
    match source {
        Source::Rule { rule, .. } => rule.len(),
        Source::Person { by } => by.len(),
        Source::Nested { name, source, .. } => name.len() + source_bytes(source),
        Source::Audit { would } => source_bytes(would),
        Source::Standing { .. } | Source::Default | Source::Fallback { .. } => 0,
    }
}

impl Entry {
    fn add_address(&mut self, address: &Address) {
        if self.addresses.contains(address) {
            return;
        }
        if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.push(address.clone());
        } else {
            self.has_more_addresses = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::flow;
    use hallpass_session::event;

    fn event(kind: Kind) -> Event {
        Event {
            v: event::VERSION,
            seq: 1,
            time: "2026-11-24T00:00:00Z".to_owned(),
            session: "1-0badcafe".to_owned(),
            kind,
        }
    }

    fn decided(flow: FlowLine, verdict: Verdict, source: Source, count: u64) -> Event {
        event(Kind::Decided {
            flow,
            verdict,
            source,
            count,
        })
    }

    fn totals(allowed: u64, denied: u64) -> Event {
        event(Kind::Totals { allowed, denied })
    }

    fn report_of(events: Vec<Event>) -> Report {
        let collector = Collector::default();
        let mut sink = collector.sink();
        for event in &events {
            sink(event);
        }
        collector.report(false)
    }

    #[test]
    fn equal_calls_are_one_entry_whatever_process_and_address() {
        let one = |pid, address: &str| {
            let mut flow = flow("/usr/bin/curl", address, 443, &["a.test"]);
            flow.pid = pid;
            flow
        };
        let report = report_of(vec![
            decided(one(1, "203.0.113.1"), Verdict::Deny, Source::Default, 1),
            decided(one(2, "203.0.113.2"), Verdict::Deny, Source::Default, 3),
            totals(0, 4),
        ]);
        assert_eq!(report.entries.len(), 1);
        assert_eq!(report.entries[0].count, 4);
        assert_eq!(report.entries[0].addresses.len(), 2);
        assert_eq!(report.totals.refused, 4);
        assert_eq!(report.unlisted, Counts::default());
    }

    #[test]
    fn without_a_name_each_address_is_an_entry_and_refused_ones_come_first() {
        let to = |address| flow("/usr/bin/curl", address, 443, &[]);
        let report = report_of(vec![
            decided(to("203.0.113.1"), Verdict::Allow, Source::Default, 1),
            decided(to("203.0.113.2"), Verdict::Deny, Source::Default, 1),
        ]);
        assert_eq!(report.entries.len(), 2);
        assert_eq!(report.entries[0].outcome, Outcome::Refused);
    }

    #[test]
    fn entries_of_one_package_are_together_in_the_order_of_first_use() {
        let of = |package: Option<&str>, port| {
            let mut flow = flow("/usr/bin/node", "203.0.113.1", port, &[]);
            flow.package = package.map(str::to_owned);
            decided(flow, Verdict::Deny, Source::Default, 1)
        };
        let report = report_of(vec![
            of(Some("npm:b"), 1),
            of(None, 2),
            of(Some("npm:a"), 3),
            of(Some("npm:b"), 4),
            of(None, 5),
        ]);
        let ports = report.entries.iter().map(|entry| match entry.target {
            Target::Flow { port, .. } => port,
            Target::Call(_) => 0,
        });
        assert_eq!(ports.collect::<Vec<_>>(), [1, 4, 2, 5, 3]);
    }

    #[test]
    fn what_audit_let_go_on_is_told_apart() {
        let source = Source::Audit {
            would: Box::new(Source::Default),
        };
        let events = vec![
            decided(flow("/a", "203.0.113.1", 1, &[]), Verdict::Allow, source, 2),
            decided(
                flow("/a", "203.0.113.2", 1, &[]),
                Verdict::Allow,
                Source::Default,
                5,
            ),
            totals(7, 0),
        ];
        let totals = report_of(events).totals;
        assert_eq!((totals.would_be_refused, totals.allowed), (2, 5));
    }

    #[test]
    fn totals_are_exact_beyond_what_is_listed() {
        let mut events = Vec::new();
        for n in 0..u32::try_from(MAX_ENTRIES).unwrap() + 50 {
            let address = std::net::Ipv4Addr::from(0xcb00_7100 + n).to_string();
            let flow = flow("/a", &address, 1, &[]);
            events.push(decided(flow, Verdict::Deny, Source::Default, 2));
        }
        let allowed = flow("/a", "203.0.113.1", 1, &[]);
        events.push(decided(allowed, Verdict::Allow, Source::Default, 1));
        // Seven more that were counted without an event.
        let refused = (MAX_ENTRIES as u64 + 50) * 2 + 7;
        events.push(totals(1, refused));
        let report = report_of(events);
        assert_eq!(report.entries.len(), MAX_ENTRIES + 1);
        assert_eq!(report.totals.refused, refused);
        assert_eq!(report.unlisted.refused, 107);
        assert_eq!(report.totals.allowed, 1);
    }

    #[test]
    fn a_program_with_long_names_does_not_fill_memory() {
        let mut events = Vec::new();
        for n in 0..3000_u32 {
            let app = format!("/{n}/{}", "x".repeat(4000));
            let flow = flow(&app, "203.0.113.1", 1, &[]);
            events.push(decided(flow, Verdict::Deny, Source::Default, 1));
        }
        let report = report_of(events);
        let bytes: usize = report.entries.iter().map(|entry| entry.app.len()).sum();
        assert!(bytes <= MAX_BYTES, "{bytes}");
        assert_eq!(report.totals.refused, 3000);
    }
}
