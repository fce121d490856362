//! The layers of rules, and which rule wins.

use crate::decide::Facts;
use crate::destination::{is_name_service, is_session_bus};
use crate::index::Index;
use crate::rule::Strength;
use crate::{Action, Destination, Environment, Group, Query, Rule};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where a rule comes from; an earlier layer decides before a later one is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Answers given during this run.
    Answer,
    /// `--allow`, `--deny`, `--ask`.
    Flag,
    /// Files given with `--policy`.
    Policy,
    /// The user's saved rules.
    Saved,
}

impl Layer {
    /// Every layer, first to decide first.
    pub const ALL: [Self; 4] = [Self::Answer, Self::Flag, Self::Policy, Self::Saved];

    /// The word it is shown as, lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Flag => "flag",
            Self::Policy => "policy",
            Self::Saved => "saved",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Answer => 0,
            Self::Flag => 1,
            Self::Policy => 2,
            Self::Saved => 3,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Every rule that is in force, and what holds where none matches.
#[derive(Clone, Debug)]
pub struct Policy {
    layers: [Indexed; 4],
    default: Action,
}

/// A layer's rules and where to find them; made together, so that they always agree.
#[derive(Clone, Debug)]
struct Indexed {
    rules: Vec<Rule>,
    /// A hash of each rule's content: what decides between rules of equal strength. Comparing
    /// the rules themselves would walk through both of two equal lists on every look-up.
    fingerprints: Vec<u64>,
    index: Index,
    /// Some rule opens, or asks about, an address whatever its name.
    opens_addresses: bool,
}

impl Indexed {
    fn new(rules: Vec<Rule>) -> Self {
        let index = Index::new(&rules);
        let fingerprints = rules.iter().map(fingerprint).collect();
        let opens_addresses =
            opening(&rules).any(|rule| rule.to.iter().any(Destination::knows_no_names));
        Self {
            rules,
            fingerprints,
            index,
            opens_addresses,
        }
    }

    /// Whether some rule could open, or ask about, an address that has this canonical name.
    fn could_open_name(&self, name: &str) -> bool {
        if self.opens_addresses {
            return true;
        }
        if !name.contains('.') {
            // The resolver may try it below the domains that it searches.
            return opening(&self.rules).flat_map(|rule| &rule.to).any(|to| {
                let rest = to.name().and_then(|full| full.strip_prefix(name));
                to.zone().is_some()
                    || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
        }
        let mut opens = false;
        self.index.visit_name(&self.rules, name, |place, _| {
            let action = self.rules.get(place).map(|rule| rule.action);
            opens |= action != Some(Action::Deny);
        });
        opens
    }
}

fn opening(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    rules.iter().filter(|rule| rule.action != Action::Deny)
}

/// The same for equal rules, in every run.
fn fingerprint(rule: &Rule) -> u64 {
    let mut hasher = DefaultHasher::new();
    rule.hash(&mut hasher);
    hasher.finish()
}

/// A rule that matches a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match<'a> {
    pub(crate) layer: Layer,
    /// Its place in the layer.
    pub(crate) index: usize,
    pub(crate) rule: &'a Rule,
    /// The most specific of its destinations that match.
    pub(crate) to: &'a Destination,
    pub(crate) strength: Strength,
    fingerprint: u64,
}

impl Match<'_> {
    /// Whether this wins over another match of its layer. Rules of equal strength have equal
    /// effect; their fingerprints keep the choice independent of where they stand in a file.
    pub(crate) fn cmp_strength(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (&self.strength, &other.strength);
        ours.cmp(theirs)
            .then(self.fingerprint.cmp(&other.fingerprint))
    }

    fn is_as_specific_as(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.strength, other.strength);
        (ours.0, ours.1) >= (theirs.0, theirs.1)
    }
}

/// What is to be done with a flow, and which rule says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// What is to be done.
    pub action: Action,
    /// The rule that decided. None where no rule matched and the default decided, or
    /// [`Decision::standing`].
    pub winner: Option<(Layer, &'a Rule)>,
    /// `@dns` or `@desktop` where the flow is allowed because it is one of these and no rule
    /// denies it: they are not subject to the default, and `@dns` is not asked about.
    pub standing: Option<Group>,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

impl Policy {
    /// No rules, and `ask` where none matches.
    #[must_use]
    pub fn new() -> Self {
        Self {
            layers: Layer::ALL.map(|_| Indexed::new(Vec::new())),
            default: Action::Ask,
        }
    }

    /// Replaces the rules of a layer.
    pub fn set_layer(&mut self, layer: Layer, rules: Vec<Rule>) {
        self.layers[layer.index()] = Indexed::new(rules);
    }

    /// The rules of a layer, in the order they were given.
    #[must_use]
    pub fn rules(&self, layer: Layer) -> &[Rule] {
        &self.layers[layer.index()].rules
    }

    /// What holds where no rule matches.
    pub fn set_default(&mut self, action: Action) {
        self.default = action;
    }

    /// What holds where no rule matches.
    #[must_use]
    pub fn default_action(&self) -> Action {
        self.default
    }

    /// Whether a connection to an address of this canonical name could be allowed, or asked about,
    /// whoever makes it. Where not, there is no use in looking the name up.
    #[must_use]
    pub fn could_open_name(&self, name: &str) -> bool {
        self.default != Action::Deny || self.layers.iter().any(|layer| layer.could_open_name(name))
    }

    /// Decides a flow. The first layer with a match decides, in it the most specific
    /// destination, then the most specific program, then deny over ask over allow. Where that
    /// is an ask, a saved allow or deny at least as specific settles it.
    #[must_use]
    pub fn decide(
        &self,
        query: &Query<'_>,
        env: &Environment,
        now: jiff::Timestamp,
    ) -> Decision<'_> {
        let facts = Facts::new(query, env);
        let first = Layer::ALL
            .iter()
            .find_map(|layer| self.best(*layer, &facts, now));
        let winner = first.map(|first| self.settled(first, &facts, now));
        let standing = self
            .standing(&facts)
            .filter(|group| winner.is_none_or(|winner| is_moot(&winner, *group)));
        match (standing, winner) {
            (Some(_), _) => Decision {
                action: Action::Allow,
                winner: None,
                standing,
            },
            (None, Some(winner)) => Decision {
                action: winner.rule.action,
                winner: Some((winner.layer, winner.rule)),
                standing,
            },
            (None, None) => Decision {
                action: self.unmatched(&facts),
                winner: None,
                standing,
            },
        }
    }

    /// The group that a flow is allowed for unless a rule says otherwise. The session bus is none
    /// where the default is deny: over it programs can be started outside the session.
    pub(crate) fn standing(&self, facts: &Facts<'_>) -> Option<Group> {
        let standing = facts.standing();
        standing.filter(|_| self.default != Action::Deny || !is_session_bus(facts))
    }

    /// What holds for a flow that no rule matches. Nobody could say what a look-up by nscd or
    /// systemd-resolved is for; refused, the C library asks the name servers by itself, which
    /// rules can see. So nobody is asked.
    pub(crate) fn unmatched(&self, facts: &Facts<'_>) -> Action {
        match self.default {
            Action::Ask if is_name_service(facts) => Action::Deny,
            default => default,
        }
    }

    /// The saved allow or deny that settles an ask of an earlier layer, else the match itself.
    fn settled<'a>(
        &'a self,
        first: Match<'a>,
        facts: &Facts<'_>,
        now: jiff::Timestamp,
    ) -> Match<'a> {
        if first.rule.action != Action::Ask || first.layer == Layer::Saved {
            return first;
        }
        match self.best(Layer::Saved, facts, now) {
            Some(saved) if saved.rule.action != Action::Ask && saved.is_as_specific_as(&first) => {
                saved
            }
            _ => first,
        }
    }

    fn best(&self, layer: Layer, facts: &Facts<'_>, now: jiff::Timestamp) -> Option<Match<'_>> {
        let mut best: Option<Match<'_>> = None;
        self.visit(layer, facts, now, |found| {
            if best.is_none_or(|best| found.cmp_strength(&best).is_gt()) {
                best = Some(found);
            }
        });
        best
    }

    /// Every rule that matches, each with its most specific matching destination; layer by
    /// layer, strongest first.
    pub(crate) fn matching(&self, facts: &Facts<'_>, now: jiff::Timestamp) -> Vec<Match<'_>> {
        let mut all = Vec::new();
        for layer in Layer::ALL {
            self.visit(layer, facts, now, |found| all.push(found));
        }
        all.sort_by(|a, b| a.layer.cmp(&b.layer).then_with(|| b.cmp_strength(a)));
        let mut seen = HashSet::new();
        all.retain(|found| seen.insert((found.layer, found.index)));
        all
    }

    /// Calls `visit` with every match of a layer: once for each destination that matches.
    fn visit<'a>(
        &'a self,
        layer: Layer,
        facts: &Facts<'_>,
        now: jiff::Timestamp,
        mut visit: impl FnMut(Match<'a>),
    ) {
        let Indexed {
            rules,
            fingerprints,
            index,
            ..
        } = &self.layers[layer.index()];
        index.visit(rules, facts, |place, to| {
            if let (Some(rule), Some(fingerprint)) = (rules.get(place), fingerprints.get(place))
                && to.matches_facts(&facts.seen_by(rule.action))
                && rule.applies(facts, now)
            {
                visit(Match {
                    layer,
                    index: place,
                    rule,
                    to,
                    strength: rule.strength(to),
                    fingerprint: *fingerprint,
                });
            }
        });
    }
}

/// Whether what won says nothing about a group that is allowed unless a rule says otherwise:
/// an ask that was written for something wider. `@dns` is never a question by accident.
fn is_moot(winner: &Match<'_>, group: Group) -> bool {
    winner.rule.action == Action::Ask && group == Group::Dns && winner.to.is_wider_than_dns()
}
