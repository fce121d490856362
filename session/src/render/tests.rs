use super::*;
use crate::control::protocol::{Offer, Scope};
use crate::flow::App;
use crate::hold::Hold;
use crate::verdict::Fallback;
use hallpass_policy::Subject;

fn line(app: &str, pid: u32, to: (&str, u16, Protocol), name: Option<&str>) -> FlowLine {
    FlowLine {
        pid,
        app: app.to_owned(),
        script: false,
        package: None,
        step: None,
        proto: to.2,
        address: to.0.parse().unwrap(),
        port: to.1,
        names: name
            .into_iter()
            .map(|name| Name::claimed(name.to_owned()))
            .collect(),
        look_up: false,
    }
}

fn show(kind: Kind) -> String {
    event(&Event {
        v: 1,
        seq: 1,
        time: String::new(),
        session: "4710-0badcafe".to_owned(),
        kind,
    })
}

fn decided(flow: FlowLine, verdict: Verdict, source: Source, count: u64) -> String {
    show(Kind::Decided {
        flow,
        verdict,
        source,
        count,
    })
}

fn rule(layer: &str, rule: &str) -> Source {
    Source::Rule {
        layer: layer.to_owned(),
        rule: rule.to_owned(),
    }
}

/// What people read, as they read it: change it on purpose.
#[test]
fn decisions_read_at_a_glance() {
    let curl = |to, name| line("/usr/bin/curl", 4711, to, name);
    let lines = [
        decided(
            curl(("192.168.1.9", 631, Protocol::Tcp), Some("printer.lan")),
            Verdict::Allow,
            rule("flag", "allow @lan"),
            1,
        ),
        decided(
            line(
                "/usr/bin/python3.13",
                812,
                ("10.0.0.7", 22, Protocol::Tcp),
                None,
            ),
            Verdict::Deny,
            Source::Fallback {
                reason: Fallback::NobodyToAsk,
            },
            1,
        ),
        decided(
            curl(("fd00::1", 53, Protocol::Udp), None),
            Verdict::Allow,
            Source::Default,
            12,
        ),
        decided(
            line("/usr/bin/ping", 9, ("10.0.0.1", 0, Protocol::Icmp), None),
            Verdict::Deny,
            rule("saved", "deny @any/icmp"),
            1,
        ),
        decided(
            line(
                "/usr/lib/node_modules/npm/bin/npm-cli.js",
                31,
                ("203.0.113.7", 443, Protocol::Tcp),
                Some("a-long-name.in-a-long-domain.example.org"),
            ),
            Verdict::Deny,
            Source::Person {
                by: "terminal".to_owned(),
            },
            1,
        ),
        decided(
            curl(("127.0.0.1", 8000, Protocol::Tcp), None),
            Verdict::Allow,
            rule("answer", "allow 127.0.0.1 for /usr/bin/curl"),
            1,
        ),
        show(Kind::Refused {
            pid: 5,
            app: "/opt/x".to_owned(),
            package: None,
            step: None,
            what: "a socket of family 38".to_owned(),
            source: Source::Fallback {
                reason: Fallback::UnknownFamily,
            },
        }),
    ];
    let expected = "\
allow  curl[4711] → printer.lan:631/tcp (192.168.1.9)             flag: allow @lan
deny   python3.13[812] → 10.0.0.7:22/tcp                          nobody was there to be asked
allow  curl[4711] → [fd00::1]:53/udp ×12                          default
deny   ping[9] → 10.0.0.1/icmp                                    saved rule: deny @any/icmp
deny   npm-cli.js[31] → a-long-name.in-a-long-domain.example.org:443/tcp (203.0.113.7)  answered by terminal
allow  curl[4711] → 127.0.0.1:8000/tcp                            your answer: allow 127.0.0.1 for /usr/bin/curl
deny   x[5]: a socket of family 38                                this socket family cannot be decided";
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn the_rest_of_a_session_s_events() {
    let lines = [
        show(Kind::Started {
            command: ["curl", "-s", "http://example.com/?a=1&b=2", "it's", ""]
                .map(str::to_owned)
                .to_vec(),
        }),
        show(Kind::Asked {
            question: 3,
            flow: line(
                "/usr/bin/curl",
                4711,
                ("192.168.1.9", 631, Protocol::Tcp),
                None,
            ),
            argv: Vec::new(),
            hold: Hold::Block,
        }),
        show(Kind::Asked {
            question: 4,
            flow: FlowLine {
                look_up: true,
                ..line(
                    "/usr/bin/node",
                    4712,
                    ("192.168.1.9", 0, Protocol::Tcp),
                    Some("printer.lan"),
                )
            },
            argv: Vec::new(),
            hold: Hold::Name,
        }),
        show(Kind::Answered {
            question: 3,
            verdict: Some(Verdict::Allow),
            by: "shell".to_owned(),
            rule: Some("allow 192.168.1.9 for /usr/bin/curl".to_owned()),
            settled: 2,
        }),
        show(Kind::Answered {
            question: 4,
            verdict: Some(Verdict::Deny),
            by: "terminal".to_owned(),
            rule: None,
            settled: 1,
        }),
        show(Kind::Answered {
            question: 5,
            verdict: None,
            by: String::new(),
            rule: None,
            settled: 0,
        }),
        show(Kind::Coverage {
            text: "sudo runs without its privileges".to_owned(),
        }),
        show(Kind::Ended { status: 7 }),
        show(Kind::Totals {
            allowed: 12,
            denied: 1,
        }),
    ];
    let expected = r"start  session 4710-0badcafe: curl -s 'http://example.com/?a=1&b=2' 'it'\''s' ''
ask    curl[4711] → 192.168.1.9:631/tcp                           question 3
ask    node[4712] → look-up of printer.lan (192.168.1.9)          question 4
allow  question 3, answered by shell: allow 192.168.1.9 for /usr/bin/curl (2 calls)
deny   question 4, answered by terminal (1 call)
gone   question 5: nobody waits for an answer any more
note   sudo runs without its privileges
end    the command ended with status 7
total  12 allowed, 1 refused";
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn a_question_is_one_line() {
    let mut asked = Question {
        id: 3,
        pid: 4711,
        app: App {
            subject: Subject {
                exe: "/usr/bin/curl".to_owned(),
                name: "curl".to_owned(),
                ..Subject::default()
            },
            argv: Vec::new(),
            cwd: "/".to_owned(),
            step: None,
            uid: 0,
        },
        protocol: Protocol::Tcp,
        address: "192.168.1.9".parse().unwrap(),
        scope_id: 0,
        port: 631,
        names: vec![Name::claimed("printer.lan".to_owned())],
        place: "lan".to_owned(),
        hold: Hold::Block,
        waiting: 1,
        told_no: 0,
        why: "no rule matched".to_owned(),
        time_left_ms: None,
        offers: vec![Offer {
            scope: Scope::Port,
            to: Vec::new(),
            settles: 1,
        }],
        may_save: true,
    };
    assert_eq!(
        question(&asked),
        "curl[4711] → printer.lan:631/tcp (192.168.1.9)             lan, 1 call waits"
    );
    (asked.waiting, asked.time_left_ms) = (20, Some(17_001));
    assert_eq!(
        question(&asked),
        "curl[4711] → printer.lan:631/tcp (192.168.1.9)             lan, 20 calls wait, 18 s left"
    );
    (asked.hold, asked.waiting, asked.told_no) = (Hold::Retry, 0, 1);
    assert_eq!(
        question(&asked),
        "curl[4711] → printer.lan:631/tcp (192.168.1.9)             lan, refused once, may try again, 18 s left"
    );
    (asked.hold, asked.waiting, asked.port) = (Hold::Name, 1, 0);
    assert_eq!(
        question(&asked),
        "curl[4711] → printer.lan, any port (192.168.1.9)           lan, 1 look-up waits, 18 s left"
    );
}

#[test]
fn nothing_makes_a_line_endless() {
    let long = "x".repeat(100_000);
    let flow = line(
        &format!("/usr/bin/{long}"),
        1,
        ("10.0.0.1", 1, Protocol::Tcp),
        Some(&long),
    );
    assert!(super::flow(&flow).chars().count() < 300);
    assert!(command(&vec![long; 1000]).chars().count() <= MAX_COMMAND);
    assert_eq!(process("/", 1), "?[1]");
}

#[test]
fn a_socket_is_shown_by_its_path() {
    let docker = line(
        "/usr/bin/docker",
        9,
        ("unix:/run/docker.sock", 0, Protocol::Unix),
        None,
    );
    let shown = decided(docker, Verdict::Deny, Source::Default, 1);
    assert!(
        shown.starts_with("deny   docker[9] → unix:/run/docker.sock "),
        "{shown}"
    );
}
