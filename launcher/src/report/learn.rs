//! `hallpass learn`: the smallest readable policy that covers what a run needed.
//!
//! A learning run is an audit of the policy so far, with deny as the default: what would have been
//! refused by that default is what the policy lacks. Rules that a person wrote stay as they are,
//! and a deny or ask of theirs is not learned around.

use super::{Entry, Outcome, Report, Target};
use hallpass_policy::name_counts;
use hallpass_policy::{Action, AppPattern, Destination, Environment, Protocol, Rule, RuleFile};
use hallpass_session::render;
use hallpass_session::verdict::Source;
use std::collections::{BTreeMap, BTreeSet};

/// More ports than this of one host and protocol become all of its ports: a list of them would be
/// the ports that happened to be free.
const MAX_PORTS: usize = 8;
/// How a note begins that this wrote; rules with another note are a person's.
const NOTE: &str = "learned: ";

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
    calls: u64,
}

/// The policy so far, and what the run needed besides.
pub(super) fn learn(report: &Report, so_far: RuleFile, env: &Environment) -> Learned {
    let mut by_app: BTreeMap<AppPattern, Needs> = BTreeMap::new();
    let mut left_out = Vec::new();
    for entry in report.findings() {
        match needs(entry, env) {
            Ok((app, hosts, proto, port)) => {
                for host in hosts {
                    let app = by_app.entry(app.clone()).or_default();
                    let need = app.entry((host, proto)).or_default();
                    need.ports.insert(port);
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
        for ((host, proto), need) in &needs {
            match destination(host, *proto, &need.ports) {
                Ok(destination) => {
                    to.push(destination);
                    calls = calls.saturating_add(need.calls);
                }
                Err(why) => left_out.push(format!("{app} → {host}: {why}")),
            }
        }
        added += to.len();
        if !to.is_empty() {
            put(&mut file, app, to, calls);
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
    env: &Environment,
) -> Result<(AppPattern, Vec<String>, Protocol, u16), String> {
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
    let app = match &entry.package {
        Some(package) => format!("package:{package}"),
        None if entry.is_script => format!("script:{}", entry.app),
        None => entry.app.clone(),
    };
    let app = app
        .parse()
        .map_err(|error| format!("no rule can name this program: {error}"))?;
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

fn destination(host: &str, proto: Protocol, ports: &BTreeSet<u16>) -> Result<Destination, String> {
    let is_whole = !proto.has_ports() || ports.len() > MAX_PORTS || ports.contains(&0);
    let text = if is_whole {
        format!("{host}/{proto}")
    } else {
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        format!("{host}:{}/{proto}", ports.join(","))
    };
    text.parse()
        .map_err(|error: hallpass_policy::DestinationError| error.to_string())
}

/// Adds to the rule that an earlier run has learned for the program, or makes one at the end.
fn put(file: &mut RuleFile, app: AppPattern, to: Vec<Destination>, calls: u64) {
    let learned = |rule: &&mut Rule| {
        let note = rule.note.as_deref().unwrap_or_default();
        rule.action == Action::Allow
            && rule.app.as_ref() == Some(&app)
            && rule.until.is_none()
            && note.starts_with(NOTE)
    };
    if let Some(rule) = file.rules.iter_mut().find(learned) {
        let note = rule.note.as_deref().unwrap_or_default();
        let before = note.trim_start_matches(NOTE).split(' ').next();
        let before: Option<u64> = before.and_then(|number| number.parse().ok());
        rule.note = Some(note_of(calls.saturating_add(before.unwrap_or(0))));
        rule.to.extend(to);
        return;
    }
    let mut rule = Rule::new(Action::Allow, to);
    rule.app = Some(app);
    rule.note = Some(note_of(calls));
    file.rules.push(rule);
}

fn note_of(calls: u64) -> String {
    format!("{NOTE}{}", render::count(calls, "call", "calls"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::refused;
    use hallpass_session::verdict::Fallback;

    fn needed(app: &str, host: &str, port: u16) -> Entry {
        Entry {
            outcome: Outcome::WouldBeRefused,
            source: Source::Audit {
                would: Box::new(Source::Default),
            },
            ..refused(app, host, port)
        }
    }

    fn learned(entries: Vec<Entry>, so_far: RuleFile) -> Learned {
        let report = Report {
            entries,
            ..Report::default()
        };
        learn(&report, so_far, &Environment::default())
    }

    fn shown(learned: &Learned) -> Vec<String> {
        let rules = learned.file.rules.iter();
        rules.map(ToString::to_string).collect()
    }

    #[test]
    fn one_rule_for_each_program_with_names_over_addresses() {
        let mut no_name = needed("/usr/bin/curl", "", 53);
        no_name.target = Target::Flow {
            proto: Protocol::Udp,
            port: 53,
            names: Vec::new(),
        };
        // A public name at home opens nothing, so the address is what is needed.
        let mut rebound = needed("/usr/bin/git", "evil.test.example.com", 80);
        rebound.addresses = vec!["127.0.0.1".parse().unwrap()];
        let learned = learned(
            vec![
                needed("/usr/bin/curl", "b.test", 443),
                needed("/usr/bin/curl", "b.test", 80),
                needed("/usr/bin/curl", "a.test", 443),
                no_name,
                rebound,
            ],
            RuleFile::default(),
        );
        assert_eq!(learned.left_out, [""; 0]);
        assert_eq!(
            shown(&learned),
            [
                "allow 203.0.113.7:53/udp, a.test:443/tcp, b.test:80,443/tcp for /usr/bin/curl (learned: 8 calls)",
                "allow 127.0.0.1:80/tcp for /usr/bin/git (learned: 2 calls)",
            ]
        );
    }

    #[test]
    fn a_persons_rules_stay_and_a_learned_one_grows() {
        let text = br#"{"version":1,"default":"ask","rules":[
            {"do":"deny","to":["x.test"],"note":"mine"},
            {"do":"allow","to":["a.test:443/tcp"],"app":"/usr/bin/curl","note":"learned: 3 calls"},
            {"do":"allow","to":["c.test"],"app":"/usr/bin/git","note":"by hand"}]}"#;
        let so_far = RuleFile::parse(text, "f").unwrap();
        let entries = vec![
            needed("/usr/bin/curl", "b.test", 443),
            needed("/usr/bin/git", "b.test", 443),
        ];
        let learned = learned(entries, so_far.clone());
        assert_eq!(learned.added, 2);
        assert_eq!(learned.file.default, Some(Action::Ask));
        assert_eq!(learned.file.rules[0], so_far.rules[0]);
        assert_eq!(learned.file.rules[2], so_far.rules[2]);
        assert_eq!(
            shown(&learned)[1],
            "allow a.test:443/tcp, b.test:443/tcp for /usr/bin/curl (learned: 5 calls)"
        );
        assert_eq!(
            shown(&learned)[3],
            "allow b.test:443/tcp for /usr/bin/git (learned: 2 calls)"
        );
    }

    #[test]
    fn what_a_person_denies_or_nobody_can_allow_is_left_out() {
        let audit = |would| Source::Audit {
            would: Box::new(would),
        };
        let rule = Source::Rule {
            layer: "policy".to_owned(),
            rule: "deny x.test".to_owned(),
        };
        let denied = Entry {
            source: audit(rule),
            ..needed("/a", "x.test", 1)
        };
        let unverified = Entry {
            source: audit(Source::Fallback {
                reason: Fallback::NameNotVerified,
            }),
            ..needed("/a", "y.test", 1)
        };
        let call = Entry {
            target: Target::Call("AF_PACKET".to_owned()),
            ..refused("/a", "", 0)
        };
        let relative = Entry {
            app: "x/y".to_owned(),
            ..needed("/a", "z.test", 1)
        };
        let learned = learned(
            vec![denied, unverified, call, relative],
            RuleFile::default(),
        );
        assert_eq!(learned.added, 0);
        assert_eq!(learned.left_out.len(), 4, "{:?}", learned.left_out);
        assert!(learned.left_out[0].contains("deny x.test"));
    }

    #[test]
    fn scripts_and_packages_are_named_as_such_and_many_ports_are_all() {
        let mut script = needed("/srv/build.py", "a.test", 1);
        script.is_script = true;
        let mut package = needed("/usr/bin/node", "a.test", 1);
        package.package = Some("npm:esbuild".to_owned());
        let mut entries = vec![script, package];
        entries.extend((1..20).map(|port| needed("/b", "::1", port)));
        for entry in &mut entries[2..] {
            entry.addresses = vec!["::1".parse().unwrap()];
            entry.target = match &entry.target {
                Target::Flow { proto, port, .. } => Target::Flow {
                    proto: *proto,
                    port: *port,
                    names: Vec::new(),
                },
                call => call.clone(),
            };
        }
        let learned = learned(entries, RuleFile::default());
        let rules = shown(&learned).join("\n");
        assert!(rules.contains("for script:/srv/build.py"), "{rules}");
        assert!(rules.contains("for package:npm:esbuild"), "{rules}");
        assert!(rules.contains("allow ::1/tcp for /b"), "{rules}");
    }
}
