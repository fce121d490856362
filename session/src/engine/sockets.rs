//! Which UNIX sockets are a flow: all others pass without being put to the engine.

use super::{Engine, Ruling};
use crate::flow::Flow;
use crate::verdict::{Source, Verdict};
use hallpass_policy::{Action, Group, Layer, Policy};
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
}

impl Engine {
    /// What the rules of now say about UNIX sockets.
    #[must_use]
    pub fn socket_rules(&self) -> Arc<SocketRules> {
        Arc::clone(&self.socket_rules)
    }

    /// Whether the call would be refused though no rule says so.
    #[must_use]
    pub fn refuses_by_default(&self, flow: &Flow, wall: jiff::Timestamp) -> bool {
        let ruling = self.rule_on(flow, wall);
        matches!(ruling, Ruling::Settled(Verdict::Deny, Source::Default))
    }
}
