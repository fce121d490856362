//! Events that are counted instead of listed.

use super::bounded::ROOM_FOR_MERGED;
use crate::event::{Event, FlowLine, Kind};
use crate::verdict::Verdict;
use std::collections::HashMap;

/// What is not listed at all, only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unlisted {
    pub(super) allowed: u64,
    pub(super) denied: u64,
    pub(super) others: u64,
}

impl Unlisted {
    pub(super) fn add(&mut self, kind: &Kind) {
        match kind {
            Kind::Decided {
                verdict: Verdict::Allow,
                count,
                ..
            } => self.allowed += count,
            Kind::Decided {
                verdict: Verdict::Deny,
                count,
                ..
            } => self.denied += count,
            Kind::Refused { .. } => self.denied += 1,
            _ => self.others += 1,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            allowed: self.allowed + other.allowed,
            denied: self.denied + other.denied,
            others: self.others + other.others,
        }
    }
}

/// Equal decisions, each with its count; bounded, and exact in its sums.
#[derive(Default)]
pub(super) struct Merged {
    /// Under their JSON without what tells one from the next.
    events: HashMap<String, Event>,
    /// Bytes that writing them will take, roughly.
    bytes: usize,
    unlisted: Unlisted,
}

impl Merged {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Counts an event with its equals; one that has none, or for which there is no room, is
    /// only counted.
    pub(super) fn add(&mut self, event: Event) {
        let (Kind::Decided { count, .. }, Some(key)) = (&event.kind, key(&event)) else {
            self.unlisted.add(&event.kind);
            return;
        };
        if let Some(first) = self.events.get_mut(&key) {
            if let Kind::Decided { count: total, .. } = &mut first.kind {
                *total += count;
            }
            first.seq = event.seq;
            first.time = event.time;
            return;
        }
        // The key is about as long as the line it stands for; names and rules are the most of it.
        let bytes = key.len() + 256;
        if self.bytes + bytes > ROOM_FOR_MERGED {
            self.unlisted.add(&event.kind);
            return;
        }
        self.bytes += bytes;
        self.events.insert(key, event);
    }

    /// Takes in what another has counted.
    pub(super) fn absorb(&mut self, other: Self) {
        self.unlisted = self.unlisted.plus(other.unlisted);
        for event in other.events.into_values() {
            self.add(event);
        }
    }

    /// Takes everything out: the events, oldest first, and what is only a number.
    pub(super) fn take(&mut self) -> (Vec<Event>, Unlisted) {
        let taken = std::mem::take(self);
        let mut events: Vec<Event> = taken.events.into_values().collect();
        events.sort_by_key(|event| event.seq);
        (events, taken.unlisted)
    }
}

/// What makes two decisions equal: all but when, how often, and which process.
fn key(event: &Event) -> Option<String> {
    let Kind::Decided {
        flow,
        verdict,
        source,
        ..
    } = &event.kind
    else {
        return None;
    };
    let flow = FlowLine {
        pid: 0,
        ..flow.clone()
    };
    serde_json::to_string(&(flow, verdict, source)).ok()
}
