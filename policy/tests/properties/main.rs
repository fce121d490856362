//! What holds for every rule, flow and text; the indexed decision against a plain one.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use hallpass_policy::{
    Action, AppPattern, Destination, Endpoint, Environment, Layer, Parent, Policy, Protocol, Query,
    Rule, RuleFile, Specificity, Subject, canonical_name,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

// Few values, so that rules and flows meet.
fn address() -> impl Strategy<Value = IpAddr> {
    let known = [
        "10.0.0.1",
        "10.0.0.2",
        "10.0.1.1",
        "10.9.9.9",
        "127.0.0.1",
        "0.0.0.0",
        "192.168.1.1",
        "192.168.1.9",
        "203.0.113.5",
        "198.51.100.7",
        "8.8.8.8",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fd00::1",
        "fd00::2",
        "fe80::1",
        "2001:db8::1",
        "2001:db8::2",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
    ];
    prop_oneof![
        6 => select(known.to_vec()).prop_map(|text| text.parse().unwrap()),
        1 => any::<Ipv4Addr>().prop_map(IpAddr::V4),
        1 => any::<Ipv6Addr>().prop_map(IpAddr::V6),
    ]
}

fn name() -> impl Strategy<Value = String> {
    select(vec![
        "example.com",
        "www.example.com",
        "a.www.example.com",
        "example.org",
        "printer.lan",
        "nas.lan",
        "localhost",
        "x.test",
        "com",
        "b.a.www.example.com",
    ])
    .prop_map(str::to_owned)
}

fn host() -> impl Strategy<Value = String> {
    let network = (address(), any::<Index>()).prop_map(|(address, at)| {
        let address = address.to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = u8::try_from(at.index(longest + 1)).unwrap();
        // Lengths near the whole address meet more flows of the small universe.
        ipnet::IpNet::new(address, length)
            .unwrap()
            .trunc()
            .to_string()
    });
    let range = (address(), address()).prop_filter_map("one family", |(a, b)| {
        let (a, b) = (a.to_canonical(), b.to_canonical());
        (a.is_ipv4() == b.is_ipv4()).then(|| format!("{}-{}", a.min(b), a.max(b)))
    });
    let group = select(vec![
        "@loopback",
        "@multicast",
        "@lan",
        "@local",
        "@internet",
        "@any",
    ]);
    prop_oneof![
        3 => address().prop_map(|address| address.to_string()),
        3 => name(),
        3 => name().prop_map(|name| format!("*.{name}")),
        2 => network,
        2 => range,
        2 => group.prop_map(str::to_owned),
    ]
}

fn suffix() -> impl Strategy<Value = (String, String)> {
    let ports = select(vec![
        "",
        "",
        ":443",
        ":80,443",
        ":1-1024",
        ":53",
        ":443-500,80",
        ":1-65535",
    ]);
    let protocol = select(vec!["", "", "/tcp", "/udp", "/icmp", "/raw"]);
    (ports, protocol).prop_map(|(ports, protocol)| {
        let keeps = matches!(protocol, "" | "/tcp" | "/udp");
        (
            if keeps { ports } else { "" }.to_owned(),
            protocol.to_owned(),
        )
    })
}

fn destination() -> impl Strategy<Value = Destination> {
    let special = select(vec![
        "@dns",
        "@dns/tcp",
        "@raw",
        "@broker",
        "@desktop",
        "unix:/run/x.sock",
        "unix:/run/docker.sock",
        "unix:@x",
    ]);
    let usual = (host(), suffix()).prop_map(|(host, (ports, protocol))| {
        let brackets = host.contains(':') && !ports.is_empty();
        if brackets {
            format!("[{host}]{ports}{protocol}")
        } else {
            format!("{host}{ports}{protocol}")
        }
    });
    prop_oneof![9 => usual, 1 => special.prop_map(str::to_owned)].prop_map(|text| {
        match text.parse() {
            Ok(destination) => destination,
            Err(error) => panic!("{text}: {error}"),
        }
    })
}

/// Destinations of which many hold one flow, so that rules meet on one key.
fn crowded() -> impl Strategy<Value = Destination> {
    prop_oneof![
        1 => destination(),
        2 => select(vec![
            "10.0.0.1", "10.0.0.1:443", "10.0.0.0/24", "10.0.0.0/24:443", "10.0.0.1-10.0.0.6", "printer.lan", "printer.lan:80,443", "*.lan", "*.lan/tcp",
            "unix:/run/x.sock", "@lan", "@lan:443", "fd00::/16", "fd00::1",
        ]).prop_map(|text| text.parse().unwrap()),
    ]
}

fn app() -> impl Strategy<Value = Option<AppPattern>> {
    let known = select(vec![
        "script:/usr/bin/npm",
        "/usr/bin/node",
        "/usr/bin/curl",
        "package:npm:esbuild",
        "parent:bash",
        "parent:/usr/bin/bash",
        "npm",
        "curl",
        "user:alice",
    ]);
    proptest::option::of(known.prop_map(|text| text.parse().unwrap()))
}

const NOW: &str = "2026-06-01T00:00:00Z";

fn rule() -> impl Strategy<Value = Rule> {
    let until = select(vec![
        None,
        None,
        None,
        Some("2026-05-01T00:00:00Z"),
        Some("2026-07-01T00:00:00Z"),
        Some(NOW),
    ]);
    let note = proptest::option::of("[ -~]{0,3}");
    (
        select(Action::ALL.to_vec()),
        prop::collection::vec(crowded(), 1..4),
        app(),
        until,
        note,
    )
        .prop_map(|(action, to, app, until, note)| Rule {
            action,
            to,
            app,
            note,
            until: until.map(|text| text.parse().unwrap()),
        })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(rule(), 0..8)
}

#[derive(Clone, Debug)]
struct Flow {
    subject: Subject,
    protocol: Protocol,
    address: IpAddr,
    port: u16,
    unix: Option<&'static str>,
    names: Vec<String>,
}

fn flow() -> impl Strategy<Value = Flow> {
    let subject = (any::<bool>(), any::<bool>()).prop_map(|(is_script, is_build)| Subject {
        exe: if is_script {
            "/usr/bin/node"
        } else {
            "/usr/bin/curl"
        }
        .into(),
        script: is_script.then(|| "/usr/bin/npm".into()),
        name: if is_script { "npm" } else { "curl" }.into(),
        parents: vec![Parent {
            pid: 1,
            exe: "/usr/bin/bash".into(),
            script: None,
            name: "bash".into(),
        }],
        packages: if is_build {
            vec!["npm:esbuild".into()]
        } else {
            Vec::new()
        },
        user: is_build.then(|| "alice".into()),
    });
    let unix = select(vec![
        None,
        None,
        None,
        None,
        None,
        None,
        Some("/run/x.sock"),
        Some("/run/docker.sock"),
        Some("/tmp/.X11-unix/X0"),
    ]);
    let port = select(vec![0, 53, 80, 443, 500, 65535]);
    (
        subject,
        select(Protocol::ALL.to_vec()),
        prop_oneof![
            address(),
            select(vec!["10.0.0.1", "10.0.0.2", "fd00::1"]).prop_map(|text| text.parse().unwrap())
        ],
        port,
        unix,
        prop_oneof![
            prop::collection::vec(name(), 0..3),
            Just(vec!["printer.lan".to_owned()])
        ],
    )
        .prop_map(|(subject, protocol, address, port, unix, names)| Flow {
            subject,
            protocol,
            address,
            port,
            unix,
            names,
        })
}

impl Flow {
    fn with_query<T>(&self, run: impl FnOnce(&Query<'_>) -> T) -> T {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let endpoint = match self.unix {
            Some(path) => Endpoint::Unix { path },
            None => Endpoint::Ip {
                address: self.address,
                port: self.port,
            },
        };
        run(&Query {
            subject: &self.subject,
            protocol: self.protocol,
            endpoint,
            names: &names,
        })
    }
}

fn env() -> Environment {
    Environment {
        attached: vec![
            "203.0.113.0/24".parse().unwrap(),
            "2001:db8::/127".parse().unwrap(),
        ],
        nameservers: vec!["192.168.1.1".parse().unwrap(), "8.8.8.8".parse().unwrap()],
    }
}

/// What docs/policy.md says, word for word and without an index.
mod plain {
    use super::*;

    type Strength = (Specificity, u8, u8);

    fn app_rank(app: Option<&AppPattern>) -> u8 {
        match app {
            Some(AppPattern::Script(_)) => 6,
            Some(AppPattern::Path(_)) => 5,
            Some(AppPattern::Package(_)) => 4,
            Some(AppPattern::Parent(_)) => 3,
            Some(AppPattern::Name(_)) => 2,
            Some(AppPattern::User(_)) => 1,
            None => 0,
        }
    }

    fn action_rank(action: Action) -> u8 {
        match action {
            Action::Allow => 0,
            Action::Ask => 1,
            Action::Deny => 2,
        }
    }

    fn best<'a>(
        rules: &'a [Rule],
        query: &Query<'_>,
    ) -> Option<(Strength, &'a Rule, &'a Destination)> {
        let now: jiff::Timestamp = NOW.parse().unwrap();
        rules
            .iter()
            .filter(|rule| rule.until.is_none_or(|until| now < until))
            .filter(|rule| {
                rule.app
                    .as_ref()
                    .is_none_or(|app| app.matches(query.subject))
            })
            .flat_map(|rule| rule.to.iter().map(move |to| (rule, to)))
            .filter(|(rule, to)| to.matches_for(rule.action, query, &env()))
            .map(|(rule, to)| {
                (
                    (
                        to.specificity(),
                        app_rank(rule.app.as_ref()),
                        action_rank(rule.action),
                    ),
                    rule,
                    to,
                )
            })
            .max_by_key(|(strength, ..)| *strength)
    }

    /// The action, and the layer whose rule decided.
    pub(super) fn decide(
        layers: &[Vec<Rule>; 4],
        default: Action,
        query: &Query<'_>,
    ) -> (Action, Option<Layer>) {
        let group = |text: &str| text.parse::<Destination>().unwrap().matches(query, &env());
        let (is_dns, is_desktop) = (group("@dns"), group("@desktop"));
        let first = Layer::ALL
            .iter()
            .zip(layers)
            .find_map(|(layer, rules)| Some((*layer, best(rules, query)?)));
        let Some((layer, (strength, rule, to))) = first else {
            let standing = is_dns || is_desktop;
            return (if standing { Action::Allow } else { default }, None);
        };
        if rule.action != Action::Ask {
            return (rule.action, Some(layer));
        }
        if layer != Layer::Saved
            && let Some((saved, saved_rule, _)) = best(&layers[3], query)
            && saved_rule.action != Action::Ask
            && (saved.0, saved.1) >= (strength.0, strength.1)
        {
            return (saved_rule.action, Some(Layer::Saved));
        }
        let wide = [
            "@loopback",
            "@multicast",
            "@lan",
            "@local",
            "@internet",
            "@any",
        ];
        if is_dns && wide.iter().any(|group| to.to_string().starts_with(group)) {
            return (Action::Allow, None);
        }
        (Action::Ask, Some(layer))
    }
}

fn policy(layers: &[Vec<Rule>; 4], default: Action) -> Policy {
    let mut policy = Policy::new();
    policy.set_default(default);
    for (layer, rules) in Layer::ALL.iter().zip(layers) {
        policy.set_layer(*layer, rules.clone());
    }
    policy
}

fn layers() -> impl Strategy<Value = [Vec<Rule>; 4]> {
    [rules(), rules(), rules(), rules()]
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

/// Whether the first set holds every flow of the second, as far as that can be told from the
/// sets alone: addresses and groups of addresses with addresses, names with names.
fn holds(wide: &Destination, narrow: &Destination) -> Option<bool> {
    let is_socket = |to: &Destination| to.to_string().starts_with("unix:");
    if is_socket(wide) || is_socket(narrow) {
        return None;
    }
    let parts = |to: &Destination| {
        let text = to.to_string();
        let (front, protocol) = match text.rsplit_once('/') {
            Some((front, word)) if Protocol::ALL.iter().any(|p| p.as_str() == word) => {
                (front.to_owned(), Some(word.to_owned()))
            }
            _ => (text, None),
        };
        let brackets = front
            .strip_prefix('[')
            .and_then(|front| front.split_once(']'));
        let (host, ports) = match brackets {
            Some((host, ports)) => (host.to_owned(), ports.trim_start_matches(':').to_owned()),
            None if front.matches(':').count() == 1 => {
                let (host, ports) = front.split_once(':').unwrap();
                (host.to_owned(), ports.to_owned())
            }
            None => (front, String::new()),
        };
        (host, ports, protocol)
    };
    let (wide_host, wide_ports, wide_protocol) = parts(wide);
    let (narrow_host, narrow_ports, narrow_protocol) = parts(narrow);
    let port_set = |text: &str| -> Vec<u32> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse::<u32>().unwrap()..=last.parse().unwrap()
        };
        text.split(',').flat_map(range).collect()
    };
    let ports_hold = wide_ports.is_empty()
        || !narrow_ports.is_empty() && {
            let wide: std::collections::HashSet<u32> = port_set(&wide_ports).into_iter().collect();
            port_set(&narrow_ports)
                .iter()
                .all(|port| wide.contains(port))
        };
    let protocol_holds = wide_protocol.is_none() || wide_protocol == narrow_protocol;
    Some(ports_hold && protocol_holds && host_holds(&wide_host, &narrow_host)?)
}

fn host_holds(wide: &str, narrow: &str) -> Option<bool> {
    if wide == narrow {
        return Some(true);
    }
    let groups = [
        ("@multicast", "@lan"),
        ("@multicast", "@local"),
        ("@multicast", "@any"),
        ("@lan", "@local"),
        ("@lan", "@any"),
        ("@loopback", "@local"),
        ("@loopback", "@any"),
        ("@local", "@any"),
        ("@internet", "@any"),
        ("@dns", "@any"),
    ];
    if wide.starts_with('@') && narrow.starts_with('@') {
        return Some(groups.contains(&(narrow, wide)));
    }
    if let Some(zone) = wide.strip_prefix("*.") {
        let below = narrow.strip_prefix("*.").unwrap_or(narrow);
        let span = span(narrow);
        return Some(span.is_none() && below.ends_with(&format!(".{zone}")));
    }
    let (first, last) = span(narrow)?;
    if wide == "@any" {
        return Some(true);
    }
    let (from, to) = span(wide)?;
    Some(from.is_ipv4() == first.is_ipv4() && from <= first && last <= to)
}

fn span(host: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address, address));
    }
    if let Ok(net) = host.parse::<ipnet::IpNet>() {
        return Some((net.network(), net.broadcast()));
    }
    let (first, last) = host.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
