//! What rules decide without anybody being asked, and what changes with them.

use super::{Bench, flow, rule};
use crate::engine::{SocketRules, Step};
use crate::verdict::{Source, Verdict};
use hallpass_policy::Action;
use std::time::Instant;

#[test]
fn a_rule_decides_at_once_and_says_which_it_was() {
    let mut bench = Bench::with(None, &[rule(Action::Deny, "10.0.0.0/8")]);
    let Step::Decided(verdict, Source::Rule { layer, rule }) =
        bench.ask(1, flow("curl", "10.1.2.3", 80))
    else {
        panic!("not decided by a rule");
    };
    assert_eq!(verdict, Verdict::Deny);
    assert_eq!(layer, "flag");
    assert!(rule.contains("10.0.0.0/8"), "{rule}");
    assert_eq!(bench.engine.totals().denied, 1);
}

#[test]
fn a_rule_edit_decides_what_waits() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.set_saved(vec![rule(Action::Allow, "192.0.2.1")]);
    let settled = bench.settled();
    assert!(
        matches!(settled[..], [(1, Verdict::Allow, Source::Rule { .. })]),
        "{settled:?}"
    );
    assert_eq!(bench.pending(), []);
}

#[test]
fn audit_lets_go_on_what_would_be_refused_or_asked_and_keeps_no_such_verdict() {
    let flags = [
        rule(Action::Deny, "10.0.0.1"),
        rule(Action::Allow, "10.0.0.2"),
    ];
    let mut case = Bench::with(None, &flags);
    case.engine.settings.audit = true;
    let mut sources = Vec::new();
    for (ask, to) in [(1, "10.0.0.1"), (2, "10.0.0.2"), (3, "10.0.0.3")] {
        let flow = flow("/a", to, 80);
        let Step::Decided(verdict, source) = case.ask(ask, flow.clone()) else {
            panic!("{to} waits");
        };
        assert_eq!(verdict, Verdict::Allow, "{to}");
        let kept = case
            .engine
            .may_be_kept(&flow, &source, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(kept, matches!(source, Source::Rule { .. }), "{to}");
        sources.push(source);
    }
    assert!(
        matches!(&sources[0], Source::Audit { would } if matches!(**would, Source::Rule { .. }))
    );
    assert!(matches!(&sources[1], Source::Rule { .. }));
    assert_eq!(
        sources[2],
        Source::Audit {
            would: Box::new(Source::Default)
        }
    );
    assert_eq!(case.engine.totals().allowed, 3);
}

#[test]
fn the_sockets_that_rules_are_about_follow_the_rules() {
    let mut bench = Bench::new();
    assert_eq!(*bench.engine.socket_rules(&[]), SocketRules::default());
    let rules = ["unix:/run/x.sock", "@desktop", "@any"].map(|to| rule(Action::Deny, to));
    let wall = jiff::Timestamp::UNIX_EPOCH;
    bench
        .engine
        .saved_rules_changed(rules.to_vec(), Instant::now(), wall);
    let expected = SocketRules {
        paths: vec!["/run/x.sock".to_owned()],
        desktop: true,
        session_bus: false,
    };
    assert_eq!(*bench.engine.socket_rules(&[]), expected);
}
