//! Which verdicts callers may keep, and when they no longer may.

use super::{Engine, Ruling};
use crate::flow::{Flow, Name, Trust};
use crate::verdict::Source;
use hallpass_policy::{AppPattern, Destination, Layer, Policy};
use std::collections::BTreeSet;
use std::time::Instant;

/// What may change a verdict though no rule changes.
#[derive(Clone, Debug, Default)]
pub(super) struct HangsOn {
    /// A process gets another parent, user or package without telling anybody.
    pub(super) subject: bool,
    /// A rule ends by the wall clock.
    pub(super) date: bool,
    /// A look-up gives an address a name.
    pub(super) names: bool,
    /// A port of each range in the rules, and [`OTHER_PORT`]: what a look-up that does not say
    /// its port is judged by.
    pub(super) ports: BTreeSet<u16>,
}

/// Stands for the ports that no rule names; a rule that does name it only makes it one more.
const OTHER_PORT: u16 = 1;
/// A flood of ports in rules must not make look-ups slow.
const MAX_PORTS: usize = 256;

impl Engine {
    /// Changes whenever an earlier verdict may no longer be the one that would be given now.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// True where a caller may settle equal calls by this verdict itself until the generation
    /// changes: a rule or the default gave it, and it hangs on nothing but the address.
    #[must_use]
    pub fn may_be_kept(&self, flow: &Flow, source: &Source, wall: jiff::Timestamp) -> bool {
        if self.any_hangs_on(flow, |it| it.subject || it.date) || self.halted {
            return false;
        }
        if !is_of_rules(source) {
            return false;
        }
        let nameless = || Flow {
            names: Vec::new(),
            ..flow.clone()
        };
        flow.names.is_empty()
            || matches!(self.rule_on(&nameless(), wall), Ruling::Settled(_, other) if other == *source)
    }

    /// True where equal calls of the same process, while it is the same program under the same
    /// names, get this verdict until the generation changes or [`Self::next_expiry`] comes. Who
    /// its parents are and what package it is of was settled when it was first looked at.
    #[must_use]
    pub fn may_be_repeated(&self, flow: &Flow, source: &Source) -> bool {
        let is_sure = |name: &Name| name.trust == Trust::Verified;
        !self.any_hangs_on(flow, |it| it.date)
            && !self.halted
            && is_of_rules(source)
            && (!self.any_hangs_on(flow, |it| it.names) || flow.names.iter().all(is_sure))
    }

    /// When the next answer runs out.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.given.iter().filter_map(|given| given.expires).min()
    }

    /// A process has looked a name up that it had not before.
    pub fn name_learned(&mut self) {
        let nested = self.nested.values().any(|run| run.hangs_on.names);
        if self.hangs_on.names || nested {
            self.generation += 1;
        }
    }
}

fn is_of_rules(source: &Source) -> bool {
    matches!(
        source,
        Source::Rule { .. } | Source::Standing { .. } | Source::Default
    )
}

impl Engine {
    /// Whether the rules for this flow, those of its nested runs included, hang on something.
    fn any_hangs_on(&self, flow: &Flow, on: fn(&HangsOn) -> bool) -> bool {
        on(&self.hangs_on) || self.nested_of(flow).any(|run| on(&run.hangs_on))
    }

    /// A port of each range in the rules for this flow.
    pub(super) fn ports_for(&self, flow: &Flow) -> BTreeSet<u16> {
        let mut ports = self.hangs_on.ports.clone();
        for run in self.nested_of(flow) {
            ports.extend(&run.hangs_on.ports);
        }
        ports
    }
}

impl HangsOn {
    pub(super) fn of(policy: &Policy) -> Self {
        let mut all = Self {
            ports: BTreeSet::from([OTHER_PORT]),
            ..Self::default()
        };
        let layers = [Layer::Answer, Layer::Flag, Layer::Policy, Layer::Saved];
        for rule in layers.iter().flat_map(|layer| policy.rules(*layer)) {
            all.subject |= matches!(
                rule.app,
                Some(AppPattern::Package(_) | AppPattern::Parent(_) | AppPattern::User(_))
            );
            all.date |= rule.until.is_some();
            for port in rule.to.iter().flat_map(Destination::first_ports) {
                if all.ports.len() < MAX_PORTS {
                    all.ports.insert(port);
                }
            }
            all.names |= rule.to.iter().any(|to| to.name().is_some());
        }
        all
    }
}
