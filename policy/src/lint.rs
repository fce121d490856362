//! Rules that are probably not meant as they stand: what `hallpass check` warns of.

use crate::destination::{Destination, Group, Host};
use crate::{Action, AppPattern, Protocol, Rule};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;

/// What is odd about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// Its time is over.
    Expired,
    /// Another rule says the same.
    Duplicate,
    /// A stricter rule for the same flows always wins.
    Overruled,
    /// More specific rules take all of its flows.
    Shadowed,
    /// It allows more than one is likely to mean.
    TooBroad,
}

/// A rule that is probably not meant as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The rule's place in the list, from 0.
    pub rule: usize,
    /// What is odd.
    pub kind: WarningKind,
    /// The other rule that this is about, if there is one.
    pub other: Option<usize>,
    /// What is odd, in words.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "rule {}: {}; {}",
            self.rule + 1,
            self.message,
            self.remedy
        )
    }
}

/// One destination of one rule.
#[derive(Clone, Copy)]
struct Part<'a> {
    index: usize,
    rule: &'a Rule,
    to: &'a Destination,
}

/// Looks through the rules of one layer; in the order of the rules.
#[must_use]
pub fn lint(rules: &[Rule], now: jiff::Timestamp) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut by_host: HashMap<&Host, Vec<Part<'_>>> = HashMap::new();
    for (index, rule) in rules.iter().enumerate() {
        if rule.is_expired(now) {
            warnings.push(expired(index, rule));
            continue;
        }
        for to in &rule.to {
            warnings.extend(too_broad(index, rule, to));
            by_host
                .entry(&to.host)
                .or_default()
                .push(Part { index, rule, to });
        }
    }
    for parts in by_host.values() {
        for part in parts {
            warnings.extend(never_wins(part, parts));
        }
    }
    warnings.sort_by(|a, b| {
        (a.rule, a.kind, a.other, &a.message).cmp(&(b.rule, b.kind, b.other, &b.message))
    });
    warnings.dedup();
    warnings
}

fn expired(index: usize, rule: &Rule) -> Warning {
    let until = rule
        .until
        .map(|until| until.to_string())
        .unwrap_or_default();
    Warning {
        rule: index,
        kind: WarningKind::Expired,
        other: None,
        message: format!("`{rule}` has matched nothing since {until}"),
        remedy: "remove it, or set a later time".to_owned(),
    }
}

fn too_broad(index: usize, rule: &Rule, to: &Destination) -> Option<Warning> {
    if rule.action != Action::Allow {
        return None;
    }
    let everything = rule.app.is_none() && to.ports.is_any();
    let message = match &to.host {
        Host::Group(Group::Broker) => {
            "lets a program have connections made for it, past every other rule, by whatever answers at these sockets"
        }
        Host::Group(Group::Raw) => {
            "lets a program write packets of its own, which no rule for addresses or ports sees"
        }
        Host::Group(Group::Any | Group::Internet) if everything => {
            "lets every program connect to anywhere"
        }
        Host::Network(net) if everything && net.prefix_len() == 0 => {
            "lets every program connect to anywhere"
        }
        Host::Below(zone)
            if everything && !zone.contains('.') && crate::is_public_name(&format!("x.{zone}")) =>
        {
            "is for a whole top-level domain, where anybody can have a name"
        }
        _ => return None,
    };
    Some(Warning {
        rule: index,
        kind: WarningKind::TooBroad,
        other: None,
        message: format!("`allow {to}` {message}"),
        remedy: "name the program, the hosts or the ports that need it".to_owned(),
    })
}

/// Whether a rule's destination can never decide a flow because of others for the same host.
fn never_wins(part: &Part<'_>, parts: &[Part<'_>]) -> Option<Warning> {
    let others = || {
        parts
            .iter()
            .filter(|other| other.index != part.index && outlives(other.rule, part.rule))
    };
    let same = others().filter(|other| other.to == part.to && other.rule.app == part.rule.app);
    let mut duplicate = None;
    for other in same {
        if other.rule.action > part.rule.action {
            return Some(beaten(
                part,
                WarningKind::Overruled,
                other,
                "always wins over it",
            ));
        }
        // Of two that say the same forever, only the later one is reported.
        let is_first = other.index < part.index || !outlives(part.rule, other.rule);
        if other.rule.action == part.rule.action && is_first {
            duplicate = duplicate.or(Some(*other));
        }
    }
    if let Some(other) = duplicate {
        return Some(beaten(
            part,
            WarningKind::Duplicate,
            &other,
            "says the same",
        ));
    }
    let narrower: Vec<&Part<'_>> = others()
        .filter(|other| other.to.specificity() > part.to.specificity())
        .filter(|other| covers_app(other.rule.app.as_ref(), part.rule.app.as_ref()))
        .collect();
    let covered = Protocol::ALL.iter().all(|protocol| {
        let taken: Vec<_> = narrower
            .iter()
            .flat_map(|other| ports(other.to, *protocol))
            .collect();
        ports(part.to, *protocol)
            .iter()
            .all(|wanted| is_covered(*wanted, &taken))
    });
    let first = narrower.first().filter(|_| covered)?;
    Some(Warning {
        kind: WarningKind::Shadowed,
        message: format!(
            "`{}` never decides about {}: rules for the same host with narrower ports take all of it",
            part.rule, part.to
        ),
        remedy: "remove it, or one of them".to_owned(),
        ..beaten(part, WarningKind::Shadowed, first, "")
    })
}

fn beaten(part: &Part<'_>, kind: WarningKind, other: &Part<'_>, how: &str) -> Warning {
    Warning {
        rule: part.index,
        kind,
        other: Some(other.index),
        message: format!(
            "`{}` never decides about {}: rule {}, `{}`, {how}",
            part.rule,
            part.to,
            other.index + 1,
            other.rule
        ),
        remedy: "remove one of them".to_owned(),
    }
}

/// Whether a rule holds at least as long as another.
fn outlives(rule: &Rule, other: &Rule) -> bool {
    match (rule.until, other.until) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(ours), Some(theirs)) => ours >= theirs,
    }
}

/// Whether a pattern takes every program of another.
fn covers_app(wide: Option<&AppPattern>, narrow: Option<&AppPattern>) -> bool {
    wide.is_none() || wide == narrow
}

/// The ports of a protocol that a destination takes; 0 to 0 for a protocol that has none.
fn ports(to: &Destination, protocol: Protocol) -> Vec<(u16, u16)> {
    if to.protocol.is_some_and(|own| own != protocol) {
        return Vec::new();
    }
    match (protocol.has_ports(), to.ports.is_any()) {
        (true, true) => vec![(0, u16::MAX)],
        (true, false) => to.ports.ranges().to_vec(),
        (false, true) => vec![(0, 0)],
        (false, false) => Vec::new(),
    }
}

fn is_covered((first, last): (u16, u16), taken: &[(u16, u16)]) -> bool {
    let mut next = u32::from(first);
    let mut sorted = taken.to_vec();
    sorted.sort_unstable();
    for (from, to) in sorted {
        if u32::from(from) <= next {
            next = next.max(u32::from(to) + 1);
        }
    }
    next > u32::from(last)
}
