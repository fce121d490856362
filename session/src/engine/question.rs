//! An open question: all calls with the same app, protocol, port and name wait in one.

use super::AskId;
use super::clock::Clock;
use crate::flow::Flow;
use hallpass_policy::Protocol;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What makes two calls the same question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) app: String,
    protocol: Protocol,
    port: u16,
    to: Host,
}

/// The name if there is one: a host's several addresses are one question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    Name(String),
    Address(IpAddr),
}

impl Key {
    pub(super) fn of(flow: &Flow) -> Self {
        Self {
            app: flow.app.identity().to_owned(),
            protocol: flow.protocol,
            port: flow.port,
            to: match flow.names.first() {
                Some(name) => Host::Name(name.name.clone()),
                None => Host::Address(flow.address),
            },
        }
    }
}

pub(super) struct Open {
    pub(super) key: Key,
    /// The call that opened it; shown for all.
    pub(super) flow: Flow,
    pub(super) why: String,
    pub(super) asks: BTreeSet<AskId>,
    pub(super) clock: Clock,
    /// Until then it waits for a caller that runs a signal handler.
    pub(super) grace_until: Option<Instant>,
    /// When clients are told of the new count; a flood must not flood them too.
    pub(super) refresh_at: Option<Instant>,
}

impl Open {
    pub(super) fn new(
        key: Key,
        flow: Flow,
        why: String,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self {
            key,
            flow,
            why,
            asks: BTreeSet::new(),
            clock: Clock::start(timeout, now),
            grace_until: None,
            refresh_at: None,
        }
    }

    pub(super) fn count_changed(&mut self, now: Instant) {
        self.refresh_at.get_or_insert(now + super::REFRESH);
    }
}
