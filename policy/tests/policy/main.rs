//! Which rule wins, and how that is explained.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

mod deciding;
mod explaining;
mod standing;

use hallpass_policy::{
    Action, Endpoint, Environment, Layer, Parent, Policy, Protocol, Query, Rule, RuleFile, Subject,
};

const NOW: &str = "2026-06-01T00:00:00Z";

fn curl() -> Subject {
    Subject {
        exe: "/usr/bin/curl".into(),
        script: None,
        name: "curl".into(),
        parents: vec![Parent {
            pid: 7,
            exe: "/usr/bin/bash".into(),
            script: Some("/home/u/build.sh".into()),
            name: "build.sh".into(),
        }],
        packages: vec!["npm:esbuild".into()],
        user: Some("alice".into()),
    }
}

fn npm() -> Subject {
    Subject {
        exe: "/usr/bin/node".into(),
        script: Some("/usr/bin/npm".into()),
        name: "npm".into(),
        ..curl()
    }
}

fn rules(json: &str) -> Vec<Rule> {
    let text = format!("{{\"version\":1,\"rules\":[{json}]}}");
    RuleFile::parse(text.as_bytes(), "test").unwrap().rules
}

/// `allow example.com` and so on, for every program.
fn flag(text: &str) -> Rule {
    let (action, to) = text.split_once(' ').unwrap();
    let action = Action::ALL
        .into_iter()
        .find(|known| known.as_str() == action)
        .unwrap();
    Rule::new(action, vec![to.parse().unwrap()])
}

fn env() -> Environment {
    Environment {
        attached: Vec::new(),
        nameservers: vec!["192.168.1.1".parse().unwrap()],
    }
}

struct Flow {
    subject: Subject,
    protocol: Protocol,
    address: &'static str,
    port: u16,
    names: &'static [&'static str],
}

impl Flow {
    fn new(address: &'static str, port: u16, names: &'static [&'static str]) -> Self {
        Self {
            subject: curl(),
            protocol: Protocol::Tcp,
            address,
            port,
            names,
        }
    }

    fn query(&self) -> Query<'_> {
        Query {
            subject: &self.subject,
            protocol: self.protocol,
            endpoint: Endpoint::Ip {
                address: self.address.parse().unwrap(),
                port: self.port,
            },
            names: self.names,
        }
    }

    fn decided(&self, policy: &Policy) -> String {
        let decision = policy.decide(&self.query(), &env(), NOW.parse().unwrap());
        match (decision.winner, decision.standing) {
            (Some((layer, rule)), None) => format!("{} by {layer}: {rule}", decision.action),
            (None, Some(group)) => format!("{} as {group}", decision.action),
            (None, None) => format!("{} by default", decision.action),
            (Some(_), Some(_)) => panic!("a rule and a standing permission decided"),
        }
    }

    fn explained(&self, policy: &Policy) -> String {
        policy
            .explain(&self.query(), &env(), NOW.parse().unwrap())
            .to_string()
    }
}

fn policy(layers: &[(Layer, &[&str])]) -> Policy {
    let mut policy = Policy::new();
    for (layer, texts) in layers {
        policy.set_layer(*layer, texts.iter().map(|text| flag(text)).collect());
    }
    policy
}

fn example() -> Flow {
    Flow::new("198.51.100.7", 443, &["www.example.com"])
}
