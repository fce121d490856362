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
mod tests;
