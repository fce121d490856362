//! Which rule wins.

use super::{Flow, curl, example, flag, npm, policy, rules};
use hallpass_policy::{Action, Layer, Policy, Subject};

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
fn a_name_that_does_not_count_still_closes() {
    let sinkhole = Flow::new("0.0.0.0", 443, &["ads.example.com"]);
    let named = policy(&[(Layer::Flag, &["deny *.example.com", "allow @any"])]);
    assert_eq!(sinkhole.decided(&named), "deny by flag: deny *.example.com");
    // It weakens no refusal: an ask by name does not take the place of a deny by address.
    let asked = policy(&[(Layer::Flag, &["ask *.example.com", "deny @loopback"])]);
    assert_eq!(sinkhole.decided(&asked), "deny by flag: deny @loopback");
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
