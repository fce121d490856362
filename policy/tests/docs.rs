//! Every example in docs/policy.md does what the document says.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use hallpass_policy::{
    Action, AppPattern, Destination, Endpoint, Environment, Layer, Policy, Protocol, Query, Rule,
    RuleFile, Subject, lint,
};
use std::collections::BTreeMap;

const NOW: &str = "2026-06-01T00:00:00Z";

/// The fenced blocks of the document: language and text.
fn blocks() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn of(language: &str) -> Vec<String> {
    let found: Vec<String> = blocks()
        .into_iter()
        .filter(|(known, _)| known == language)
        .map(|(_, text)| text)
        .collect();
    assert!(!found.is_empty(), "no {language} block");
    found
}

/// First word and the rest of each line.
fn pairs(language: &str) -> Vec<(String, String)> {
    let text = of(language).concat();
    let pair = |line: &str| {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        (first.to_owned(), rest.trim().to_owned())
    };
    text.lines().map(pair).collect()
}

#[test]
fn every_block_is_looked_at() {
    let mut counts = BTreeMap::new();
    for (language, _) in blocks() {
        *counts.entry(language).or_insert(0) += 1;
    }
    let known = [
        "apps",
        "check",
        "decide",
        "destinations",
        "explain",
        "explain-rules",
        "json",
        "refused",
        "same",
        "sh",
    ];
    assert_eq!(counts.keys().map(String::as_str).collect::<Vec<_>>(), known);
}

#[test]
fn destinations_are_read_and_canonical() {
    for (text, _) in pairs("destinations") {
        let destination: Destination = text.parse().unwrap();
        assert_eq!(destination.to_string(), text);
    }
}

#[test]
fn flags_in_the_first_examples_are_destinations() {
    let text = of("sh").concat();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = 0;
    for pair in words.windows(2) {
        if matches!(pair[0], "--ask" | "--allow" | "--deny") {
            pair[1].parse::<Destination>().unwrap();
            found += 1;
        }
    }
    assert!(found >= 2);
}

#[test]
fn refused_text_is_refused_with_that_advice() {
    for (text, advice) in pairs("refused") {
        let error = text.parse::<Destination>().unwrap_err();
        assert!(
            !advice.is_empty() && error.remedy.contains(&advice),
            "{text}: {error}"
        );
    }
}

#[test]
fn equal_spellings_are_equal() {
    for (text, canonical) in pairs("same") {
        assert_eq!(
            text.parse::<Destination>().unwrap().to_string(),
            canonical,
            "{text}"
        );
    }
}

#[test]
fn apps_are_read() {
    for (text, _) in pairs("apps") {
        assert_eq!(text.parse::<AppPattern>().unwrap().to_string(), text);
    }
}

#[test]
fn files_are_read() {
    for text in of("json") {
        RuleFile::parse(text.as_bytes(), "docs/policy.md").unwrap();
    }
}

fn action(word: &str) -> Action {
    Action::ALL
        .into_iter()
        .find(|action| action.as_str() == word)
        .unwrap()
}

/// `rule LAYER ACTION DESTINATION [APP]` lines, added to a policy.
#[derive(Default)]
struct Setup {
    layers: BTreeMap<Layer, Vec<Rule>>,
}

impl Setup {
    fn add(&mut self, words: &[&str]) {
        let layer = Layer::ALL
            .into_iter()
            .find(|layer| layer.as_str() == words[0])
            .unwrap();
        let mut rule = Rule::new(action(words[1]), vec![words[2].parse().unwrap()]);
        rule.app = words.get(3).map(|app| app.parse().unwrap());
        self.layers.entry(layer).or_default().push(rule);
    }

    fn policy(&self) -> Policy {
        let mut policy = Policy::new();
        for (layer, rules) in &self.layers {
            policy.set_layer(*layer, rules.clone());
        }
        policy
    }
}

fn env() -> Environment {
    Environment {
        attached: Vec::new(),
        nameservers: vec!["192.168.1.1".parse().unwrap()],
    }
}

/// `from EXE ADDRESS:PORT/PROTOCOL [NAME]…`
fn with_flow<T>(words: &[&str], run: impl FnOnce(&Query<'_>) -> T) -> T {
    let subject = Subject {
        exe: words[0].to_owned(),
        name: words[0].rsplit('/').next().unwrap().to_owned(),
        ..Subject::default()
    };
    let (front, protocol) = words[1].split_once('/').unwrap();
    let (address, port) = front.rsplit_once(':').unwrap();
    let protocol = Protocol::ALL
        .into_iter()
        .find(|known| known.as_str() == protocol)
        .unwrap();
    run(&Query {
        subject: &subject,
        protocol,
        endpoint: Endpoint::Ip {
            address: address.parse().unwrap(),
            port: port.parse().unwrap(),
        },
        names: &words[2..],
    })
}

#[test]
fn walk_throughs_end_where_they_say() {
    let mut checked = 0;
    for block in of("decide") {
        let mut setup = Setup::default();
        let mut flow: Vec<&str> = Vec::new();
        for line in block.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "rule" => setup.add(&words[1..]),
                "from" => flow = words[1..].to_vec(),
                "is" => {
                    let policy = setup.policy();
                    let decided = with_flow(&flow, |query| {
                        let decision = policy.decide(query, &env(), NOW.parse().unwrap());
                        let by = match (decision.winner, decision.standing) {
                            (Some((_, rule)), _) => rule.to[0].to_string(),
                            (None, Some(group)) => group.to_string(),
                            (None, None) => "default".to_owned(),
                        };
                        (decision.action, by)
                    });
                    assert_eq!(
                        decided,
                        (action(words[1]), words[2].to_owned()),
                        "{flow:?} in\n{block}"
                    );
                    checked += 1;
                }
                other => panic!("{other}"),
            }
        }
    }
    assert!(checked >= 15, "{checked}");
}

#[test]
fn the_explanation_is_what_explain_says() {
    let mut setup = Setup::default();
    let rules = of("explain-rules").concat();
    let said = rules.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "rule" {
            setup.add(&words[1..]);
            return None;
        }
        let explain = |query: &Query<'_>| {
            setup
                .policy()
                .explain(query, &env(), NOW.parse().unwrap())
                .to_string()
        };
        Some(with_flow(&words[1..], explain))
    });
    assert_eq!(said.collect::<String>(), of("explain").concat());
}

#[test]
fn warnings_are_what_check_says() {
    for block in of("check") {
        let mut setup = Setup::default();
        for line in block.lines() {
            match line.strip_prefix("warn") {
                None => setup.add(&line.split_whitespace().skip(1).collect::<Vec<_>>()),
                Some(expected) => {
                    let rules = std::mem::take(&mut setup)
                        .layers
                        .into_values()
                        .next()
                        .unwrap();
                    let said: Vec<String> = lint(&rules, NOW.parse().unwrap())
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    assert_eq!(said, [expected.trim()]);
                }
            }
        }
    }
}
