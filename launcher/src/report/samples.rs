//! Reports for tests: an ordinary one, and one in which every name is meant to break a reader.

use super::{Counts, Entry, Outcome, Report, Target};
use hallpass_policy::Protocol;
use hallpass_session::event::FlowLine;
use hallpass_session::flow::{Name, Trust};
use hallpass_session::verdict::Source;

/// Names that mean something in one of the formats or on a terminal.
pub(super) const HOSTILE: [&str; 12] = [
    "::error::owned",
    "a\n::set-output name=x::y",
    "##[error]owned",
    "x\r\n::stop-commands::t",
    "](http://evil.test) ![x](http://evil.test/p)",
    "`code` | cell | <script>alert(1)</script> <!-- ",
    "```\n# heading @someone",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "]]></failure><testcase name='fake'/>&amp;\u{0}\u{b}\u{ffff}",
    "\u{202e}moc.elpmaxe\u{2066}\u{200b}",
    "{0} [link](1) {{x}} \\",
    "%0A::error::%25",
];

pub(super) fn name(text: &str) -> Name {
    Name {
        name: text.to_owned(),
        trust: Trust::Claimed,
    }
}

pub(super) fn flow(app: &str, address: &str, port: u16, names: &[&str]) -> FlowLine {
    FlowLine {
        pid: 7,
        app: app.to_owned(),
        script: false,
        package: None,
        step: None,
        proto: Protocol::Tcp,
        address: address.parse().unwrap(),
        port,
        names: names.iter().copied().map(name).collect(),
        look_up: false,
    }
}

pub(super) fn refused(app: &str, host: &str, port: u16) -> Entry {
    Entry {
        app: app.to_owned(),
        is_script: false,
        package: None,
        step: None,
        target: Target::Flow {
            proto: Protocol::Tcp,
            port,
            names: vec![name(host)],
        },
        addresses: vec!["203.0.113.7".parse().unwrap()],
        has_more_addresses: false,
        is_own_server: false,
        outcome: Outcome::Refused,
        source: Source::Default,
        count: 2,
        first: "2026-11-24T00:00:01Z".to_owned(),
        last: "2026-11-24T00:00:02Z".to_owned(),
    }
}

fn whole(entries: Vec<Entry>) -> Report {
    let mut totals = Counts::default();
    for entry in &entries {
        totals.add(entry.outcome, entry.count);
    }
    Report {
        session: "4711-0badcafe".to_owned(),
        started: "2026-11-24T00:00:00Z".to_owned(),
        ended: "2026-11-24T00:00:03Z".to_owned(),
        status: Some(0),
        audit: false,
        totals,
        entries,
        unlisted: Counts::default(),
        notes: Vec::new(),
    }
}

/// One of each kind of entry.
pub(super) fn ordinary() -> Report {
    let evil = Entry {
        package: Some("npm:esbuild".to_owned()),
        step: Some("postinstall".to_owned()),
        ..refused("/usr/bin/node", "evil.test", 443)
    };
    let raw = Entry {
        target: Target::Call("a socket of the family AF_PACKET".to_owned()),
        addresses: Vec::new(),
        count: 1,
        ..refused("/usr/bin/ping", "", 0)
    };
    let audited = Entry {
        outcome: Outcome::WouldBeRefused,
        source: Source::Audit {
            would: Box::new(Source::Rule {
                layer: "policy".to_owned(),
                rule: "deny *.test".to_owned(),
            }),
        },
        ..refused("/usr/bin/curl", "b.test", 80)
    };
    let allowed = Entry {
        outcome: Outcome::Allowed,
        source: Source::Rule {
            layer: "flag".to_owned(),
            rule: "allow example.com".to_owned(),
        },
        ..refused("/usr/bin/git", "example.com", 443)
    };
    whole(vec![evil, raw, audited, allowed])
}

/// Every text in it is one of [`HOSTILE`], or all of them.
pub(super) fn hostile() -> Report {
    let mut entries = Vec::new();
    for text in HOSTILE {
        let source = Source::Rule {
            layer: "policy".to_owned(),
            rule: text.to_owned(),
        };
        let named = Entry {
            app: format!("/tmp/{text}"),
            package: Some(format!("npm:{text}")),
            step: Some(text.to_owned()),
            source: source.clone(),
            ..refused("", text, 443)
        };
        entries.push(Entry {
            target: Target::Call(text.to_owned()),
            ..named.clone()
        });
        entries.push(named);
    }
    Report {
        notes: HOSTILE.map(str::to_owned).to_vec(),
        ..whole(entries)
    }
}
