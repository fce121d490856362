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
    learned_by(Programs::Path, entries, so_far)
}

fn learned_by(programs: Programs, entries: Vec<Entry>, so_far: RuleFile) -> Learned {
    let report = Report {
        entries,
        ..Report::default()
    };
    let env = Environment::default();
    learn(&report, so_far, programs, &env, &(32768..=60999))
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
fn programs_by_name_or_none_are_good_for_other_machines() {
    let entries = || {
        let mut npm = needed("/usr/lib/npm/npm-cli.js", "b.test", 443);
        npm.is_script = true;
        let mut package = needed("/usr/bin/node", "c.test", 443);
        package.package = Some("npm:esbuild".to_owned());
        vec![
            needed("/root/.pyenv/bin/python3.11", "a.test", 443),
            npm,
            package,
        ]
    };
    let by_name = learned_by(Programs::Name, entries(), RuleFile::default());
    assert_eq!(
        shown(&by_name),
        [
            "allow c.test:443/tcp for package:npm:esbuild (learned: 2 calls)",
            "allow b.test:443/tcp for npm-cli.js (learned: 2 calls)",
            "allow a.test:443/tcp for python3.11 (learned: 2 calls)",
        ]
    );
    let any = learned_by(Programs::Any, entries(), RuleFile::default());
    let all = "allow a.test:443/tcp, b.test:443/tcp, c.test:443/tcp (learned: 6 calls)";
    assert_eq!(shown(&any), [all]);
    // Once more grows the same rule.
    let more = vec![needed("/usr/bin/git", "d.test", 22)];
    let more = learned_by(Programs::Any, more, any.file);
    assert_eq!(
        shown(&more),
        [all.replace(" (learned: 6 calls)", ", d.test:22/tcp (learned: 8 calls)")]
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

fn at_loopback(port: u16, is_own_server: bool) -> Entry {
    let mut entry = needed("/usr/bin/python3", "", port);
    entry.addresses = vec!["127.0.0.1".parse().unwrap()];
    entry.target = Target::Flow {
        proto: Protocol::Tcp,
        port,
        names: Vec::new(),
    };
    entry.is_own_server = is_own_server;
    entry
}

#[test]
fn the_runs_own_servers_are_at_another_port_next_time() {
    let entries = vec![at_loopback(8080, true), at_loopback(40123, true)];
    let first = learned(entries, RuleFile::default());
    let note = "learned: 4 calls; all ports of the kernel's choice, for servers of its own";
    let rule = "allow 127.0.0.1:8080,32768-60999/tcp for /usr/bin/python3";
    assert_eq!(shown(&first), [format!("{rule} ({note})")]);
    // The note stays, whatever is learned next.
    let again = learned(vec![at_loopback(81, false)], first.file);
    assert!(shown(&again)[0].contains("6 calls; all"), "{again:?}");
}

#[test]
fn somebody_elses_server_keeps_its_port_and_very_many_are_the_kernels_choice() {
    let one = learned(vec![at_loopback(40123, false)], RuleFile::default());
    assert!(shown(&one)[0].starts_with("allow 127.0.0.1:40123/tcp for"));
    let many = (40000..40020)
        .map(|port| at_loopback(port, false))
        .collect();
    let many = learned(many, RuleFile::default());
    assert!(shown(&many)[0].starts_with("allow 127.0.0.1:32768-60999/tcp for"));
    let wide = (1..20).map(|port| at_loopback(port, false)).collect();
    let wide = learned(wide, RuleFile::default());
    assert!(shown(&wide)[0].starts_with("allow 127.0.0.1/tcp for"));
}

#[test]
fn what_make_starts_is_learned_by_its_program() {
    let mut entry = needed("/usr/bin/curl", "a.test", 443);
    entry.package = Some("make:app".to_owned());
    let learned = learned(vec![entry], RuleFile::default());
    assert!(shown(&learned)[0].contains("for /usr/bin/curl"));
}

#[test]
fn the_kernels_range_is_read() {
    let ports = ephemeral_ports();
    assert!(ports.start() < ports.end());
}
