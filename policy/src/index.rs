//! Finding the rules that may match a flow without looking at all of them.
//!
//! Every destination of a layer is an [`Entry`], filed under what it is written with: address,
//! name, zone, socket path, network or group. Entries with the same key form a chain. A look-up
//! visits the chains a flow can match; whether an entry does match is for the caller to test.
//! Names are not stored a second time: the table holds entry numbers and compares with the
//! rules themselves, so that a list of a million names costs little more than the names.

mod networks;

use crate::Rule;
use crate::decide::{Facts, Far};
use crate::destination::{Destination, Group, Host, networks_of};
use hashbrown::{DefaultHashBuilder, HashTable};
use networks::Networks;
use std::hash::BuildHasher;
use std::net::IpAddr;

/// One destination of one rule; `rule` and `to` are places in the layer's lists.
#[derive(Clone, Copy, Debug)]
struct Entry {
    rule: usize,
    to: usize,
    /// The number of the next entry with the same key, or [`END`].
    next: usize,
}

/// Ends a chain.
const END: usize = usize::MAX;

/// Where the destinations of one layer's rules are found.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    hasher: DefaultHashBuilder,
    /// First entries of the chains with one exact key.
    exact: HashTable<usize>,
    networks: Networks,
    groups: [usize; Group::ALL.len()],
    has_zones: bool,
}

/// What the exact table is searched by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Address(IpAddr),
    Name(&'a str),
    Zone(&'a str),
    Unix(&'a str),
}

impl Index {
    /// Files every destination of these rules. Look-ups must be given the same rules.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let count = rules.iter().map(|rule| rule.to.len()).sum();
        let has_key = |to: &&Destination| {
            !matches!(to.host, Host::Network(_) | Host::Range(_) | Host::Group(_))
        };
        // Growing would look at every name again, all over memory.
        let exact_count = rules
            .iter()
            .flat_map(|rule| &rule.to)
            .filter(has_key)
            .count();
        let mut index = Self {
            entries: Vec::with_capacity(count),
            hasher: DefaultHashBuilder::default(),
            exact: HashTable::with_capacity(exact_count),
            networks: Networks::default(),
            groups: [END; Group::ALL.len()],
            has_zones: false,
        };
        for (rule, value) in rules.iter().enumerate() {
            for (to, destination) in value.to.iter().enumerate() {
                index.file(rules, rule, to, destination);
            }
        }
        index
    }

    /// Calls `visit` with every destination that may match the flow, and with its rule's place.
    pub(crate) fn visit<'r>(
        &self,
        rules: &'r [Rule],
        facts: &Facts<'_>,
        mut visit: impl FnMut(usize, &'r Destination),
    ) {
        let mut chain = |first: usize| {
            let mut next = first;
            while let Some(entry) = self.entries.get(next) {
                if let Some(destination) = at(rules, entry.rule, entry.to) {
                    visit(entry.rule, destination);
                }
                next = entry.next;
            }
        };
        for first in self.groups {
            chain(first);
        }
        match facts.far() {
            Far::Unix(path) => {
                for path in std::iter::once(&path).chain(facts.all_names()) {
                    chain(self.exact(rules, Key::Unix(path)));
                    if let Some(rest) = path.strip_prefix("/run/") {
                        chain(self.exact(rules, Key::Unix(&format!("/var/run/{rest}"))));
                    }
                }
            }
            Far::Ip { address, .. } => {
                chain(self.exact(rules, Key::Address(address)));
                self.networks.visit(address, &mut chain);
                for name in facts.all_names() {
                    chain(self.exact(rules, Key::Name(name)));
                    self.visit_zones(rules, name, &mut chain);
                }
            }
        }
    }

    fn visit_zones(&self, rules: &[Rule], name: &str, chain: &mut impl FnMut(usize)) {
        let mut rest = name;
        while let (true, Some((_, zone))) = (self.has_zones, rest.split_once('.')) {
            chain(self.exact(rules, Key::Zone(zone)));
            rest = zone;
        }
    }

    /// The first entry of a key's chain, or [`END`].
    fn exact(&self, rules: &[Rule], key: Key<'_>) -> usize {
        let is_key = |number: &usize| self.key(rules, *number) == Some(key);
        let found = self.exact.find(self.hasher.hash_one(Some(key)), is_key);
        found.copied().unwrap_or(END)
    }

    fn key<'r>(&self, rules: &'r [Rule], number: usize) -> Option<Key<'r>> {
        key_of(&self.entries, rules, number)
    }

    fn file(&mut self, rules: &[Rule], rule: usize, to: usize, destination: &Destination) {
        let number = self.entries.len();
        match &destination.host {
            Host::Group(group) => {
                for (known, first) in Group::ALL.iter().zip(&mut self.groups) {
                    if known == group {
                        self.entries.push(Entry {
                            rule,
                            to,
                            next: *first,
                        });
                        *first = number;
                    }
                }
            }
            Host::Network(net) => {
                let next = self.networks.put(*net, number).unwrap_or(END);
                let next = self.without_twin(rules, rule, destination, next);
                self.entries.push(Entry { rule, to, next });
            }
            // A range is filed under each of the networks that make it up.
            Host::Range(range) => {
                for net in networks_of(range.first, range.last) {
                    let number = self.entries.len();
                    let next = self.networks.put(net, number).unwrap_or(END);
                    self.entries.push(Entry { rule, to, next });
                }
            }
            Host::Below(_) => {
                self.has_zones = true;
                self.file_exact(rules, rule, to, destination);
            }
            Host::Address(_) | Host::Name(_) | Host::Unix(_) => {
                self.file_exact(rules, rule, to, destination)
            }
        }
    }

    fn file_exact(&mut self, rules: &[Rule], rule: usize, to: usize, destination: &Destination) {
        let number = self.entries.len();
        self.entries.push(Entry {
            rule,
            to,
            next: END,
        });
        let (entries, hasher) = (&self.entries, &self.hasher);
        let Some(key) = key_of(entries, rules, number) else {
            return;
        };
        let hash_of = |number: &usize| hasher.hash_one(key_of(entries, rules, *number));
        let slot = self.exact.entry(
            hasher.hash_one(Some(key)),
            |other| key_of(entries, rules, *other) == Some(key),
            hash_of,
        );
        let mut first = slot.or_insert(number);
        let previous = std::mem::replace(first.get_mut(), number);
        if previous == number {
            return;
        }
        let next = self.without_twin(rules, rule, destination, previous);
        if let Some(entry) = self.entries.get_mut(number) {
            entry.next = next;
        }
    }

    /// The chain that goes on after an entry: without its first one where that says the same.
    /// Lists name some things many times.
    fn without_twin(
        &self,
        rules: &[Rule],
        rule: usize,
        destination: &Destination,
        first: usize,
    ) -> usize {
        match self.entries.get(first) {
            Some(entry) if entry.rule == rule && at(rules, rule, entry.to) == Some(destination) => {
                entry.next
            }
            _ => first,
        }
    }
}

fn key_of<'r>(entries: &[Entry], rules: &'r [Rule], number: usize) -> Option<Key<'r>> {
    let entry = entries.get(number)?;
    match &at(rules, entry.rule, entry.to)?.host {
        Host::Address(address) => Some(Key::Address(*address)),
        Host::Name(name) => Some(Key::Name(name)),
        Host::Below(zone) => Some(Key::Zone(zone)),
        Host::Unix(path) => Some(Key::Unix(path)),
        Host::Network(_) | Host::Range(_) | Host::Group(_) => None,
    }
}

fn at(rules: &[Rule], rule: usize, to: usize) -> Option<&Destination> {
    rules.get(rule)?.to.get(to)
}
