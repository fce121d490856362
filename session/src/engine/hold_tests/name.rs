//! `--hold=name`.

use super::*;

fn site(port: u16) -> [Flow; 2] {
    let to = |address: &str| named("node", address, port, "www.example.com");
    [to("2001:db8::1"), to("198.51.100.1")]
}

#[test]
fn look_ups_are_held_in_no_other_mode() {
    for hold in [Hold::Block, Hold::Retry] {
        let mut bench = holding(hold);
        assert_eq!(bench.look_up(1, &site(443)), LookUp::GoesOn);
        assert_eq!(bench.pending(), []);
    }
}

#[test]
fn a_look_up_waits_and_its_answer_carries_to_the_connect() {
    for port in [0, 443] {
        let mut bench = holding(Hold::Name);
        assert_eq!(bench.look_up(1, &site(port)), LookUp::Held);
        let pending = bench.pending();
        let asked = &pending[0];
        assert_eq!(
            (asked.hold, asked.port, asked.waiting),
            (Hold::Name, port, 1)
        );
        let scopes: Vec<Scope> = asked.offers.iter().map(|offer| offer.scope).collect();
        assert_eq!(scopes.contains(&Scope::Port), port != 0, "{scopes:?}");
        assert_eq!(bench.answer(1, &run(Verdict::Allow)), 1);
        assert!(matches!(bench.settled()[..], [(1, Verdict::Allow, _)]));
        for address in site(443) {
            assert!(is_by_rule(&bench.ask(2, address), Verdict::Allow));
        }
        assert_eq!(bench.look_up(3, &site(port)), LookUp::GoesOn);
        assert_eq!(bench.pending(), []);
        // The look-up is no call: the two that followed are.
        assert_eq!(bench.engine.totals().allowed, 2);
    }
}

#[test]
fn a_refused_look_up_is_on_record_as_one() {
    let mut bench = holding(Hold::Name);
    bench.look_up(1, &site(0));
    bench.answer(1, &run(Verdict::Deny));
    assert!(matches!(bench.settled()[..], [(1, Verdict::Deny, _)]));
    let decided = bench.effects.iter().find_map(|effect| match effect {
        Effect::Event(Kind::Decided { flow, verdict, .. }) => Some((flow.look_up, *verdict)),
        _ => None,
    });
    assert_eq!(decided, Some((true, Verdict::Deny)));
    assert_eq!(bench.engine.totals().denied, 1);
    assert!(is_by_rule(
        &bench.ask(2, site(443)[1].clone()),
        Verdict::Deny
    ));
}

#[test]
fn once_is_for_the_connect_of_the_process_that_looked_up() {
    for port in [0, 443] {
        let mut bench = holding(Hold::Name);
        bench.look_up(1, &site(port));
        bench.answer(1, &once(Verdict::Allow));
        // Again before it connects, as programs do for each family.
        assert_eq!(bench.look_up(2, &site(port)), LookUp::GoesOn);
        let [first, second] = site(443);
        let other = bench.ask(3, from_process(8, first.clone()));
        assert_eq!(other, Step::Held);
        assert_eq!(bench.ask(4, first.clone()), person(Verdict::Allow));
        assert_eq!(bench.ask(5, second), person(Verdict::Allow));
        assert_eq!(bench.ask(6, first), Step::Held);
        assert_eq!(bench.look_up(7, &site(port)), LookUp::Held);
    }
}

#[test]
fn an_answer_for_a_name_that_is_only_claimed_is_for_the_addresses() {
    for port in [0, 443] {
        let mut bench = holding(Hold::Name);
        bench.engine.trust_only_verified_names();
        let [first, second] = site(443);
        bench.look_up(1, &site(port));
        bench.answer(1, &once(Verdict::Allow));
        assert_eq!(bench.look_up(2, &site(port)), LookUp::GoesOn);
        let elsewhere = named("node", "198.51.100.2", 443, "www.example.com");
        assert_eq!(bench.ask(3, elsewhere), Step::Held);
        assert_eq!(bench.ask(4, first.clone()), person(Verdict::Allow));
        assert_eq!(bench.ask(5, second.clone()), person(Verdict::Allow));
        assert_eq!(bench.ask(6, first.clone()), Step::Held);

        let mut bench = holding(Hold::Name);
        bench.engine.trust_only_verified_names();
        bench.look_up(1, &site(port));
        bench.answer(1, &run(Verdict::Allow));
        for flow in [first, second] {
            assert!(is_by_rule(&bench.ask(2, flow), Verdict::Allow));
        }
    }
}

#[test]
fn names_are_looked_up_for_a_look_up_at_every_port_of_the_rules() {
    let rules = [
        rule(Action::Allow, "a.example:8443"),
        rule(Action::Allow, "b.example:9443"),
    ];
    let mut bench = Bench::with(None, &rules);
    bench.engine.settings.hold = Hold::Name;
    bench.engine.trust_only_verified_names();
    let wanted = |port| {
        let [flow, _] = site(port);
        let wanted = bench.engine.names_wanted_by_look_up(&flow, WALL);
        let names = wanted.into_iter().map(|it| it.name);
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
    let all: std::collections::BTreeSet<String> =
        set(&["a.example", "b.example", "www.example.com"]);
    assert_eq!(wanted(0), all);
    assert_eq!(wanted(8443), set(&["a.example", "www.example.com"]));
}

#[test]
fn two_processes_that_look_up_are_one_question_and_each_gets_its_connect() {
    let mut bench = holding(Hold::Name);
    let from = |pid| site(443).map(|flow| from_process(pid, flow));
    assert_eq!(bench.look_up(1, &from(7)), LookUp::Held);
    assert_eq!(bench.look_up(2, &from(8)), LookUp::Held);
    assert_eq!(bench.pending().len(), 1);
    assert_eq!(bench.answer(1, &once(Verdict::Allow)), 2);
    for pid in [8, 7] {
        assert_eq!(bench.ask(3, from(pid)[0].clone()), person(Verdict::Allow));
    }
}

#[test]
fn a_look_up_of_what_rules_decide_does_not_wait() {
    let mut bench = Bench::with(None, &[rule(Action::Allow, "www.example.com")]);
    bench.engine.settings.hold = Hold::Name;
    assert_eq!(bench.look_up(1, &site(0)), LookUp::GoesOn);
    let mut bench = Bench::with(None, &[rule(Action::Deny, "@any")]);
    bench.engine.settings.hold = Hold::Name;
    // The calls that follow are refused by the rule.
    assert_eq!(bench.look_up(1, &site(0)), LookUp::GoesOn);
}

#[test]
fn a_look_up_that_does_not_say_its_port_goes_on_if_a_rule_allows_one() {
    let rules = [
        rule(Action::Allow, "www.example.com:8443"),
        rule(Action::Deny, "@any:22"),
    ];
    let mut bench = holding(Hold::Name);
    bench.engine.policy.set_layer(Layer::Flag, rules.to_vec());
    bench.set_saved(Vec::new());
    assert_eq!(bench.look_up(1, &site(0)), LookUp::GoesOn);
    assert_eq!(bench.look_up(2, &site(8443)), LookUp::GoesOn);
    assert_eq!(bench.look_up(3, &site(22)), LookUp::GoesOn);
    assert_eq!(bench.look_up(4, &site(80)), LookUp::Held);
    // A port that a rule refuses answers nothing about the others.
    let other = named("node", "198.51.100.9", 0, "api.example.com");
    assert_eq!(bench.look_up(5, &[other]), LookUp::Held);
}

#[test]
fn a_literal_address_is_held_itself() {
    let mut bench = holding(Hold::Name);
    assert_eq!(bench.ask(1, curl()), Step::Held);
    assert_eq!(bench.pending()[0].hold, Hold::Block);
}

#[test]
fn with_nobody_to_ask_a_look_up_fails_at_once() {
    let mut bench = Bench::nobody(None);
    bench.engine.settings.hold = Hold::Name;
    let refused = LookUp::Refused(fallback(Fallback::NobodyToAsk));
    assert_eq!(bench.look_up(1, &site(443)), refused);
    assert_eq!(bench.engine.totals().denied, 1);
}

#[test]
fn a_rule_edit_decides_a_look_up_that_waits() {
    for (edit, verdict) in [
        (rule(Action::Allow, "www.example.com:443"), Verdict::Allow),
        (rule(Action::Deny, "@any"), Verdict::Deny),
    ] {
        let mut bench = holding(Hold::Name);
        bench.look_up(1, &site(0));
        bench.set_saved(vec![edit]);
        let settled = bench.settled();
        assert!(
            matches!(settled[..], [(1, given, Source::Rule { .. })] if given == verdict),
            "{settled:?}"
        );
        assert_eq!(bench.pending(), []);
    }
}

#[test]
fn a_halt_holds_a_look_up_without_a_question() {
    let mut bench = holding(Hold::Name);
    bench.look_up(1, &site(443));
    bench.engine.halt();
    assert_eq!(bench.look_up(2, &site(80)), LookUp::Held);
    assert_eq!(bench.pending(), []);
    bench.engine.release(bench.now, WALL);
    assert_eq!(bench.pending().len(), 2);
    assert_eq!(bench.settled(), []);
    let answer = run(Verdict::Allow);
    let id = bench.pending()[0].id;
    assert_eq!(bench.answer(id, &answer), 2);
}

#[test]
fn a_look_up_that_runs_a_signal_handler_finds_its_question_again() {
    let mut bench = holding(Hold::Name);
    bench.look_up(1, &site(443));
    bench.engine.withdraw(1, true, bench.now);
    bench.pass(GRACE / 2);
    assert_eq!(bench.look_up(2, &site(443)), LookUp::Held);
    assert_eq!((bench.pending().len(), bench.pending()[0].id), (1, 1));
    bench.engine.withdraw(2, false, bench.now);
    assert_eq!(bench.pending(), []);
}

#[test]
fn a_timeout_refuses_a_look_up() {
    let mut bench = Bench::with(Some(10 * SECOND), &[]);
    bench.engine.settings.hold = Hold::Name;
    bench.look_up(1, &site(443));
    bench.pass(10 * SECOND);
    let timeout = fallback(Fallback::Timeout);
    assert_eq!(bench.settled(), [(1, Verdict::Deny, timeout)]);
}

#[test]
fn all_addresses_of_a_looked_up_name_that_does_not_count_are_answered_for() {
    let mut bench = holding(Hold::Name);
    let to = |address: &str, port| named("node", address, port, "www.example.com");
    bench.look_up(1, &[to("127.0.0.1", 0), to("127.0.0.2", 0)]);
    let offers = bench.pending().remove(0).offers;
    assert_eq!(offers[0].to, ["127.0.0.1", "127.0.0.2"]);
    bench.answer(1, &run(Verdict::Allow));
    assert!(is_by_rule(
        &bench.ask(2, to("127.0.0.2", 80)),
        Verdict::Allow
    ));
}
