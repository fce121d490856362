//! Why a flow is decided as it is: the winner, the runners-up, and what did not count.

use crate::decide::Facts;
use crate::name::is_public_name;
use crate::policy::Match;
use crate::{
    Action, AppPattern, Destination, Endpoint, Environment, Layer, Place, Policy, Query, Rule,
    place,
};
use serde::Serialize;
use std::fmt;

/// How many runners-up, and how many rules that nearly matched, are named.
const SHOWN: usize = 8;

/// Why a flow is decided as it is. [`fmt::Display`] is for people, [`Serialize`] for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The flow in words.
    pub flow: String,
    /// `loopback`, `multicast`, `lan` or `internet`; none for a UNIX socket.
    pub place: Option<Place>,
    /// What is to be done.
    pub action: Action,
    /// Why, in words.
    pub because: String,
    /// The rule that decided, if one did.
    pub winner: Option<Considered>,
    /// Rules that match and lost, next best first.
    pub runners_up: Vec<Considered>,
    /// Rules that nearly match: the destination does, but not all of the rule; or a name
    /// would, but does not count.
    pub near_misses: Vec<Considered>,
    /// How many more rules lost or nearly matched than are listed.
    pub more: usize,
    /// Names of the flow that no rule may use, and why.
    pub ignored_names: Vec<String>,
}

/// One rule and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Where the rule stands.
    pub layer: Layer,
    /// Its place in [`Policy::rules`] of that layer, from 0.
    pub index: usize,
    /// The rule in words.
    pub rule: String,
    /// The one of its destinations that this is about.
    pub to: String,
    /// Why it won, lost or does not match.
    pub why: String,
}

impl Policy {
    /// Explains what [`Policy::decide`] says of a flow. Looks at every rule: not for the path of
    /// a call.
    #[must_use]
    pub fn explain(
        &self,
        query: &Query<'_>,
        env: &Environment,
        now: jiff::Timestamp,
    ) -> Explanation {
        let facts = Facts::new(query, env);
        let decision = self.decide(query, env, now);
        let matching = self.matching(&facts, now);
        let first = matching.first().copied();
        let winner = decision.winner.and_then(|(layer, rule)| {
            matching
                .iter()
                .copied()
                .find(|r| r.layer == layer && std::ptr::eq(r.rule, rule))
        });
        let runners_up: Vec<Considered> = matching
            .iter()
            .filter(|found| winner.is_none_or(|winner| !std::ptr::eq(winner.rule, found.rule)))
            .map(|found| considered(found, why_lost(found, winner, first)))
            .collect();
        let near_misses = self.near_misses(&facts, now);
        let more = runners_up.len().saturating_sub(SHOWN) + near_misses.len().saturating_sub(SHOWN);
        Explanation {
            flow: flow(query),
            place: match query.endpoint {
                Endpoint::Ip { address, .. } => Some(place(address, env)),
                Endpoint::Unix { .. } => None,
            },
            action: decision.action,
            because: because(self, &facts, winner, first),
            winner: winner.map(|winner| considered(&winner, why_won(winner, first))),
            runners_up: runners_up.into_iter().take(SHOWN).collect(),
            near_misses: near_misses.into_iter().take(SHOWN).collect(),
            more,
            ignored_names: facts.ignored_names().map(ignored_name).collect(),
        }
    }

    /// Rules whose destination matches in part, in the order of the layers.
    fn near_misses(&self, facts: &Facts<'_>, now: jiff::Timestamp) -> Vec<Considered> {
        let mut misses = Vec::new();
        for layer in Layer::ALL {
            for (index, rule) in self.rules(layer).iter().enumerate() {
                let matches = |to: &Destination| to.matches_facts(facts);
                if rule.applies(facts, now) && rule.to.iter().any(matches) {
                    continue;
                }
                if let Some((to, why)) = nearest_miss(rule, facts, now) {
                    misses.push(Considered {
                        layer,
                        index,
                        rule: rule.to_string(),
                        to: to.to_string(),
                        why,
                    });
                }
            }
        }
        misses
    }
}

fn considered(found: &Match<'_>, why: String) -> Considered {
    Considered {
        layer: found.layer,
        index: found.index,
        rule: found.rule.to_string(),
        to: found.to.to_string(),
        why,
    }
}

/// The rule's destination that comes closest to the flow, and what is missing.
fn nearest_miss<'a>(
    rule: &'a Rule,
    facts: &Facts<'_>,
    now: jiff::Timestamp,
) -> Option<(&'a Destination, String)> {
    let facts = &facts.seen_by(rule.action);
    let rest = |to: &Destination| {
        let mut missing = Vec::new();
        if !to.matches_port_and_protocol(facts) {
            missing.push(why_not_port(to, facts));
        }
        if rule.is_expired(now) {
            missing.push("its time is over".to_owned());
        }
        if let Some(app) = rule
            .app
            .as_ref()
            .filter(|app| !app.matches(facts.subject()))
        {
            missing.push(why_not_app(app, facts));
        }
        missing
    };
    let by_place = rule
        .to
        .iter()
        .filter(|to| to.host.matches(facts))
        .min_by_key(|to| (rest(to).len(), std::cmp::Reverse(to.specificity())));
    if let Some(to) = by_place {
        return Some((to, rest(to).join("; ")));
    }
    let (to, name) = rule.to.iter().find_map(|to| {
        let is_name = to.name().is_some() || to.zone().is_some();
        let name = facts
            .ignored_names()
            .find(|name| is_name && to.could_match_name(name))?;
        Some((to, name))
    })?;
    Some((to, ignored_name(name)))
}

fn why_not_port(to: &Destination, facts: &Facts<'_>) -> String {
    let protocol = facts.protocol();
    match (to.protocol, facts.ip()) {
        (Some(wanted), _) if wanted != protocol => format!("it is for {wanted}, not {protocol}"),
        (_, Some(_)) if !protocol.has_ports() => {
            format!("it is for ports {}, which {protocol} has none of", to.ports)
        }
        (_, Some((_, port))) => format!("it is for port {}, not {port}", to.ports),
        (_, None) => "it is for IP flows".to_owned(),
    }
}

fn why_not_app(app: &AppPattern, facts: &Facts<'_>) -> String {
    let subject = facts.subject();
    if let (AppPattern::Path(path), Some(script)) = (app, &subject.script)
        && path == script
    {
        return format!(
            "{path} is a script run by {}: write script:{path}",
            subject.exe
        );
    }
    let own = AppPattern::for_subject(subject);
    format!("it is for {app}, not {own}")
}

fn ignored_name(name: &str) -> String {
    debug_assert!(is_public_name(name));
    format!(
        "the name {name} does not count: it is no local name, yet its address is in a local network (DNS rebinding), so it opens nothing: only rules for the address allow"
    )
}

fn because(
    policy: &Policy,
    facts: &Facts<'_>,
    winner: Option<Match<'_>>,
    first: Option<Match<'_>>,
) -> String {
    match (winner, first) {
        (Some(winner), _) => why_won(winner, first),
        (None, Some(asked)) => format!(
            "{} is allowed unless a rule denies it, and `{}` would only ask",
            facts.standing().map_or("it", crate::Group::as_str),
            asked.rule
        ),
        (None, None) => match policy.standing(facts) {
            Some(group) => {
                format!("{group} is allowed unless a rule says otherwise, and no rule matches")
            }
            None if policy.unmatched(facts) != policy.default_action() => {
                "no rule matches, and nobody is asked about name services: refused, programs ask \
                 the name servers by themselves"
                    .to_owned()
            }
            None => format!(
                "no rule matches, and the default is {}",
                policy.default_action()
            ),
        },
    }
}

fn why_won(winner: Match<'_>, first: Option<Match<'_>>) -> String {
    match first {
        Some(first) if first.layer != winner.layer => format!(
            "a saved rule at least as specific settles the question that `{}` would ask",
            first.rule
        ),
        _ => format!(
            "it is the most specific of the {} rules that match, and no earlier layer has one",
            winner.layer
        ),
    }
}

fn why_lost(lost: &Match<'_>, winner: Option<Match<'_>>, first: Option<Match<'_>>) -> String {
    let Some(winner) = winner else {
        return "it would ask, and this is never a question".to_owned();
    };
    if let Some(first) = first
        && first.layer != winner.layer
        && std::ptr::eq(first.rule, lost.rule)
    {
        return format!("it asks, and `{}` has the answer", winner.rule);
    }
    if lost.layer != winner.layer {
        return if lost.layer < winner.layer {
            "a more specific rule of its layer asks".to_owned()
        } else {
            format!("{} rules decide before {} rules", winner.layer, lost.layer)
        };
    }
    let (ours, theirs) = (lost.strength, winner.strength);
    if ours.0 != theirs.0 {
        return if ours.0.same_step(theirs.0) {
            format!("{} is narrower in ports and protocol", winner.to)
        } else {
            format!("{} is more specific", winner.to)
        };
    }
    if ours.1 != theirs.1 {
        return match &winner.rule.app {
            Some(app) => format!("its program is less specific than {app}"),
            None => "its program is less specific".to_owned(),
        };
    }
    if ours.2 != theirs.2 {
        return format!(
            "{} comes before {} where all else is equal",
            theirs.2, ours.2
        );
    }
    "it says the same".to_owned()
}

fn flow(query: &Query<'_>) -> String {
    let who = AppPattern::for_subject(query.subject);
    let mut to = match query.endpoint {
        Endpoint::Unix { path } => format!("unix:{path}"),
        Endpoint::Ip { address, port } => {
            let protocol = query.protocol;
            match address {
                _ if !protocol.has_ports() => format!("{address}/{protocol}"),
                std::net::IpAddr::V4(_) => format!("{address}:{port}/{protocol}"),
                std::net::IpAddr::V6(_) => format!("[{address}]:{port}/{protocol}"),
            }
        }
    };
    if !query.names.is_empty() {
        to = format!("{to} ({})", query.names.join(", "));
    }
    format!("{who} to {to}")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.flow)?;
        if let Some(place) = self.place {
            write!(f, ", {place}")?;
        }
        writeln!(f)?;
        writeln!(f, "  because {}", self.because)?;
        if let Some(winner) = &self.winner {
            writeln!(f, "  winner     {}: {}", winner.layer, winner.rule)?;
        }
        for other in &self.runners_up {
            writeln!(
                f,
                "  runner-up  {}: {}\n             {}",
                other.layer, other.rule, other.why
            )?;
        }
        for other in &self.near_misses {
            writeln!(
                f,
                "  no match   {}: {}\n             {}",
                other.layer, other.rule, other.why
            )?;
        }
        if self.more > 0 {
            writeln!(f, "  and {} more", self.more)?;
        }
        for name in &self.ignored_names {
            writeln!(f, "  note       {name}")?;
        }
        Ok(())
    }
}
