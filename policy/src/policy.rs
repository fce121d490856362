//! The layers of rules, and which rule wins.

use crate::decide::Facts;
use crate::rule::Strength;
use crate::{Action, Environment, Query, Rule};
use serde::{Deserialize, Serialize};
use std::fmt;

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
    layers: [Vec<Rule>; 4],
    default: Action,
}

/// What is to be done with a flow, and which rule says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// What is to be done.
    pub action: Action,
    /// The rule that decided; none where no rule matched.
    pub winner: Option<(Layer, &'a Rule)>,
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
            layers: [Vec::new(), Vec::new(), Vec::new(), Vec::new()],
            default: Action::Ask,
        }
    }

    /// Replaces the rules of a layer.
    pub fn set_layer(&mut self, layer: Layer, rules: Vec<Rule>) {
        self.layers[layer.index()] = rules;
    }

    /// The rules of a layer, in the order they were given.
    #[must_use]
    pub fn rules(&self, layer: Layer) -> &[Rule] {
        &self.layers[layer.index()]
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

    /// Decides a flow.
    #[must_use]
    pub fn decide(
        &self,
        query: &Query<'_>,
        env: &Environment,
        now: jiff::Timestamp,
    ) -> Decision<'_> {
        let facts = Facts::new(query, env);
        let best = Layer::ALL
            .iter()
            .find_map(|layer| Some((*layer, self.best(*layer, &facts, now)?)));
        let Some((layer, (rule, strength))) = best else {
            return Decision {
                action: self.default,
                winner: None,
            };
        };
        let winner = match self.settling(layer, strength, &facts, now) {
            Some(saved) => (Layer::Saved, saved),
            None => (layer, rule),
        };
        Decision {
            action: winner.1.action,
            winner: Some(winner),
        }
    }

    /// The saved allow or deny that settles an ask of an earlier layer.
    fn settling(
        &self,
        layer: Layer,
        asked: Strength,
        facts: &Facts<'_>,
        now: jiff::Timestamp,
    ) -> Option<&Rule> {
        if asked.2 != Action::Ask || layer == Layer::Saved {
            return None;
        }
        let (saved, strength) = self.best(Layer::Saved, facts, now)?;
        let as_specific = (strength.0, strength.1) >= (asked.0, asked.1);
        (saved.action != Action::Ask && as_specific).then_some(saved)
    }

    fn best(
        &self,
        layer: Layer,
        facts: &Facts<'_>,
        now: jiff::Timestamp,
    ) -> Option<(&Rule, Strength)> {
        let rules = self
            .rules(layer)
            .iter()
            .filter(|rule| rule.applies(facts, now));
        let matching = rules.flat_map(|rule| {
            let to = rule.to.iter().filter(|to| to.matches_facts(facts));
            to.map(move |to| (rule, rule.strength(to)))
        });
        // Equal strength means equal effect; the rules' own order keeps the choice independent
        // of where they stand in a file.
        matching.max_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(b.0)))
    }
}
