//! Which rule wins, and how that is explained.
// A helper that fails is a failed test.
#![allow(clippy::unwrap_used)]

use hallpass_policy::{
    Action, Endpoint, Environment, Group, Layer, Parent, Policy, Protocol, Query, Rule, RuleFile,
    Subject,
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

#[test]
fn without_rules_the_default_holds() {
    let mut policy = Policy::new();
    assert_eq!(example().decided(&policy), "ask by default");
    policy.set_default(Action::Deny);
    assert_eq!(example().decided(&policy), "deny by default");
}

#[test]
fn an_earlier_layer_decides_whatever_a_later_one_says() {
    let layered = policy(&[
        (Layer::Answer, &["allow @any"]),
        (Layer::Flag, &["deny www.example.com:443/tcp"]),
        (Layer::Policy, &["deny 198.51.100.7"]),
        (Layer::Saved, &["deny 198.51.100.7"]),
    ]);
    assert_eq!(example().decided(&layered), "allow by answer: allow @any");
    let layered = policy(&[
        (Layer::Policy, &["allow @any"]),
        (Layer::Saved, &["deny 198.51.100.7"]),
    ]);
    assert_eq!(example().decided(&layered), "allow by policy: allow @any");
    let layered = policy(&[
        (Layer::Flag, &["allow @lan"]),
        (Layer::Saved, &["deny 198.51.100.7"]),
    ]);
    assert_eq!(
        example().decided(&layered),
        "deny by saved: deny 198.51.100.7"
    );
}

/// Each rung wins over all after it.
#[test]
fn the_ladder_goes_from_one_address_to_any() {
    let rungs = [
        "198.51.100.7:443/tcp",
        "198.51.100.7:443",
        "198.51.100.7:80,443",
        "198.51.100.7:1-60000/tcp",
        "198.51.100.7/tcp",
        "198.51.100.7:1-60000",
        "198.51.100.7",
        "www.example.com:443",
        "www.example.com",
        "*.example.com:443",
        "*.example.com",
        "*.com",
        "198.51.100.6-198.51.100.8",
        "198.51.100.0/28",
        "198.51.100.0-198.51.100.17",
        "198.51.100.0/24",
        "0.0.0.0/0:443",
        "0.0.0.0/0",
        "@internet:443",
        "@internet",
        "@any:443",
        "@any",
    ];
    for (place, winner) in rungs.iter().enumerate() {
        for loser in rungs.iter().skip(place + 1) {
            for (one, other) in [("allow", "deny"), ("deny", "allow"), ("ask", "deny")] {
                let texts = [format!("{one} {winner}"), format!("{other} {loser}")];
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let both = policy(&[(Layer::Flag, &texts)]);
                assert_eq!(
                    example().decided(&both),
                    format!("{one} by flag: {one} {winner}"),
                    "against {loser}"
                );
            }
        }
    }
    let rungs = ["@loopback", "@local", "@any"];
    for pair in rungs.windows(2) {
        let texts = [format!("allow {}", pair[0]), format!("deny {}", pair[1])];
        let both = policy(&[(Layer::Flag, &[&texts[0], &texts[1]])]);
        assert_eq!(
            Flow::new("::", 1, &[]).decided(&both),
            format!("allow by flag: allow {}", pair[0])
        );
    }
    let rungs = ["224.0.0.0/4", "@multicast", "@lan", "@local", "@any"];
    for pair in rungs.windows(2) {
        let texts = [format!("allow {}", pair[0]), format!("deny {}", pair[1])];
        let both = policy(&[(Layer::Flag, &[&texts[0], &texts[1]])]);
        assert_eq!(
            Flow::new("224.0.0.251", 5353, &[]).decided(&both),
            format!("allow by flag: allow {}", pair[0])
        );
    }
}

#[test]
fn then_the_more_specific_program_wins() {
    let apps = [
        "script:/usr/bin/npm",
        "/usr/bin/node",
        "package:npm:esbuild",
        "parent:build.sh",
        "npm",
        "user:alice",
        "",
    ];
    let flow = Flow {
        subject: npm(),
        ..example()
    };
    for (place, winner) in apps.iter().enumerate() {
        for loser in apps.iter().skip(place + 1) {
            let rule = |action: &str, app: &str| {
                let app = if app.is_empty() {
                    String::new()
                } else {
                    format!(",\"app\":\"{app}\"")
                };
                format!("{{\"do\":\"{action}\",\"to\":[\"@any\"]{app}}}")
            };
            let mut policy = Policy::new();
            policy.set_layer(
                Layer::Flag,
                rules(&format!(
                    "{},{}",
                    rule("deny", loser),
                    rule("allow", winner)
                )),
            );
            assert_eq!(
                flow.decided(&policy),
                format!("allow by flag: allow @any for {winner}"),
                "against {loser:?}"
            );
        }
    }
}

#[test]
fn every_kind_of_app_matches_its_own_programs_only() {
    let decided = |app: &str, subject: Subject| {
        let mut policy = Policy::new();
        policy.set_default(Action::Deny);
        policy.set_layer(
            Layer::Saved,
            rules(&format!(
                "{{\"do\":\"allow\",\"to\":[\"@any\"],\"app\":\"{app}\"}}"
            )),
        );
        Flow {
            subject,
            ..example()
        }
        .decided(&policy)
        .starts_with("allow")
    };
    for app in [
        "/usr/bin/curl",
        "curl",
        "user:alice",
        "parent:build.sh",
        "parent:/usr/bin/bash",
        "parent:/home/u/build.sh",
        "package:npm:esbuild",
    ] {
        assert!(decided(app, curl()), "{app}");
    }
    for app in [
        "/usr/bin/wget",
        "cur",
        "/usr/bin/npm",
        "script:/usr/bin/curl",
        "user:bob",
        "parent:bash",
        "parent:curl",
        "package:npm:esbuil",
        "package:pip:esbuild",
    ] {
        assert!(!decided(app, curl()), "{app}");
    }
    assert!(decided("script:/usr/bin/npm", npm()));
    // A program can claim to be a script, so that a path is the executable's only.
    assert!(!decided("/usr/bin/npm", npm()));
    assert!(decided("npm", npm()) && decided("/usr/bin/node", npm()) && !decided("node", npm()));
}

#[test]
fn then_deny_wins_over_ask_over_allow() {
    for texts in [["deny @any", "ask @any"], ["ask @any", "deny @any"]] {
        assert_eq!(
            example().decided(&policy(&[(Layer::Flag, &texts)])),
            "deny by flag: deny @any"
        );
    }
    for texts in [["allow @any", "ask @any"], ["ask @any", "allow @any"]] {
        assert_eq!(
            example().decided(&policy(&[(Layer::Flag, &texts)])),
            "ask by flag: ask @any"
        );
    }
}

#[test]
fn of_equal_rules_the_same_one_is_named_in_any_order() {
    let (a, b) = (
        r#"{"do":"deny","to":["@any"],"note":"a"}"#,
        r#"{"do":"deny","to":["@any"],"note":"b"}"#,
    );
    let decided = |json: String| {
        let mut policy = Policy::new();
        policy.set_layer(Layer::Saved, rules(&json));
        example().decided(&policy)
    };
    assert_eq!(decided(format!("{a},{b}")), decided(format!("{b},{a}")));
}

#[test]
fn the_destination_decides_before_the_program() {
    let mut policy = Policy::new();
    policy.set_layer(
        Layer::Saved,
        rules(r#"{"do":"allow","to":["@internet"],"app":"script:/usr/bin/npm"},{"do":"deny","to":["www.example.com"]}"#),
    );
    let flow = Flow {
        subject: npm(),
        ..example()
    };
    assert_eq!(flow.decided(&policy), "deny by saved: deny www.example.com");
}

#[test]
fn a_saved_answer_settles_a_question() {
    let asked = |flags: &[&str], saved: &str| {
        let mut both = policy(&[(Layer::Flag, flags)]);
        both.set_layer(Layer::Saved, rules(saved));
        Flow::new("192.168.1.9", 631, &[]).decided(&both)
    };
    let printer = r#"{"do":"allow","to":["192.168.1.9"],"app":"/usr/bin/curl"}"#;
    assert_eq!(
        asked(&["ask @lan"], printer),
        "allow by saved: allow 192.168.1.9 for /usr/bin/curl"
    );
    assert_eq!(
        asked(&["ask 192.168.1.9"], printer),
        "allow by saved: allow 192.168.1.9 for /usr/bin/curl"
    );
    assert_eq!(
        asked(&["ask 192.168.1.9:631"], printer),
        "ask by flag: ask 192.168.1.9:631"
    );
    assert_eq!(
        asked(&["ask @lan"], r#"{"do":"allow","to":["@lan"]}"#),
        "allow by saved: allow @lan"
    );
    assert_eq!(
        asked(
            &["ask @lan"],
            r#"{"do":"allow","to":["@any"],"app":"curl"}"#
        ),
        "ask by flag: ask @lan"
    );
    assert_eq!(
        asked(&["ask @lan"], r#"{"do":"deny","to":["@lan:631"]}"#),
        "deny by saved: deny @lan:631"
    );
    // The saved rules' own winner counts, not any of them.
    assert_eq!(
        asked(
            &["ask @lan"],
            r#"{"do":"allow","to":["192.168.1.0/24"]},{"do":"ask","to":["192.168.1.9"]}"#
        ),
        "ask by flag: ask @lan"
    );
    // Only a question is settled.
    assert_eq!(asked(&["deny @lan"], printer), "deny by flag: deny @lan");
    // Among saved rules the ladder alone decides.
    assert_eq!(
        asked(
            &[],
            r#"{"do":"ask","to":["192.168.1.9"]},{"do":"allow","to":["@lan"]}"#
        ),
        "ask by saved: ask 192.168.1.9"
    );
}

#[test]
fn a_rule_ends_on_time() {
    let decided = |until: &str| {
        let mut policy = Policy::new();
        policy.set_layer(
            Layer::Saved,
            rules(&format!(
                r#"{{"do":"allow","to":["@any"],"until":"{until}"}}"#
            )),
        );
        example().decided(&policy)
    };
    assert_eq!(
        decided("2026-06-01T00:00:01Z"),
        "allow by saved: allow @any until 2026-06-01T00:00:01Z"
    );
    assert_eq!(decided("2026-06-01T00:00:00Z"), "ask by default");
    assert_eq!(decided("2026-06-01T01:00:00+01:00"), "ask by default");
}

#[test]
fn dns_is_allowed_unless_a_rule_says_otherwise() {
    let dns = || Flow {
        protocol: Protocol::Udp,
        ..Flow::new("192.168.1.1", 53, &[])
    };
    let mut nothing = Policy::new();
    nothing.set_default(Action::Deny);
    assert_eq!(dns().decided(&nothing), "allow as @dns");
    // Never a question by a rule for something wider, with or without a saved answer.
    assert_eq!(
        dns().decided(&policy(&[(Layer::Flag, &["ask @lan"])])),
        "allow as @dns"
    );
    assert_eq!(
        dns().decided(&policy(&[(Layer::Flag, &["ask @any:53"])])),
        "allow as @dns"
    );
    for deny in [
        "deny @lan",
        "deny @any",
        "deny @dns",
        "deny 192.168.1.1",
        "ask @dns",
        "ask 192.168.1.1:53",
        "allow @any",
    ] {
        let action = deny.split(' ').next().unwrap();
        assert_eq!(
            dns().decided(&policy(&[(Layer::Flag, &[deny])])),
            format!("{action} by flag: {deny}")
        );
    }
    let settled = policy(&[
        (Layer::Flag, &["ask @lan"]),
        (Layer::Saved, &["deny 192.168.1.1"]),
    ]);
    assert_eq!(dns().decided(&settled), "deny by saved: deny 192.168.1.1");
    assert_eq!(
        Flow::new("192.168.1.1", 80, &[]).decided(&nothing),
        "deny by default"
    );
}

#[test]
fn desktop_sockets_are_allowed_unless_a_rule_says_otherwise() {
    let subject = curl();
    let mut policy = Policy::new();
    policy.set_default(Action::Deny);
    let decide = |policy: &Policy, path: &str| {
        let query = Query {
            subject: &subject,
            protocol: Protocol::Tcp,
            endpoint: Endpoint::Unix { path },
            names: &[],
        };
        let decision = policy.decide(&query, &env(), NOW.parse().unwrap());
        (decision.action, decision.standing)
    };
    assert_eq!(
        decide(&policy, "/tmp/.X11-unix/X0"),
        (Action::Allow, Some(Group::Desktop))
    );
    assert_eq!(decide(&policy, "/run/docker.sock"), (Action::Deny, None));
    policy.set_layer(
        Layer::Flag,
        vec![
            flag("deny @desktop"),
            flag("allow unix:/run/docker.sock"),
            flag("deny @any"),
        ],
    );
    assert_eq!(decide(&policy, "/tmp/.X11-unix/X0"), (Action::Deny, None));
    assert_eq!(decide(&policy, "/run/docker.sock"), (Action::Allow, None));
    assert_eq!(decide(&policy, "/run/other.sock"), (Action::Deny, None));
}

#[test]
fn explain_names_the_winner_and_why_the_others_lost() {
    let mut policy = policy(&[
        (
            Layer::Flag,
            &["allow *.example.com:443", "deny @any", "deny *.example.com"],
        ),
        (Layer::Policy, &["deny 198.51.100.7"]),
    ]);
    policy.set_layer(
        Layer::Saved,
        rules(
            r#"{"do":"allow","to":["www.example.com:80"]},
               {"do":"allow","to":["www.example.com"],"app":"/usr/bin/wget"},
               {"do":"deny","to":["www.example.com"],"until":"2026-01-01T00:00:00Z"},
               {"do":"deny","to":["other.example"]}"#,
        ),
    );
    assert_eq!(
        example().explained(&policy),
        "\
allow: /usr/bin/curl to 198.51.100.7:443/tcp (www.example.com), internet
  because it is the most specific of the flag rules that match, and no earlier layer has one
  winner     flag: allow *.example.com:443
  runner-up  flag: deny *.example.com
             *.example.com:443 is narrower in ports and protocol
  runner-up  flag: deny @any
             *.example.com:443 is more specific
  runner-up  policy: deny 198.51.100.7
             flag rules decide before policy rules
  no match   saved: allow www.example.com:80
             it is for port 80, not 443
  no match   saved: allow www.example.com for /usr/bin/wget
             it is for /usr/bin/wget, not /usr/bin/curl
  no match   saved: deny www.example.com until 2026-01-01T00:00:00Z
             its time is over
"
    );
}

#[test]
fn explain_says_what_a_saved_answer_settled() {
    let both = policy(&[
        (Layer::Flag, &["ask @any", "ask @internet"]),
        (Layer::Saved, &["allow www.example.com", "deny @any"]),
    ]);
    assert_eq!(
        example().explained(&both),
        "\
allow: /usr/bin/curl to 198.51.100.7:443/tcp (www.example.com), internet
  because a saved rule at least as specific settles the question that `ask @internet` would ask
  winner     saved: allow www.example.com
  runner-up  flag: ask @internet
             it asks, and `allow www.example.com` has the answer
  runner-up  flag: ask @any
             a more specific rule of its layer asks
  runner-up  saved: deny @any
             www.example.com is more specific
"
    );
}

#[test]
fn explain_says_why_a_name_does_not_count() {
    let named = policy(&[(Layer::Flag, &["allow *.example.com"])]);
    let flow = Flow::new("192.168.1.9", 631, &["printer.example.com"]);
    assert_eq!(
        flow.explained(&named),
        "\
ask: /usr/bin/curl to 192.168.1.9:631/tcp (printer.example.com), lan
  because no rule matches, and the default is ask
  no match   flag: allow *.example.com
             the name printer.example.com does not count: it is no local name, yet its address is in a local network \
(DNS rebinding), so it opens nothing: only rules for the address allow
  note       the name printer.example.com does not count: it is no local name, yet its address is in a local network \
(DNS rebinding), so it opens nothing: only rules for the address allow
"
    );
}

#[test]
fn a_name_that_does_not_count_still_closes() {
    let sinkhole = Flow::new("0.0.0.0", 443, &["ads.example.com"]);
    let named = policy(&[(Layer::Flag, &["deny *.example.com", "allow @any"])]);
    assert_eq!(sinkhole.decided(&named), "deny by flag: deny *.example.com");
    // It weakens no refusal: an ask by name does not take the place of a deny by address.
    let asked = policy(&[(Layer::Flag, &["ask *.example.com", "deny @loopback"])]);
    assert_eq!(sinkhole.decided(&asked), "deny by flag: deny @loopback");
}

#[test]
fn explain_says_how_to_name_a_script() {
    let mut policy = Policy::new();
    policy.set_layer(
        Layer::Saved,
        rules(r#"{"do":"allow","to":["@any"],"app":"/usr/bin/npm"}"#),
    );
    let said = Flow {
        subject: npm(),
        ..example()
    }
    .explained(&policy);
    assert!(
        said.contains("/usr/bin/npm is a script run by /usr/bin/node: write script:/usr/bin/npm"),
        "{said}"
    );
}

#[test]
fn explain_tells_of_standing_permissions() {
    let dns = || Flow {
        protocol: Protocol::Udp,
        ..Flow::new("192.168.1.1", 53, &[])
    };
    assert_eq!(
        dns().explained(&Policy::new()),
        "allow: /usr/bin/curl to 192.168.1.1:53/udp, lan\n  because @dns is allowed unless a rule says otherwise, and no rule matches\n"
    );
    assert_eq!(
        dns().explained(&policy(&[(Layer::Flag, &["ask @lan"])])),
        "\
allow: /usr/bin/curl to 192.168.1.1:53/udp, lan
  because @dns is allowed unless a rule denies it, and `ask @lan` would only ask
  runner-up  flag: ask @lan
             it would ask, and this is never a question
"
    );
}

#[test]
fn explain_is_bounded_and_is_json() {
    let many: Vec<String> = (1..=50)
        .map(|port| format!("deny @any:{port},443"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let explanation =
        policy(&[(Layer::Flag, &many)]).explain(&example().query(), &env(), NOW.parse().unwrap());
    assert_eq!((explanation.runners_up.len(), explanation.more), (8, 41));
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["action"], "deny");
    assert_eq!(json["winner"]["layer"], "flag");
    assert_eq!(json["place"], "internet");
    assert_eq!(json["more"], 41);
}

/// What becomes of a call to a socket with these paths, the first its own.
fn socket(policy: &Policy, paths: &[&str]) -> (Action, Option<Group>) {
    let subject = Subject::default();
    let query = Query {
        subject: &subject,
        protocol: Protocol::Unix,
        endpoint: Endpoint::Unix { path: paths[0] },
        names: &paths[1..],
    };
    let decision = policy.decide(&query, &env(), NOW.parse().unwrap());
    (decision.action, decision.standing)
}

#[test]
fn brokers_meet_the_default_and_name_services_ask_nobody() {
    let mut policy = Policy::new();
    for (default, broker, service, bus) in [
        (Action::Ask, Action::Ask, Action::Deny, Action::Allow),
        (Action::Deny, Action::Deny, Action::Deny, Action::Deny),
        (Action::Allow, Action::Allow, Action::Allow, Action::Allow),
    ] {
        policy.set_default(default);
        assert_eq!(socket(&policy, &["/run/docker.sock"]).0, broker);
        assert_eq!(socket(&policy, &["/run/nscd/socket"]).0, service);
        assert_eq!(socket(&policy, &["/run/user/7/bus"]).0, bus);
        assert_eq!(socket(&policy, &["@/tmp/dbus-a"]).0, bus);
        let x = socket(&policy, &["/tmp/.X11-unix/X0"]);
        assert_eq!(x, (Action::Allow, Some(Group::Desktop)));
    }
    policy.set_default(Action::Ask);
    policy.set_layer(
        Layer::Flag,
        vec![flag("ask @broker"), flag("deny @desktop")],
    );
    assert_eq!(socket(&policy, &["/run/nscd/socket"]).0, Action::Ask);
    assert_eq!(socket(&policy, &["/run/user/7/bus"]).0, Action::Deny);
    policy.set_default(Action::Deny);
    policy.set_layer(Layer::Flag, vec![flag("allow @desktop")]);
    assert_eq!(socket(&policy, &["/run/user/7/bus"]).0, Action::Allow);
}

#[test]
fn a_further_path_of_a_socket_closes_and_does_not_open() {
    let both = ["/run/docker.sock", "/home/me/link"];
    for (rule, first, further) in [
        ("allow unix:/run/docker.sock", Action::Allow, Action::Deny),
        (
            "allow unix:/var/run/docker.sock",
            Action::Allow,
            Action::Deny,
        ),
        ("allow unix:/home/me/link", Action::Deny, Action::Allow),
    ] {
        let mut policy = Policy::new();
        policy.set_default(Action::Deny);
        policy.set_layer(Layer::Flag, vec![flag(rule)]);
        assert_eq!(socket(&policy, &both).0, first, "{rule}");
        assert_eq!(socket(&policy, &[both[1], "/x"]).0, further, "{rule}");
    }
    let mut policy = Policy::new();
    policy.set_default(Action::Allow);
    for action in [Action::Deny, Action::Ask] {
        let rule = flag(&format!("{action} unix:/home/me/link"));
        policy.set_layer(Layer::Flag, vec![rule]);
        assert_eq!(socket(&policy, &both).0, action);
    }
    // What X has its sockets beside does not make a broker one of a desktop.
    policy.set_default(Action::Ask);
    let linked = ["/tmp/.X11-unix/X0", "/run/docker.sock"];
    assert_eq!(socket(&policy, &linked), (Action::Ask, None));
}

#[test]
fn a_policy_knows_which_names_it_could_open() {
    let policy = |default, rules: &[&str]| {
        let mut policy = Policy::new();
        policy.set_default(default);
        policy.set_layer(Layer::Saved, rules.iter().map(|text| flag(text)).collect());
        policy
    };
    let names = policy(
        Action::Deny,
        &[
            "allow example.com:443",
            "ask *.zone.example",
            "deny @any",
            "deny closed.example",
            "allow @dns",
            "allow @broker",
            "allow unix:/run/x",
        ],
    );
    for name in [
        "example.com",
        "a.zone.example",
        "b.a.zone.example",
        "example",
        "printer",
    ] {
        assert!(names.could_open_name(name), "{name}");
    }
    for name in ["www.example.com", "zone.example", "closed.example"] {
        assert!(!names.could_open_name(name), "{name}");
    }
    // Below a domain that is searched, it may be one of a rule.
    let one = policy(Action::Deny, &["allow printer.example"]);
    assert!(one.could_open_name("printer") && !one.could_open_name("print"));
    assert!(!policy(Action::Deny, &[]).could_open_name("example.com"));
    for to in [
        "10.0.0.1",
        "10.0.0.0/8",
        "10.0.0.1-10.0.0.9",
        "@lan",
        "@any:443",
    ] {
        for (action, opens) in [("allow", true), ("ask", true), ("deny", false)] {
            let policy = policy(Action::Deny, &[&format!("{action} {to}")]);
            assert_eq!(
                policy.could_open_name("example.com"),
                opens,
                "{action} {to}"
            );
        }
    }
    assert!(policy(Action::Ask, &[]).could_open_name("example.com"));
    assert!(policy(Action::Allow, &["deny example.com"]).could_open_name("example.com"));
}
