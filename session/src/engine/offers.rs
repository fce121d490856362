//! How wide an answer may be for one flow, and the rule that each width makes.

use crate::control::protocol::{Answer, Offer, Scope};
use crate::flow::Flow;
use crate::verdict::Verdict;
use hallpass_policy::{Action, AppPattern, Destination, Environment, Rule};
use ipnet::IpNet;
use std::net::IpAddr;

/// The rule that an answer makes for a flow.
///
/// # Errors
/// The answer's scope is none that the flow has; in words for the client.
pub fn answer_rule(
    flow: &Flow,
    answer: &Answer,
    environment: &Environment,
) -> Result<Rule, String> {
    let offers = offers(flow, environment);
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

/// All widths, narrowest first. `settles` is left 0: only the engine knows what waits.
pub(super) fn offers(flow: &Flow, environment: &Environment) -> Vec<Offer> {
    let host = Host::of(flow, environment);
    let protocol = flow.protocol;
    let mut widths = Vec::new();
    if flow.port != 0 {
        let at_port = format!("{}:{}/{protocol}", host.before_port(), flow.port);
        widths.push((Scope::Port, vec![at_port]));
    }
    widths.push((Scope::Host, vec![host.text()]));
    match &host {
        Host::Name(name) => {
            if let Some(domain) = domain_of(name) {
                widths.push((Scope::Domain, vec![domain.clone(), format!("*.{domain}")]));
            }
        }
        Host::Address(address) => {
            let subnet = subnet_of(*address, environment);
            if subnet.prefix_len() < subnet.max_prefix_len() {
                widths.push((Scope::Subnet, vec![subnet.to_string()]));
            }
        }
    }
    widths.push((Scope::Any, vec!["@any".to_owned()]));
    let offer = |(scope, to)| Offer {
        scope,
        to,
        settles: 0,
    };
    widths.into_iter().map(offer).collect()
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

enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// The latest name that a rule may be written with, else the address.
    fn of(flow: &Flow, environment: &Environment) -> Self {
        let usable = flow
            .names
            .iter()
            .find(|name| hallpass_policy::name_counts(&name.name, flow.address, environment));
        match usable {
            Some(name) => Self::Name(name.name.clone()),
            None => Self::Address(flow.address),
        }
    }

    fn text(&self) -> String {
        match self {
            // A machine called `lan` is not the group: its destination is written `lan.`.
            Self::Name(name) => {
                Destination::host_name(name).map_or_else(|_| name.clone(), |host| host.to_string())
            }
            Self::Address(address) => address.to_string(),
        }
    }

    fn before_port(&self) -> String {
        match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.text(),
        }
    }
}

/// The domain a name belongs to: its parent, or itself where the parent is a public suffix.
fn domain_of(name: &str) -> Option<String> {
    let (_, parent) = name.split_once('.')?;
    let is_public_suffix = psl::suffix_str(parent) == Some(parent);
    Some(if is_public_suffix { name } else { parent }.to_owned())
}

/// The attached network the address is in, else its /24 or /64.
fn subnet_of(address: IpAddr, environment: &Environment) -> IpNet {
    let attached = environment
        .attached
        .iter()
        .filter(|net| net.contains(&address))
        .max_by_key(|net| net.prefix_len());
    let usual = if address.is_ipv4() { 24 } else { 64 };
    match attached {
        Some(net) => net.trunc(),
        None => IpNet::new(address, usual).map_or_else(|_| IpNet::from(address), |net| net.trunc()),
    }
}
