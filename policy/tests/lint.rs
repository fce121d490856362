//! What `check` warns of, and what it leaves alone.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use hallpass_policy::{RuleFile, Warning, WarningKind, lint};

fn warnings(rules: &str) -> Vec<Warning> {
    let text = format!("{{\"version\":1,\"rules\":[{rules}]}}");
    let file = RuleFile::parse(text.as_bytes(), "test").unwrap();
    lint(&file.rules, "2026-06-01T00:00:00Z".parse().unwrap())
}

fn kinds(rules: &str) -> Vec<(usize, WarningKind, Option<usize>)> {
    warnings(rules)
        .iter()
        .map(|w| (w.rule, w.kind, w.other))
        .collect()
}

#[test]
fn sound_rules_give_no_warning() {
    let none = kinds(
        r#"{"do":"allow","to":["example.com:443","*.example.com:443"]},
           {"do":"deny","to":["example.com"]},
           {"do":"allow","to":["example.com:443"],"app":"/usr/bin/curl"},
           {"do":"deny","to":["example.com:443"],"app":"/usr/bin/wget"},
           {"do":"allow","to":["@any"],"app":"/usr/bin/curl"},
           {"do":"allow","to":["@lan","@any:443"]},
           {"do":"deny","to":["@any","@broker","@raw","0.0.0.0/0"]},
           {"do":"ask","to":["10.0.0.0/8"]},
           {"do":"allow","to":["*.lan","*.localhost"]},
           {"do":"deny","to":["10.0.0.0/8"],"app":"curl","until":"2026-07-01T00:00:00Z"},
           {"do":"deny","to":["10.0.0.0/9"],"app":"curl"}"#,
    );
    assert_eq!(none, []);
}

#[test]
fn expired_rules_are_named() {
    let found = warnings(r#"{"do":"allow","to":["@any"],"until":"2026-06-01T00:00:00Z"}"#);
    assert_eq!(
        found[0].to_string(),
        "rule 1: `allow @any until 2026-06-01T00:00:00Z` has matched nothing since 2026-06-01T00:00:00Z; \
         remove it, or set a later time"
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn duplicates_are_reported_once() {
    use WarningKind::Duplicate;
    let rule = r#"{"do":"allow","to":["example.com:443"],"app":"curl"}"#;
    assert_eq!(kinds(&format!("{rule},{rule}")), [(1, Duplicate, Some(0))]);
    assert_eq!(
        kinds(&format!("{rule},{rule},{rule}")),
        [(1, Duplicate, Some(0)), (2, Duplicate, Some(0))]
    );
    let short =
        r#"{"do":"allow","to":["example.com:443"],"app":"curl","until":"2026-07-01T00:00:00Z"}"#;
    assert_eq!(kinds(&format!("{short},{rule}")), [(0, Duplicate, Some(1))]);
    assert_eq!(kinds(&format!("{rule},{short}")), [(1, Duplicate, Some(0))]);
    // Another spelling of the same set.
    assert_eq!(
        kinds(r#"{"do":"deny","to":["10.0.0.0/8"]},{"do":"deny","to":["::ffff:10.0.0.0/104"]}"#),
        [(1, Duplicate, Some(0))]
    );
}

#[test]
fn a_stricter_rule_for_the_same_flows_is_named() {
    use WarningKind::Overruled;
    let found = warnings(
        r#"{"do":"allow","to":["example.com","a.example"]},{"do":"deny","to":["example.com"]}"#,
    );
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].rule, found[0].kind, found[0].other),
        (0, Overruled, Some(1))
    );
    assert_eq!(
        found[0].to_string(),
        "rule 1: `allow example.com, a.example` never decides about example.com: \
         rule 2, `deny example.com`, always wins over it; remove one of them"
    );
    assert_eq!(
        kinds(r#"{"do":"ask","to":["@lan"]},{"do":"allow","to":["@lan"]}"#),
        [(1, Overruled, Some(0))]
    );
    assert_eq!(
        kinds(
            r#"{"do":"allow","to":["example.com"]},{"do":"deny","to":["example.com"],"until":"2026-07-01T00:00:00Z"}"#
        ),
        []
    );
}

#[test]
fn narrower_rules_that_take_everything_are_named() {
    use WarningKind::Shadowed;
    assert_eq!(
        kinds(
            r#"{"do":"allow","to":["example.com:80,443"],"app":"curl"},
               {"do":"deny","to":["example.com:80"]},
               {"do":"ask","to":["example.com:443/tcp"],"app":"curl"},
               {"do":"ask","to":["example.com:443/udp"],"app":"curl"}"#
        ),
        [(0, Shadowed, Some(1))]
    );
    assert_eq!(
        kinds(
            r#"{"do":"allow","to":["example.com:80,443"],"app":"curl"},
               {"do":"deny","to":["example.com:80"]},
               {"do":"ask","to":["example.com:443/tcp"],"app":"curl"}"#
        ),
        []
    );
    assert_eq!(
        kinds(
            r#"{"do":"deny","to":["@lan"]},
               {"do":"allow","to":["@lan/tcp","@lan/udp","@lan/icmp"]},
               {"do":"allow","to":["@lan/raw"]}"#
        ),
        [(0, Shadowed, Some(1))]
    );
}

#[test]
fn wide_allows_are_named() {
    use WarningKind::TooBroad;
    for to in [
        "@any",
        "@internet",
        "0.0.0.0/0",
        "::/0",
        "*.com",
        "@any/tcp",
        "@broker",
        "@raw",
    ] {
        assert_eq!(
            kinds(&format!(r#"{{"do":"allow","to":["{to}"]}}"#)),
            [(0, TooBroad, None)],
            "{to}"
        );
    }
    assert_eq!(
        kinds(r#"{"do":"allow","to":["@broker"],"app":"/usr/bin/docker"}"#),
        [(0, TooBroad, None)]
    );
}
