//! The rules in force: what they say about a flow, and what becomes of that when they change.

use super::kept::HangsOn;
use super::nested::Why;
use super::{Engine, Given, SocketRules, naming};
use crate::address::Address;
use crate::flow::Flow;
use crate::verdict::{Source, Verdict};
use hallpass_policy::{Action, Decision, Endpoint, Environment, Layer, Query, Rule};
use std::time::Instant;

/// What the policy, or the lack of one, says about a flow.
pub(super) enum Ruling {
    Settled(Verdict, Source),
    Ask { why: Why },
}

impl Engine {
    /// The saved rules are now these; what waits is decided anew.
    pub fn saved_rules_changed(&mut self, rules: Vec<Rule>, now: Instant, wall: jiff::Timestamp) {
        self.given
            .retain(|given| !given.saved || rules.contains(&given.rule));
        self.policy.set_layer(Layer::Saved, rules);
        self.put_answers_in_force();
        self.decide_all_anew(now, wall);
    }

    /// The attached networks or name servers are now these.
    pub fn environment_changed(
        &mut self,
        environment: Environment,
        now: Instant,
        wall: jiff::Timestamp,
    ) {
        self.environment = environment;
        self.generation += 1;
        self.decide_all_anew(now, wall);
    }

    /// What the policy says where the address has these names.
    pub(super) fn rule_under(&self, flow: &Flow, names: &[&str], wall: jiff::Timestamp) -> Ruling {
        let query = query(flow, names);
        if flow.runs.is_empty() {
            return self.session_rule(&query, wall);
        }
        self.rule_with_nested(flow, &query, wall)
    }

    /// What the session's own rules say.
    pub(super) fn session_rule(&self, query: &Query<'_>, wall: jiff::Timestamp) -> Ruling {
        let decision = self.policy.decide(query, &self.environment, wall);
        let source = source_of(&decision);
        match (decision.action, &source) {
            (Action::Allow, _) => Ruling::Settled(Verdict::Allow, source),
            (Action::Deny | Action::Ask, _) if self.settings.audit => {
                let would = Box::new(source);
                Ruling::Settled(Verdict::Allow, Source::Audit { would })
            }
            (Action::Deny, _) => Ruling::Settled(Verdict::Deny, source),
            (Action::Ask, Source::Rule { layer, rule }) => Ruling::Ask {
                why: Why::of_session(format!("{}: {rule}", whose(layer))),
            },
            (Action::Ask, _) => Ruling::Ask {
                why: Why::of_session("no rule matches, and the default is ask".to_owned()),
            },
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        let before = self.given.len();
        self.given
            .retain(|given| given.expires.is_none_or(|at| at > now));
        if self.given.len() != before {
            self.put_answers_in_force();
        }
    }

    pub(super) fn put_answers_in_force(&mut self) {
        let rule = |given: &Given| given.rule.clone();
        let own = self.given.iter().filter(|given| !given.for_nested);
        self.policy
            .set_layer(Layer::Answer, own.map(rule).collect());
        let all = self.given.iter().map(rule).collect();
        self.answers.set_layer(Layer::Answer, all);
        self.hangs_on = HangsOn::of(&self.policy);
        self.socket_rules = SocketRules::of(&self.policy);
        if self.only_verified {
            self.rule_names = naming::rule_names(&self.policy);
        }
        self.generation += 1;
    }
}

/// What decided, as everybody is told.
pub(super) fn source_of(decision: &Decision<'_>) -> Source {
    match (decision.winner, decision.standing) {
        (Some((layer, rule)), _) => Source::Rule {
            layer: layer.to_string(),
            rule: rule.to_string(),
        },
        (None, Some(group)) => Source::Standing {
            group: group.to_string(),
        },
        (None, None) => Source::Default,
    }
}

pub(super) fn query<'a>(flow: &'a Flow, names: &'a [&'a str]) -> Query<'a> {
    Query {
        subject: &flow.app.subject,
        protocol: flow.protocol,
        endpoint: match &flow.address {
            Address::Ip(address) => Endpoint::Ip {
                address: *address,
                port: flow.port,
            },
            Address::Unix(socket) => Endpoint::Unix {
                path: socket.path(),
            },
        },
        names,
    }
}

/// What a person is told of where a rule comes from.
pub(super) fn whose(layer: &str) -> &str {
    match layer {
        "flag" => "your flag",
        "policy" => "the policy file",
        "saved" => "your saved rule",
        "answer" => "your answer",
        other => other,
    }
}
