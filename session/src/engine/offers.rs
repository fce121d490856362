//! How wide an answer may be for one flow, and the rule that each width makes.

use crate::address::{Address, Socket};
use crate::control::protocol::{Answer, Offer, Scope};
use crate::flow::Flow;
use crate::verdict::Verdict;
use hallpass_policy::{Action, AppPattern, Destination, Environment, Group, Rule};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The rule that an answer makes for a flow.
///
/// # Errors
/// The answer's scope is none that the flow has; in words for the client.
pub fn answer_rule(
    flow: &Flow,
    others: &BTreeSet<IpAddr>,
    answer: &Answer,
    environment: &Environment,
) -> Result<Rule, String> {
    let offers = offers(flow, others, environment);
    let offer = offers.iter().find(|offer| offer.scope == answer.scope);
    match offer {
        Some(offer) => rule(flow, answer.verdict, &offer.to),
        None => {
            let known: Vec<String> = offers.iter().map(|o| o.scope.to_string()).collect();
            Err(format!(
                "scope {} does not fit this question; it offers {}",
                answer.scope,
                known.join(", ")
            ))
        }
    }
}

/// All widths, narrowest first. `settles` is left 0: only the engine knows what waits. `others`
/// are more addresses that the question is about, for where no rule may be written with its name.
pub(super) fn offers(
    flow: &Flow,
    others: &BTreeSet<IpAddr>,
    environment: &Environment,
) -> Vec<Offer> {
    let ip = match &flow.address {
        Address::Ip(ip) => *ip,
        Address::Unix(socket) => return of_socket(flow, socket, environment),
    };
    // The latest name that a rule may be written with, else the address.
    let name = flow
        .names
        .iter()
        .map(|name| name.name.as_str())
        .find(|name| hallpass_policy::name_counts(name, ip, environment));
    let address = Destination::address(ip);
    let host = name.and_then(|name| Destination::host_name(name).ok());
    let hosts: Vec<Destination> = match host {
        Some(host) => vec![host],
        None => std::iter::once(ip)
            .chain(others.iter().copied())
            .map(Destination::address)
            .collect(),
    };
    let mut widths = Vec::new();
    if flow.port != 0 {
        let at_port = |host: &Destination| host.clone().at(flow.port, flow.protocol);
        widths.push((Scope::Port, hosts.iter().map(at_port).collect()));
    }
    widths.push((Scope::Host, hosts));
    match name {
        // A name of one label has no domain.
        Some(name) if name.contains('.') => {
            if let Ok(domain) = Destination::domain(name, is_public_suffix) {
                widths.push((Scope::Domain, domain.to_vec()));
            }
        }
        Some(_) => {}
        None => {
            let subnet = Destination::subnet(ip, environment);
            if subnet != address {
                widths.push((Scope::Subnet, vec![subnet]));
            }
        }
    }
    widths.push((Scope::Any, vec![Destination::any()]));
    widths.into_iter().map(offer).collect()
}

/// This socket, and all of its group. `@any` is about IP and would not cover it.
fn of_socket(flow: &Flow, socket: &Socket, environment: &Environment) -> Vec<Offer> {
    let own = Destination::socket(socket.path());
    let names: Vec<&str> = socket.others().collect();
    let query = super::query(flow, &names);
    let groups = [Group::Broker, Group::Desktop].map(Destination::of_group);
    let group = groups
        .into_iter()
        .find(|it| it.matches(&query, environment));
    let widths = [(Scope::Host, own), (Scope::Any, group)];
    let widths = widths
        .into_iter()
        .filter_map(|(scope, to)| Some((scope, vec![to?])));
    widths.map(offer).collect()
}

fn offer((scope, to): (Scope, Vec<Destination>)) -> Offer {
    Offer {
        scope,
        to: to.iter().map(Destination::to_string).collect(),
        settles: 0,
    }
}

fn is_public_suffix(name: &str) -> bool {
    psl::suffix_str(name) == Some(name)
}

/// A rule for the flow's app.
pub(super) fn rule(flow: &Flow, verdict: Verdict, to: &[String]) -> Result<Rule, String> {
    let parsed: Result<Vec<_>, _> = to.iter().map(|text| text.parse()).collect();
    let app = AppPattern::for_subject(&flow.app.subject);
    Ok(Rule {
        action: match verdict {
            Verdict::Allow => Action::Allow,
            Verdict::Deny => Action::Deny,
        },
        to: parsed.map_err(|error: hallpass_policy::DestinationError| error.to_string())?,
        app: Some(app),
        note: None,
        until: None,
    })
}
