//! An open question: all calls with the same app, protocol, port and name wait in one.

use super::AskId;
use super::clock::Clock;
use super::nested::{AskedBy, Why};
use crate::address::Address;
use crate::control::protocol::MAX_DESTINATIONS;
use crate::flow::Flow;
use crate::hold::Hold;
use hallpass_policy::Protocol;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What makes two calls the same question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) app: String,
    /// None where a look-up did not say what it is for.
    at: Option<(Protocol, u16)>,
    to: Host,
    /// Whose rules ask: an answer for one is none for another.
    by: AskedBy,
}

/// The name if there is one: a host's several addresses are one question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    Name(String),
    Address(Address),
}

impl Key {
    pub(super) fn of(flow: &Flow, by: AskedBy) -> Self {
        Self {
            app: flow.app.identity().to_owned(),
            at: Some((flow.protocol, flow.port)),
            to: match flow.names.first() {
                Some(name) => Host::Name(name.name.clone()),
                None => Host::Address(flow.address.clone()),
            },
            by,
        }
    }

    /// The question of a look-up, whose flow has port 0 where it did not say what it is for.
    pub(super) fn of_look_up(flow: &Flow, by: AskedBy) -> Self {
        Self {
            at: (flow.port != 0).then_some((flow.protocol, flow.port)),
            ..Self::of(flow, by)
        }
    }

    /// Whether an answer to the question is one for a call that these ask about: its name may be
    /// any that it goes by.
    pub(super) fn fits(&self, flow: &Flow, by: &AskedBy) -> bool {
        let is_there = match &self.to {
            Host::Name(name) => flow.names.iter().any(|other| other.name == *name),
            Host::Address(address) => flow.address == *address,
        };
        let at = (flow.protocol, flow.port);
        is_there
            && self.at.is_none_or(|own| own == at)
            && flow.app.identity() == self.app
            && self.by.covers(by)
    }
}

pub(super) struct Open {
    pub(super) key: Key,
    /// The call that opened it; shown for all.
    pub(super) flow: Flow,
    pub(super) why: Why,
    /// How its calls wait.
    pub(super) hold: Hold,
    pub(super) asks: BTreeSet<AskId>,
    /// How many calls were refused while it waits (`--hold=retry`).
    pub(super) told_no: usize,
    /// The other addresses that calls were refused to, or that a look-up gave.
    pub(super) others: BTreeSet<IpAddr>,
    pub(super) clock: Clock,
    /// Until then it waits for a caller that runs a signal handler, or for a program's next try.
    pub(super) alone_until: Option<Instant>,
    /// When clients are told of the new count; a flood must not flood them too.
    pub(super) refresh_at: Option<Instant>,
}

impl Open {
    pub(super) fn new(
        key: Key,
        flow: Flow,
        why: Why,
        hold: Hold,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self {
            key,
            flow,
            why,
            hold,
            asks: BTreeSet::new(),
            told_no: 0,
            others: BTreeSet::new(),
            clock: Clock::start(timeout, now),
            alone_until: None,
            refresh_at: None,
        }
    }

    /// Whether it waits for a program's next try, with no call held.
    pub(super) fn is_for_a_retry(&self) -> bool {
        self.hold == Hold::Retry
    }

    /// Whether an answer counts for it that is `for_nested` runs alone.
    pub(super) fn is_for(&self, for_nested: bool) -> bool {
        !for_nested || !self.why.by.session
    }

    /// The address of one more call; so many are kept as a rule may have destinations.
    pub(super) fn add_address(&mut self, address: &Address) {
        if let Some(address) = address.ip()
            && self.flow.address != address
            && self.others.len() + 1 < MAX_DESTINATIONS
        {
            self.others.insert(address);
        }
    }

    pub(super) fn count_changed(&mut self, now: Instant) {
        self.refresh_at.get_or_insert(now + super::REFRESH);
    }
}
