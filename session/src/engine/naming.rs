//! What a name is worth. Without the guard a name is the program's word, and so is the hook.
//! With it only a name that the session has looked up itself satisfies a rule that allows; what a
//! program merely claims can close, and is shown.

use super::nested::{AskedBy, Why};
use super::{Engine, Ruling};
use crate::flow::{Flow, Trust};
use crate::nested::RunId;
use crate::verdict::{Fallback, Source, Verdict};
use crate::verify::Wanted;
use hallpass_policy::{Action, Layer, Policy, Protocol, name_counts};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many names of rules are looked up. More are a list, of which a name is looked up where a
/// program says it.
const MAX_RULE_NAMES: usize = 256;

impl Engine {
    /// From now on names are worth what the session's own look-ups say.
    pub fn trust_only_verified_names(&mut self) {
        self.only_verified = true;
        self.rule_names = rule_names(&self.policy);
    }

    /// The names that would change what happens to this flow, if they had its address.
    #[must_use]
    pub fn names_wanted(&self, flow: &Flow, wall: jiff::Timestamp) -> Vec<Wanted> {
        let claims = flow.names.iter().any(|name| name.trust == Trust::Claimed);
        if flow.address.ip().is_none() {
            return Vec::new();
        }
        let has_nested = self.nested_of(flow).any(|run| !run.rule_names.is_empty());
        if !self.only_verified || (self.rule_names.is_empty() && !claims && !has_nested) {
            return Vec::new();
        }
        let nested = self.nested_names(flow, wall);
        let verified = names(flow, Some(Trust::Verified));
        let now = if_enforced(&self.rule_under(flow, &verified, wall));
        let with = |name: &str| {
            let mut all = verified.clone();
            all.push(name);
            if_enforced(&self.rule_under(flow, &all, wall))
        };
        let mut wanted = Vec::new();
        for name in self.rule_names.iter().chain(nested.take(MAX_RULE_NAMES)) {
            let then = with(name);
            let is_new = wanted.iter().all(|it: &Wanted| it.name != *name);
            if then != now && is_new && !verified.contains(&name.as_str()) {
                wanted.push(Wanted {
                    name: name.clone(),
                    opens: then < now,
                    of_rule: true,
                });
            }
        }
        if claims && self.may_look_up(flow, wall) {
            for name in names(flow, Some(Trust::Claimed)) {
                let then = with(name);
                // A person who is asked is told whether the name is the program's word.
                let is_shown = now == ASKED && self.policy.default_action() != Action::Deny;
                if (then != now || is_shown) && wanted.iter().all(|it| it.name != name) {
                    wanted.push(Wanted {
                        name: name.to_owned(),
                        opens: then <= now,
                        of_rule: false,
                    });
                }
            }
        }
        wanted
    }

    /// The names that the rules of the flow's nested runs are written with. Any process may bring
    /// rules, and data can leave in their names as in those it says: so they count where whoever
    /// brought them, who was in the runs around, might tell them to name servers itself.
    fn nested_names(&self, flow: &Flow, wall: jiff::Timestamp) -> impl Iterator<Item = &String> {
        let brought = flow
            .runs
            .iter()
            .enumerate()
            .filter_map(move |(around, id)| {
                let run = self.nested.get(id)?;
                let by = Flow {
                    runs: flow.runs.iter().take(around).copied().collect(),
                    ..flow.clone()
                };
                let counts = !run.rule_names.is_empty() && self.may_look_up(&by, wall);
                counts.then_some(&run.rule_names)
            });
        brought.flatten()
    }

    /// Whether there is any use in looking this canonical name up: a connection of these nested runs
    /// to its address could go on.
    #[must_use]
    pub fn could_open_name(&self, name: &str, runs: &[RunId]) -> bool {
        let mut nested = runs.iter().filter_map(|id| self.nested.get(id));
        let own = self.settings.audit || self.policy.could_open_name(name);
        self.halted || (own && nested.all(|run| run.could_open_name(name)))
    }

    /// Whether this name is outside the local zones and the address is not: rules for the name
    /// do not open it (DNS rebinding).
    #[must_use]
    pub fn is_rebound(&self, name: &str, address: IpAddr) -> bool {
        !name_counts(name, address, &self.environment)
    }

    /// What happens to a flow.
    pub(super) fn rule_on(&self, flow: &Flow, wall: jiff::Timestamp) -> Ruling {
        match (self.rule_by_trust(flow, wall), &self.rest_denied_by) {
            (Ruling::Ask { .. }, Some(by)) => {
                Ruling::Settled(Verdict::Deny, Source::Person { by: by.clone() })
            }
            (ruling, _) => ruling,
        }
    }

    fn rule_by_trust(&self, flow: &Flow, wall: jiff::Timestamp) -> Ruling {
        let all = self.rule_under(flow, &names(flow, None), wall);
        let is_sure = |name: &crate::flow::Name| name.trust == Trust::Verified;
        if !self.only_verified || flow.names.iter().all(is_sure) {
            return all;
        }
        let verified = self.rule_under(flow, &names(flow, Some(Trust::Verified)), wall);
        match (is_audited(&all), is_audited(&verified)) {
            // A nested run may still refuse or ask.
            (true, _) if strictness(&verified) == ALLOWED => return all,
            (true, _) => {}
            (false, true) => {
                let would = Box::new(Source::Fallback {
                    reason: Fallback::NameNotVerified,
                });
                return Ruling::Settled(Verdict::Allow, Source::Audit { would });
            }
            (false, false) => {}
        }
        match (strictness(&all), strictness(&verified)) {
            (ALLOWED, DENIED) => Ruling::Settled(
                Verdict::Deny,
                Source::Fallback {
                    reason: Fallback::NameNotVerified,
                },
            ),
            (ALLOWED, ASKED) => {
                let text =
                    "a rule allows the name, but no look-up of ours gave this address for it";
                let by = match verified {
                    Ruling::Ask { why } => why.by,
                    Ruling::Settled(..) => AskedBy::session(),
                };
                Ruling::Ask {
                    why: Why {
                        text: text.to_owned(),
                        by,
                    },
                }
            }
            (all_is, verified_is) if all_is > verified_is => all,
            _ => verified,
        }
    }

    /// The names that a rule with this action may match by.
    pub(super) fn names_for<'a>(&self, action: Action, flow: &'a Flow) -> Vec<&'a str> {
        let only = self.only_verified && action == Action::Allow;
        names(flow, only.then_some(Trust::Verified))
    }

    /// The flow as a person may answer about it: without names that are only claimed. A program
    /// could claim one for any address, and have it let through with what the name is for.
    pub(super) fn offered(&self, flow: &Flow) -> Flow {
        let mut flow = flow.clone();
        if self.only_verified {
            flow.names.retain(|name| name.trust == Trust::Verified);
        }
        flow
    }

    /// Whether a name that a program says may be told to name servers: not where the program may
    /// not do that itself, since data can leave in names.
    fn may_look_up(&self, flow: &Flow, wall: jiff::Timestamp) -> bool {
        let Some(server) = self.environment.nameservers.first() else {
            return true;
        };
        let to_server = Flow {
            protocol: Protocol::Udp,
            address: (*server).into(),
            port: 53,
            names: Vec::new(),
            ..flow.clone()
        };
        if_enforced(&self.rule_under(&to_server, &[], wall)) == ALLOWED
    }
}

const ALLOWED: u8 = 0;
const ASKED: u8 = 1;
const DENIED: u8 = 2;

fn strictness(ruling: &Ruling) -> u8 {
    match ruling {
        Ruling::Settled(Verdict::Allow, _) => ALLOWED,
        Ruling::Ask { .. } => ASKED,
        Ruling::Settled(Verdict::Deny, _) => DENIED,
    }
}

/// What `--audit` lets go on would be refused: a name that a rule allows is looked up all the same,
/// or the audit would find fault with it.
fn if_enforced(ruling: &Ruling) -> u8 {
    if is_audited(ruling) {
        return DENIED;
    }
    strictness(ruling)
}

/// The names of that trust. What a UNIX socket is also called by is the session's own finding.
fn names(flow: &Flow, trust: Option<Trust>) -> Vec<&str> {
    if let Some(socket) = flow.address.socket() {
        return socket.others().collect();
    }
    flow.names
        .iter()
        .filter(|name| trust.is_none_or(|trust| name.trust == trust))
        .map(|name| name.name.as_str())
        .collect()
}

/// The names that rules are written with, those of allow and ask first.
pub(super) fn rule_names(policy: &Policy) -> Vec<String> {
    let layers = [Layer::Answer, Layer::Flag, Layer::Policy, Layer::Saved];
    let (mut found, mut closing) = (BTreeSet::new(), BTreeSet::new());
    for rule in layers.iter().flat_map(|layer| policy.rules(*layer)) {
        let names = if rule.action == Action::Deny {
            &mut closing
        } else {
            &mut found
        };
        for name in rule.to.iter().filter_map(|to| to.name()) {
            if names.len() < MAX_RULE_NAMES {
                names.insert(name.to_owned());
            }
        }
    }
    for name in closing {
        if found.len() < MAX_RULE_NAMES {
            found.insert(name);
        }
    }
    found.into_iter().collect()
}

/// Whether only `--audit` lets it go on.
fn is_audited(ruling: &Ruling) -> bool {
    matches!(ruling, Ruling::Settled(_, Source::Audit { .. }))
}

#[cfg(test)]
mod tests;
