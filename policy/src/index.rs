//! Finding the rules that may match a flow without looking at all of them.
//!
//! Every destination of a layer is an [`Entry`], filed under what it is written with: address,
//! name, zone, socket path, network or group. Entries with the same key form a chain. A look-up
//! visits the chains a flow can match; whether an entry does match is for the caller to test.
//! Names are not stored a second time: the tables hold entries and compare with the rules
//! themselves, so that a list of a million names costs little more than the names.
//!
//! What a look-up in a long list costs is memory that is in no cache. So the first entry of a
//! chain is in its table, and each kind of key has a table of its own: those that a list does not
//! fill stay small, or empty.

mod networks;

use crate::Rule;
use crate::decide::{Facts, Far};
use crate::destination::{Destination, Group, Host, networks_of};
use hashbrown::{DefaultHashBuilder, HashTable, hash_table};
use networks::Networks;
use std::hash::BuildHasher;
use std::net::IpAddr;

/// One destination of one rule; `rule` and `to` are places in the layer's lists.
///
/// Memory ends long before 32 bits do: 2³² destinations take 200 GB.
#[derive(Clone, Copy, Debug)]
struct Entry {
    rule: u32,
    to: u32,
    /// Where in [`Index::chained`] the next entry with the same key is, or [`END`].
    next: u32,
}

/// Ends a chain.
const END: u32 = u32::MAX;

/// Where the destinations of one layer's rules are found.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    hasher: DefaultHashBuilder,
    /// First entries of the chains with one exact key, by [`Key::table`].
    exact: [HashTable<Entry>; Key::TABLES],
    networks: Networks,
    groups: [Option<Entry>; Group::ALL.len()],
    /// All entries but the first ones.
    chained: Vec<Entry>,
}

/// What the exact tables are searched by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key<'a> {
    Address(IpAddr),
    Name(&'a str),
    Zone(&'a str),
    Unix(&'a str),
}

impl<'a> Key<'a> {
    /// How many kinds there are.
    const TABLES: usize = 4;

    /// None for what has no exact key.
    fn of(host: &'a Host) -> Option<Self> {
        match host {
            Host::Address(address) => Some(Self::Address(*address)),
            Host::Name(name) => Some(Self::Name(name)),
            Host::Below(zone) => Some(Self::Zone(zone)),
            Host::Unix(path) => Some(Self::Unix(path)),
            Host::Network(_) | Host::Range(_) | Host::Group(_) => None,
        }
    }

    fn table(self) -> usize {
        match self {
            Self::Address(_) => 0,
            Self::Name(_) => 1,
            Self::Zone(_) => 2,
            Self::Unix(_) => 3,
        }
    }

    fn hash(self, hasher: &DefaultHashBuilder) -> u64 {
        match self {
            Self::Address(address) => hasher.hash_one(address),
            Self::Name(text) | Self::Zone(text) | Self::Unix(text) => hasher.hash_one(text),
        }
    }
}

impl Index {
    /// Files every destination of these rules. Look-ups must be given the same rules.
    pub(crate) fn new(rules: &[Rule]) -> Self {
        // Growing would look at every name again, all over memory.
        let mut counts = [0; Key::TABLES];
        let keys = rules.iter().flat_map(|rule| &rule.to);
        for key in keys.filter_map(|to| Key::of(&to.host)) {
            counts[key.table()] += 1;
        }
        let mut index = Self {
            hasher: DefaultHashBuilder::default(),
            exact: counts.map(HashTable::with_capacity),
            networks: Networks::default(),
            groups: [None; Group::ALL.len()],
            chained: Vec::new(),
        };
        for (rule, value) in rules.iter().enumerate() {
            for (to, destination) in value.to.iter().enumerate() {
                let entry = Entry {
                    rule: u32::try_from(rule).unwrap_or(END),
                    to: u32::try_from(to).unwrap_or(END),
                    next: END,
                };
                index.file(rules, entry, destination);
            }
        }
        index.chained.shrink_to_fit();
        index
    }

    /// Calls `visit` with every destination that may match the flow, and with its rule's place.
    pub(crate) fn visit<'r>(
        &self,
        rules: &'r [Rule],
        facts: &Facts<'_>,
        mut visit: impl FnMut(usize, &'r Destination),
    ) {
        // Most layers are empty in most runs.
        if rules.is_empty() {
            return;
        }
        let mut chain = |first| self.visit_chain(rules, first, &mut visit);
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

    /// Calls `visit` with every destination that is this name, or a zone above it.
    pub(crate) fn visit_name<'r>(
        &self,
        rules: &'r [Rule],
        name: &str,
        mut visit: impl FnMut(usize, &'r Destination),
    ) {
        let mut chain = |first| self.visit_chain(rules, first, &mut visit);
        chain(self.exact(rules, Key::Name(name)));
        self.visit_zones(rules, name, &mut chain);
    }

    fn visit_chain<'r>(
        &self,
        rules: &'r [Rule],
        first: Option<Entry>,
        visit: &mut impl FnMut(usize, &'r Destination),
    ) {
        let mut next = first;
        while let Some(entry) = next {
            if let Some(destination) = at(rules, entry) {
                visit(entry.rule as usize, destination);
            }
            next = self.chained.get(entry.next as usize).copied();
        }
    }

    fn visit_zones(&self, rules: &[Rule], name: &str, chain: &mut impl FnMut(Option<Entry>)) {
        if self.table(Key::Zone(name)).is_none() {
            return;
        }
        let mut rest = name;
        while let Some((_, zone)) = rest.split_once('.') {
            chain(self.exact(rules, Key::Zone(zone)));
            rest = zone;
        }
    }

    /// The first entry of a key's chain.
    fn exact(&self, rules: &[Rule], key: Key<'_>) -> Option<Entry> {
        let table = self.table(key)?;
        let is_key = |entry: &Entry| key_of(rules, *entry) == Some(key);
        table.find(key.hash(&self.hasher), is_key).copied()
    }

    /// The table that a key would be in; none where that is empty.
    fn table(&self, key: Key<'_>) -> Option<&HashTable<Entry>> {
        let table = self.exact.get(key.table())?;
        (!table.is_empty()).then_some(table)
    }

    fn file(&mut self, rules: &[Rule], entry: Entry, destination: &Destination) {
        match &destination.host {
            Host::Group(group) => {
                let known = Group::ALL.iter().zip(&mut self.groups);
                let mut own = known.filter(|(known, _)| *known == group);
                if let Some((_, first)) = own.next() {
                    let next = put_behind(&mut self.chained, *first);
                    *first = Some(Entry { next, ..entry });
                }
            }
            // A range is filed under each of the networks that make it up.
            Host::Range(range) => {
                for net in networks_of(range.first, range.last) {
                    let first = self.networks.first(net);
                    let next = put_behind(&mut self.chained, first);
                    self.networks.put(net, Entry { next, ..entry });
                }
            }
            Host::Network(net) => {
                let first = self.networks.first(*net);
                let next = next_of(&mut self.chained, rules, entry, destination, first);
                self.networks.put(*net, Entry { next, ..entry });
            }
            host => {
                if let Some(key) = Key::of(host) {
                    self.file_exact(rules, entry, destination, key);
                }
            }
        }
    }

    fn file_exact(
        &mut self,
        rules: &[Rule],
        entry: Entry,
        destination: &Destination,
        key: Key<'_>,
    ) {
        let Some(table) = self.exact.get_mut(key.table()) else {
            return;
        };
        let hasher = &self.hasher;
        let hash_of = |other: &Entry| key_of(rules, *other).map_or(0, |key| key.hash(hasher));
        let slot = table.entry(
            key.hash(hasher),
            |other| key_of(rules, *other) == Some(key),
            hash_of,
        );
        match slot {
            hash_table::Entry::Vacant(slot) => {
                slot.insert(entry);
            }
            hash_table::Entry::Occupied(mut slot) => {
                let first = Some(*slot.get());
                let next = next_of(&mut self.chained, rules, entry, destination, first);
                *slot.get_mut() = Entry { next, ..entry };
            }
        }
    }
}

/// Moves the first entry of a chain behind a new one; where it is then.
fn put_behind(chained: &mut Vec<Entry>, first: Option<Entry>) -> u32 {
    let Some(first) = first else {
        return END;
    };
    let place = u32::try_from(chained.len()).unwrap_or(END);
    chained.push(first);
    place
}

/// [`put_behind`], but without a first entry that says the same. Lists name some things many
/// times.
fn next_of(
    chained: &mut Vec<Entry>,
    rules: &[Rule],
    entry: Entry,
    destination: &Destination,
    first: Option<Entry>,
) -> u32 {
    match first {
        Some(first) if first.rule == entry.rule && at(rules, first) == Some(destination) => {
            first.next
        }
        first => put_behind(chained, first),
    }
}

fn key_of(rules: &[Rule], entry: Entry) -> Option<Key<'_>> {
    Key::of(&at(rules, entry)?.host)
}

fn at(rules: &[Rule], entry: Entry) -> Option<&Destination> {
    rules.get(entry.rule as usize)?.to.get(entry.to as usize)
}
