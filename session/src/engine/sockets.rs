//! Which UNIX sockets are a flow: all others pass without being put to the engine.

use super::{Engine, Ruling};
use crate::address::Address;
use crate::flow::Flow;
use crate::nested::RunId;
use crate::verdict::{Source, Verdict};
use hallpass_policy::{Action, Group, Layer, Policy, is_session_bus_path};
use std::sync::Arc;

/// What the rules of now say about UNIX sockets, besides brokers, which are always decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketRules {
    /// The paths that `unix:` rules are written with.
    pub paths: Vec<String>,
    /// Whether a rule is about `@desktop`.
    pub desktop: bool,
    /// Whether the session bus is decided where no rule is about it: where the default is deny.
    pub session_bus: bool,
}

impl SocketRules {
    pub(super) fn of(policy: &Policy) -> Arc<Self> {
        let mut all = Self {
            session_bus: policy.default_action() == Action::Deny,
            ..Self::default()
        };
        let rules = Layer::ALL.iter().flat_map(|layer| policy.rules(*layer));
        for to in rules.flat_map(|rule| &rule.to) {
            all.desktop |= to.group() == Some(Group::Desktop);
            all.paths.extend(to.socket_path().map(str::to_owned));
        }
        all.paths.sort_unstable();
        all.paths.dedup();
        Arc::new(all)
    }

    /// Whether the rules have a word about a flow: about a UNIX socket they may have none, and it
    /// is put to the engine because other rules have.
    pub(super) fn concern(&self, address: &Address) -> bool {
        let Some(socket) = address.socket() else {
            return true;
        };
        let mut paths = std::iter::once(socket.path()).chain(socket.others());
        paths.any(|path| {
            Group::Broker.has_socket(path)
                || self.paths.iter().any(|own| own == path)
                || (self.desktop && Group::Desktop.has_socket(path))
                || (self.session_bus && is_session_bus_path(path))
        })
    }
}

impl Engine {
    /// What the rules of now say about UNIX sockets, those of these nested runs included.
    #[must_use]
    pub fn socket_rules(&self, runs: &[RunId]) -> Arc<SocketRules> {
        if runs.is_empty() {
            return Arc::clone(&self.socket_rules);
        }
        let mut all = (*self.socket_rules).clone();
        for run in runs.iter().filter_map(|id| self.nested.get(id)) {
            all.paths.extend(run.sockets.paths.iter().cloned());
            all.desktop |= run.sockets.desktop;
            all.session_bus |= run.sockets.session_bus;
        }
        Arc::new(all)
    }

    /// Whether the call would be refused though no rule says so.
    #[must_use]
    pub fn refuses_by_default(&self, flow: &Flow, wall: jiff::Timestamp) -> bool {
        let ruling = self.rule_on(flow, wall);
        let Ruling::Settled(Verdict::Deny, source) = ruling else {
            return false;
        };
        match source {
            Source::Default => true,
            Source::Nested { source, .. } => *source == Source::Default,
            _ => false,
        }
    }
}
