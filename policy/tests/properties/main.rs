//! What holds for every rule, flow and text; the indexed decision against a plain one.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

mod generated;
mod holding;
mod plain;

use generated::{Flow, NOW, address, destination, env, flow, layers, rules};
use hallpass_policy::{
    Action, AppPattern, Destination, Layer, Policy, Rule, RuleFile, canonical_name,
};
use holding::holds;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::net::{IpAddr, Ipv4Addr};

fn policy(layers: &[Vec<Rule>; 4], default: Action) -> Policy {
    let mut policy = Policy::new();
    policy.set_default(default);
    for (layer, rules) in Layer::ALL.iter().zip(layers) {
        policy.set_layer(*layer, rules.clone());
    }
    policy
}

proptest! {
    // PROPTEST_CASES raises the number of cases.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_decides_as_a_plain_scan(layers in layers(), flow in flow(), default in select(Action::ALL.to_vec())) {
        let policy = policy(&layers, default);
        flow.with_query(|query| {
            let decision = policy.decide(query, &env(), NOW.parse().unwrap());
            let plain = plain::decide(&layers, default, query);
            prop_assert_eq!((decision.action, decision.winner.map(|(layer, _)| layer)), plain);
            if let Some((_, rule)) = decision.winner {
                prop_assert_eq!(rule.action, decision.action);
                prop_assert!(rule.to.iter().any(|to| to.matches_for(rule.action, query, &env())));
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_explanation_agrees_with_the_decision(layers in layers(), flow in flow()) {
        let policy = policy(&layers, Action::Ask);
        flow.with_query(|query| {
            let decision = policy.decide(query, &env(), NOW.parse().unwrap());
            let explanation = policy.explain(query, &env(), NOW.parse().unwrap());
            prop_assert_eq!(explanation.action, decision.action);
            prop_assert_eq!(explanation.winner.as_ref().map(|winner| winner.layer), decision.winner.map(|(layer, _)| layer));
            prop_assert_eq!(explanation.winner.map(|winner| winner.rule), decision.winner.map(|(_, rule)| rule.to_string()));
            Ok(())
        })?;
    }

    #[test]
    fn the_order_of_rules_never_matters(
        (layers, shuffled) in layers().prop_flat_map(|layers| {
            let shuffled = layers.clone().map(|rules| Just(rules).prop_shuffle());
            (Just(layers), shuffled)
        }),
        flow in flow(),
    ) {
        let (one, other) = (policy(&layers, Action::Ask), policy(&shuffled, Action::Ask));
        flow.with_query(|query| {
            let now = NOW.parse().unwrap();
            prop_assert_eq!(one.decide(query, &env(), now), other.decide(query, &env(), now));
            Ok(())
        })?;
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address(layers in layers(), flow in flow(), v4 in any::<Ipv4Addr>(), known in address(), use_known in any::<bool>()) {
        let v4 = match known.to_canonical() {
            IpAddr::V4(known) if use_known => known,
            _ => v4,
        };
        let policy = policy(&layers, Action::Ask);
        let plain = Flow { address: IpAddr::V4(v4), ..flow.clone() };
        let mapped = Flow { address: IpAddr::V6(v4.to_ipv6_mapped()), ..flow };
        let decided = |flow: &Flow| flow.with_query(|query| policy.decide(query, &env(), NOW.parse().unwrap()));
        prop_assert_eq!(decided(&plain), decided(&mapped));
        // And in a rule.
        let read = |text: String| text.parse::<Destination>().unwrap();
        prop_assert_eq!(read(v4.to_string()), read(v4.to_ipv6_mapped().to_string()));
    }

    #[test]
    fn a_mapped_network_is_its_ipv4_network(v4 in any::<Ipv4Addr>(), length in 0u8..=32) {
        let net = ipnet::Ipv4Net::new(v4, length).unwrap().trunc();
        let read = |text: String| text.parse::<Destination>().unwrap();
        prop_assert_eq!(read(net.to_string()), read(format!("{}/{}", net.addr().to_ipv6_mapped(), length + 96)));
    }

    #[test]
    fn text_and_value_stand_for_each_other(destination in destination()) {
        let text = destination.to_string();
        let read: Destination = text.parse().unwrap();
        prop_assert_eq!(&read, &destination);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn a_file_reads_back_as_it_was_written(rules in rules(), default in proptest::option::of(select(Action::ALL.to_vec()))) {
        let file = RuleFile { version: 1, default, rules };
        let text = file.to_json_pretty().unwrap();
        prop_assert_eq!(RuleFile::parse(text.as_bytes(), "x"), Ok(file));
    }

    #[test]
    fn the_ladder_is_a_total_order(a in destination(), b in destination(), c in destination()) {
        let (a, b, c) = (a.specificity(), b.specificity(), c.specificity());
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        prop_assert_eq!(a.cmp(&a), std::cmp::Ordering::Equal);
    }

    /// Of two destinations the one that takes less never stands lower, wherever a flow meets
    /// both and one set holds the other.
    #[test]
    fn the_ladder_agrees_with_the_sets(a in destination(), b in destination()) {
        if let Some(true) = holds(&a, &b) {
            prop_assert!(a.specificity() <= b.specificity(), "{} holds {}", a, b);
            if a != b {
                prop_assert!(a.specificity() < b.specificity(), "{} strictly holds {}", a, b);
            }
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any_text(&text);
        check_any_text(&String::from_utf8_lossy(&bytes));
        let _ = RuleFile::parse(&bytes, "x").map_err(|error| error.to_string());
        let _ = RuleFile::parse(text.as_bytes(), "x").map_err(|error| error.to_string());
    }

    /// Text made of what destinations are made of gets further into the parser.
    #[test]
    fn no_near_miss_makes_the_parser_panic(
        text in prop::collection::vec(select(vec![
            "10.0.0.1", "0x7f", "010", "1", "255", "256", "::", "::1", "fd00", "ffff", ":", ":443", "/", "/8", "/tcp", "/icmp", "-", ".", "*", "*.", "@", "@any",
            "@dns", "[", "]", "%", "eth0", ",", " ", "unix:", "a", "example", "com", "xn--", "ü", "．", "\u{200b}", "\0", "https://", "99999999999",
        ]), 0..9).prop_map(|parts| parts.concat())
    ) {
        check_any_text(&text);
    }

    #[test]
    fn no_change_to_a_file_makes_it_panic(rules in rules(), at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>()) {
        let file = RuleFile { version: 1, default: None, rules };
        let mut bytes = file.to_json_pretty().unwrap().into_bytes();
        let _ = RuleFile::parse(&bytes[..cut.index(bytes.len())], "x");
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Err(error) = RuleFile::parse(&bytes, "x") {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            prop_assert!((1..=lines).contains(&error.line), "{error}");
            prop_assert!(error.column >= 1 && !error.message.is_empty() && !error.remedy.is_empty(), "{error}");
            prop_assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn names_are_in_canonical_form_once(text in "[a-zA-Z0-9._üß-]{1,30}") {
        if let Ok(name) = canonical_name(&text) {
            prop_assert_eq!(canonical_name(&name), Ok(name));
        }
    }
}

fn check_any_text(text: &str) {
    match text.parse::<Destination>() {
        Ok(destination) => {
            let shown = destination.to_string();
            assert_eq!(
                shown.parse::<Destination>().as_ref(),
                Ok(&destination),
                "{text:?} {shown:?}"
            );
        }
        Err(error) => {
            let said = error.to_string();
            assert!(
                !said.contains(char::is_control) && said.len() < 4000,
                "{said:?}"
            );
        }
    }
    if let Ok(app) = text.parse::<AppPattern>() {
        assert_eq!(app.to_string().parse::<AppPattern>().as_ref(), Ok(&app));
    }
}
