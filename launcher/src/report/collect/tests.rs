use super::*;
use crate::report::samples::flow;
use hallpass_session::event;

fn event(kind: Kind) -> Event {
    Event {
        v: event::VERSION,
        seq: 1,
        time: "2026-11-24T00:00:00Z".to_owned(),
        session: "1-0badcafe".to_owned(),
        kind,
    }
}

fn decided(flow: FlowLine, verdict: Verdict, source: Source, count: u64) -> Event {
    event(Kind::Decided {
        flow,
        verdict,
        source,
        count,
    })
}

fn totals(allowed: u64, denied: u64) -> Event {
    event(Kind::Totals { allowed, denied })
}

fn report_of(events: Vec<Event>) -> Report {
    let collector = Collector::default();
    let mut sink = collector.sink();
    for event in &events {
        sink(event);
    }
    collector.report(false)
}

#[test]
fn equal_calls_are_one_entry_whatever_process_and_address() {
    let one = |pid, address: &str| {
        let mut flow = flow("/usr/bin/curl", address, 443, &["a.test"]);
        flow.pid = pid;
        flow
    };
    let report = report_of(vec![
        decided(one(1, "203.0.113.1"), Verdict::Deny, Source::Default, 1),
        decided(one(2, "203.0.113.2"), Verdict::Deny, Source::Default, 3),
        totals(0, 4),
    ]);
    assert_eq!(report.entries.len(), 1);
    assert_eq!(report.entries[0].count, 4);
    assert_eq!(report.entries[0].addresses.len(), 2);
    assert_eq!(report.totals.refused, 4);
    assert_eq!(report.unlisted, Counts::default());
}

#[test]
fn without_a_name_each_address_is_an_entry_and_refused_ones_come_first() {
    let to = |address| flow("/usr/bin/curl", address, 443, &[]);
    let report = report_of(vec![
        decided(to("203.0.113.1"), Verdict::Allow, Source::Default, 1),
        decided(to("203.0.113.2"), Verdict::Deny, Source::Default, 1),
    ]);
    assert_eq!(report.entries.len(), 2);
    assert_eq!(report.entries[0].outcome, Outcome::Refused);
}

#[test]
fn entries_of_one_package_are_together_in_the_order_of_first_use() {
    let of = |package: Option<&str>, port| {
        let mut flow = flow("/usr/bin/node", "203.0.113.1", port, &[]);
        flow.package = package.map(str::to_owned);
        decided(flow, Verdict::Deny, Source::Default, 1)
    };
    let report = report_of(vec![
        of(Some("npm:b"), 1),
        of(None, 2),
        of(Some("npm:a"), 3),
        of(Some("npm:b"), 4),
        of(None, 5),
    ]);
    let ports = report.entries.iter().map(|entry| match entry.target {
        Target::Flow { port, .. } => port,
        Target::Call(_) => 0,
    });
    assert_eq!(ports.collect::<Vec<_>>(), [1, 4, 2, 5, 3]);
}

#[test]
fn what_audit_let_go_on_is_told_apart() {
    let source = Source::Audit {
        would: Box::new(Source::Default),
    };
    let events = vec![
        decided(flow("/a", "203.0.113.1", 1, &[]), Verdict::Allow, source, 2),
        decided(
            flow("/a", "203.0.113.2", 1, &[]),
            Verdict::Allow,
            Source::Default,
            5,
        ),
        totals(7, 0),
    ];
    let totals = report_of(events).totals;
    assert_eq!((totals.would_be_refused, totals.allowed), (2, 5));
}

#[test]
fn totals_are_exact_beyond_what_is_listed() {
    let mut events = Vec::new();
    for n in 0..u32::try_from(MAX_ENTRIES).unwrap() + 50 {
        let address = std::net::Ipv4Addr::from(0xcb00_7100 + n).to_string();
        let flow = flow("/a", &address, 1, &[]);
        events.push(decided(flow, Verdict::Deny, Source::Default, 2));
    }
    let allowed = flow("/a", "203.0.113.1", 1, &[]);
    events.push(decided(allowed, Verdict::Allow, Source::Default, 1));
    // Seven more that were counted without an event.
    let refused = (MAX_ENTRIES as u64 + 50) * 2 + 7;
    events.push(totals(1, refused));
    let report = report_of(events);
    assert_eq!(report.entries.len(), MAX_ENTRIES + 1);
    assert_eq!(report.totals.refused, refused);
    assert_eq!(report.unlisted.refused, 107);
    assert_eq!(report.totals.allowed, 1);
}

#[test]
fn a_program_with_long_names_does_not_fill_memory() {
    let mut events = Vec::new();
    for n in 0..3000_u32 {
        let app = format!("/{n}/{}", "x".repeat(4000));
        let flow = flow(&app, "203.0.113.1", 1, &[]);
        events.push(decided(flow, Verdict::Deny, Source::Default, 1));
    }
    let report = report_of(events);
    let bytes: usize = report.entries.iter().map(|entry| entry.app.len()).sum();
    assert!(bytes <= MAX_BYTES, "{bytes}");
    assert_eq!(report.totals.refused, 3000);
}
