//! `hallpass learn`: the smallest readable policy that covers what a run needed.
//!
//! A learning run is an audit of the policy so far, with deny as the default: what would have been
//! refused by that default is what the policy lacks. Rules that a person wrote stay as they are,
//! and a deny or ask of theirs is not learned around.

use super::{Entry, Outcome, Report, Target};
use crate::run::learn::Programs;
use hallpass_policy::name_counts;
use hallpass_policy::{Action, AppPattern, Destination, Environment, Protocol, Rule, RuleFile};
use hallpass_session::render;
use hallpass_session::verdict::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// More ports than this of one host and protocol become all of its ports: a list of them would be
/// the ports that happened to be free.
const MAX_PORTS: usize = 8;
/// How a note begins that this wrote; rules with another note are a person's.
const NOTE: &str = "learned: ";

/// How a note ends where the ports of [`EphemeralPorts`] are allowed.
const OWN_SERVERS: &str = "; all ports of the kernel's choice, for servers of its own";

/// Ports that the kernel gives to whoever does not ask for one (ip(7), ip_local_port_range).
pub(super) type EphemeralPorts = RangeInclusive<u16>;

/// Those of this machine; Linux's own where it does not say.
pub(super) fn ephemeral_ports() -> EphemeralPorts {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let text = text.unwrap_or_default();
    let mut words = text.split_ascii_whitespace().map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => first..=last,
        _ => 32768..=60999,
    }
}

/// What was learned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Learned {
    /// The policy, the new rules included.
    pub(super) file: RuleFile,
    /// How many destinations are new.
    pub(super) added: usize,
    /// What could not be learned and why, a line each.
    pub(super) left_out: Vec<String>,
}

/// One host and protocol that a program needs, with its ports and calls.
type Needs = BTreeMap<(String, Protocol), Need>;

#[derive(Default)]
struct Need {
    ports: BTreeSet<u16>,
    /// Some are of servers that the run itself starts, at another port each time.
    has_own_servers: bool,
    calls: u64,
}

impl Need {
    /// The ports as a rule is written with; none for all of them.
    fn ports(&self, host: &str, proto: Protocol, ephemeral: &EphemeralPorts) -> Option<String> {
        if !proto.has_ports() || self.ports.contains(&0) {
            return None;
        }
        let is_chosen = |port: &u16| ephemeral.contains(port);
        let is_chosen_here = is_loopback(host) && self.ports.iter().all(is_chosen);
        let is_range = self.has_own_servers || self.ports.len() > MAX_PORTS && is_chosen_here;
        let left = self
            .ports
            .iter()
            .filter(|port| !(is_range && is_chosen(port)));
        let mut words: Vec<String> = left.map(ToString::to_string).collect();
        if words.len() > MAX_PORTS {
            return None;
        }
        if is_range {
            words.push(format!("{}-{}", ephemeral.start(), ephemeral.end()));
        }
        Some(words.join(","))
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// The policy so far, and what the run needed besides.
pub(super) fn learn(
    report: &Report,
    so_far: RuleFile,
    programs: Programs,
    env: &Environment,
    ephemeral: &EphemeralPorts,
) -> Learned {
    let mut by_app: BTreeMap<Option<AppPattern>, Needs> = BTreeMap::new();
    let mut left_out = Vec::new();
    for entry in report.findings() {
        match needs(entry, programs, env) {
            Ok((app, hosts, proto, port)) => {
                for host in hosts {
                    let app = by_app.entry(app.clone()).or_default();
                    let need = app.entry((host, proto)).or_default();
                    need.ports.insert(port);
                    need.has_own_servers |= entry.is_own_server;
                    need.calls = need.calls.saturating_add(entry.count);
                }
            }
            Err(why) => left_out.push(format!("{}: {why}", entry.who_and_where())),
        }
    }
    if report.unlisted.would_be_refused > 0 {
        left_out.push(format!(
            "{} more calls were too many different ones to be listed",
            report.unlisted.would_be_refused
        ));
    }
    let mut file = so_far;
    let mut added = 0;
    for (app, needs) in by_app {
        let mut to = Vec::new();
        let mut calls: u64 = 0;
        let has_own_servers = needs.values().any(|need| need.has_own_servers);
        for ((host, proto), need) in &needs {
            let ports = need.ports(host, *proto, ephemeral);
            match destination(host, *proto, ports.as_deref()) {
                Ok(destination) => {
                    to.push(destination);
                    calls = calls.saturating_add(need.calls);
                }
                Err(why) => {
                    let app = app
                        .as_ref()
                        .map_or_else(String::new, |app| format!("{app} → "));
                    left_out.push(format!("{app}{host}: {why}"));
                }
            }
        }
        added += to.len();
        if !to.is_empty() {
            put(&mut file, app, to, calls, has_own_servers);
        }
    }
    Learned {
        file,
        added,
        left_out,
    }
}

/// Who needs which hosts (a name, else each address), by which protocol, at which port.
fn needs(
    entry: &Entry,
    programs: Programs,
    env: &Environment,
) -> Result<(Option<AppPattern>, Vec<String>, Protocol, u16), String> {
    let Target::Flow { proto, port, names } = &entry.target else {
        return Err("no rule can allow it".to_owned());
    };
    if *proto == Protocol::Unix {
        return Err(
            "programs can be started, and names looked up, through it: allow it by hand".to_owned(),
        );
    }
    match (&entry.outcome, &entry.source) {
        (Outcome::WouldBeRefused, Source::Audit { would }) if **would == Source::Default => {}
        (Outcome::WouldBeRefused, Source::Audit { would }) => {
            return Err(render::source(would));
        }
        (Outcome::Refused | Outcome::Allowed | Outcome::WouldBeRefused, source) => {
            return Err(render::source(source));
        }
    }
    let last_part = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let app = match &entry.package {
        _ if programs == Programs::Any => None,
        // What make starts is whatever programs the project uses: those are named. A claim is no
        // one's to be let through by.
        Some(package)
            if !["make:", "claimed:"]
                .iter()
                .any(|it| package.starts_with(it)) =>
        {
            Some(format!("package:{package}"))
        }
        _ if programs == Programs::Name => Some(last_part(&entry.app)),
        _ if entry.is_script => Some(format!("script:{}", entry.app)),
        _ => Some(entry.app.clone()),
    };
    let app = app.map(|app| app.parse()).transpose();
    let app = app.map_err(|error| format!("no rule can name this program: {error}"))?;
    // A name that would open nothing, as that of a public host for an address at home, is none.
    let by_name = names.iter().find(|name| {
        let mut addresses = entry.addresses.iter();
        addresses.all(|address| {
            address
                .ip()
                .is_some_and(|address| name_counts(&name.name, address, env))
        })
    });
    let hosts = match by_name {
        Some(name) => vec![name.name.clone()],
        None => entry.addresses.iter().map(ToString::to_string).collect(),
    };
    Ok((app, hosts, *proto, *port))
}

fn destination(host: &str, proto: Protocol, ports: Option<&str>) -> Result<Destination, String> {
    let text = match ports {
        None => format!("{host}/{proto}"),
        Some(ports) if host.contains(':') => format!("[{host}]:{ports}/{proto}"),
        Some(ports) => format!("{host}:{ports}/{proto}"),
    };
    text.parse()
        .map_err(|error: hallpass_policy::DestinationError| error.to_string())
}

/// Adds to the rule that an earlier run has learned for the program (or for any), or makes one at
/// the end.
fn put(file: &mut RuleFile, app: Option<AppPattern>, to: Vec<Destination>, calls: u64, own: bool) {
    let learned = |rule: &&mut Rule| {
        let note = rule.note.as_deref().unwrap_or_default();
        rule.action == Action::Allow
            && rule.app == app
            && rule.until.is_none()
            && note.starts_with(NOTE)
    };
    if let Some(rule) = file.rules.iter_mut().find(learned) {
        let note = rule.note.as_deref().unwrap_or_default();
        let before = note.trim_start_matches(NOTE).split(' ').next();
        let before: Option<u64> = before.and_then(|number| number.parse().ok());
        let own = own || note.ends_with(OWN_SERVERS);
        rule.note = Some(note_of(calls.saturating_add(before.unwrap_or(0)), own));
        rule.to.extend(to);
        return;
    }
    let mut rule = Rule::new(Action::Allow, to);
    rule.app = app;
    rule.note = Some(note_of(calls, own));
    file.rules.push(rule);
}

fn note_of(calls: u64, own: bool) -> String {
    let more = if own { OWN_SERVERS } else { "" };
    format!("{NOTE}{}{more}", render::count(calls, "call", "calls"))
}

#[cfg(test)]
mod tests;
