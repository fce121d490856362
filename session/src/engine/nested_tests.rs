//! What the session and the runs inside it say together.

use super::tests::{Bench, PERSON, answer, flow, named, rule};
use super::{Effect, Engine, Settings, Step};
use crate::control::protocol::{Duration as For, Scope};
use crate::flow::Flow;
use crate::hold::Hold;
use crate::nested::{Narrowing, RunId};
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Action, Environment, Layer, Policy};
use std::sync::Arc;
use std::time::Instant;

const WALL: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

fn policy(default: Action, rules: &[(Action, &str)]) -> Policy {
    let mut policy = Policy::new();
    policy.set_default(default);
    let rules = rules.iter().map(|(action, to)| rule(*action, to));
    policy.set_layer(Layer::Flag, rules.collect());
    policy
}

fn narrowing(default: Action, rules: &[(Action, &str)]) -> Narrowing {
    Narrowing {
        name: "make".to_owned(),
        policy: policy(default, rules),
        asks_nobody: false,
    }
}

/// An engine with these rules, and a person who can answer.
fn bench(default: Action, rules: &[(Action, &str)]) -> Bench {
    let settings = Settings {
        ask_timeout: None,
        may_save: true,
        audit: false,
        client_expected_until: None,
        hold: Hold::Block,
    };
    let mut engine = Engine::new(settings, policy(default, rules), Environment::default());
    engine.client_joined(PERSON);
    Bench {
        engine,
        now: Instant::now(),
        effects: Vec::new(),
    }
}

/// A call in these runs.
fn in_runs(runs: &[RunId], flow: Flow) -> Flow {
    Flow {
        runs: Arc::from(runs),
        ..flow
    }
}

fn ask(engine: &mut Engine, number: u64, flow: Flow) -> Option<(Verdict, Source)> {
    match engine.ask(number, flow, Instant::now(), WALL) {
        Step::Decided(verdict, source) => Some((verdict, source)),
        Step::Held => None,
    }
}

/// `Some(verdict)`, or none where somebody is asked.
fn verdict(engine: &mut Engine, runs: &[RunId]) -> Option<Verdict> {
    let call = in_runs(runs, flow("curl", "10.0.0.1", 80));
    ask(engine, 1, call).map(|(verdict, _)| verdict)
}

#[test]
fn the_stricter_decides_and_the_order_does_not_matter() {
    let all = [Action::Allow, Action::Ask, Action::Deny];
    for session in all {
        for outer in all {
            for inner in all {
                let mut bench = bench(session, &[]);
                bench.engine.nested_began(1, 100, narrowing(outer, &[]));
                bench.engine.nested_began(2, 200, narrowing(inner, &[]));
                let strictest = session.max(outer).max(inner);
                let expected = match strictest {
                    Action::Allow => Some(Verdict::Allow),
                    Action::Ask => None,
                    Action::Deny => Some(Verdict::Deny),
                };
                let got = verdict(&mut bench.engine, &[1, 2]);
                assert_eq!(got, expected, "{session} {outer} {inner}");
            }
        }
    }
}

#[test]
fn who_is_in_no_run_is_not_narrowed() {
    let mut bench = bench(Action::Allow, &[]);
    bench
        .engine
        .nested_began(1, 100, narrowing(Action::Deny, &[]));
    assert_eq!(verdict(&mut bench.engine, &[]), Some(Verdict::Allow));
    assert_eq!(verdict(&mut bench.engine, &[1]), Some(Verdict::Deny));
    bench.engine.nested_ended(1);
    assert_eq!(verdict(&mut bench.engine, &[1]), Some(Verdict::Allow));
}

#[test]
fn a_refusal_names_whose_it_is() {
    let mut bench = bench(Action::Allow, &[]);
    let rules = [(Action::Deny, "10.0.0.0/8")];
    bench
        .engine
        .nested_began(1, 4711, narrowing(Action::Allow, &rules));
    let call = in_runs(&[1], flow("curl", "10.0.0.1", 80));
    let (_, source) = ask(&mut bench.engine, 1, call).unwrap();
    assert_eq!(
        crate::render::source(&source),
        "flag: deny 10.0.0.0/8 of the nested run 4711 (make)"
    );
    // The session's own comes first.
    let mut strict = self::bench(Action::Deny, &[]);
    strict
        .engine
        .nested_began(1, 4711, narrowing(Action::Deny, &rules));
    let call = in_runs(&[1], flow("curl", "10.0.0.1", 80));
    let denied = ask(&mut strict.engine, 1, call).unwrap();
    assert_eq!(denied, (Verdict::Deny, Source::Default));
}

#[test]
fn an_allow_is_an_exception_from_its_own_run_only() {
    let rules = [(Action::Allow, "10.0.0.1")];
    for (session, expected) in [
        (Action::Allow, Some(Verdict::Allow)),
        (Action::Ask, None),
        (Action::Deny, Some(Verdict::Deny)),
    ] {
        let mut bench = bench(session, &[]);
        bench
            .engine
            .nested_began(1, 100, narrowing(Action::Deny, &rules));
        assert_eq!(verdict(&mut bench.engine, &[1]), expected, "{session}");
    }
}

#[test]
fn a_claimed_name_opens_nothing_in_a_nested_run_either() {
    let mut bench = bench(Action::Allow, &[]);
    let rules = [(Action::Allow, "a.test"), (Action::Deny, "b.test")];
    bench
        .engine
        .nested_began(1, 100, narrowing(Action::Deny, &rules));
    bench.engine.trust_only_verified_names();
    let call = in_runs(&[1], named("curl", "203.0.113.1", 80, "a.test"));
    assert_eq!(
        bench.engine.names_wanted(&call, WALL)[0].name,
        "a.test",
        "it is looked up"
    );
    let (denied, source) = ask(&mut bench.engine, 1, call).unwrap();
    let reason = Fallback::NameNotVerified;
    assert_eq!(
        (denied, source),
        (Verdict::Deny, Source::Fallback { reason })
    );
    // Names of its rules are nobody else's business.
    let outside = flow("curl", "203.0.113.1", 80);
    assert!(bench.engine.names_wanted(&outside, WALL).is_empty());
}

#[test]
fn questions_of_different_askers_are_different_and_say_so() {
    let mut bench = bench(Action::Ask, &[]);
    let asks = || narrowing(Action::Allow, &[(Action::Ask, "@any")]);
    bench.engine.nested_began(1, 100, asks());
    bench.engine.nested_began(2, 200, asks());
    for (number, runs) in [(1, &[][..]), (2, &[1]), (3, &[1, 2]), (4, &[1])] {
        let call = in_runs(runs, flow("curl", "10.0.0.1", 80));
        assert_eq!(ask(&mut bench.engine, number, call), None);
    }
    let pending = bench.engine.pending(bench.now);
    let whys: Vec<(&str, usize)> = pending
        .iter()
        .map(|it| (it.why.as_str(), it.waiting))
        .collect();
    let none = "no rule matches, and the default is ask";
    let first = format!("{none}; and flag: ask @any of the nested run 100 (make)");
    let both = format!("{first}; and flag: ask @any of the nested run 200 (make)");
    assert_eq!(whys, [(none, 1), (first.as_str(), 2), (both.as_str(), 1)]);
    // One answer settles all that it covers.
    let run = answer(Verdict::Allow, For::Run, Scope::Host);
    let rule = bench.engine.plan(1, &run).unwrap();
    let settled = bench.engine.answer(1, &run, &rule, "x", bench.now, WALL);
    assert_eq!(settled, 4);
}

#[test]
fn an_answer_to_a_nested_question_does_not_open_the_session() {
    let rules = [(Action::Allow, "10.0.0.1")];
    let mut bench = bench(Action::Deny, &rules);
    let asks = narrowing(Action::Allow, &[(Action::Ask, "@any")]);
    bench.engine.nested_began(1, 100, asks);
    assert_eq!(verdict(&mut bench.engine, &[1]), None);
    let pending = bench.engine.pending(bench.now);
    assert!(!pending[0].may_save);
    let always = answer(Verdict::Allow, For::Always, Scope::Any);
    assert!(bench.engine.plan(1, &always).is_err());
    let wide = answer(Verdict::Allow, For::Run, Scope::Any);
    let rule = bench.engine.plan(1, &wide).unwrap();
    assert_eq!(
        bench.engine.answer(1, &wide, &rule, "x", bench.now, WALL),
        1
    );
    // It is not asked again.
    assert_eq!(verdict(&mut bench.engine, &[1]), Some(Verdict::Allow));
    // What the session refuses stays refused, inside and outside.
    for runs in [&[1][..], &[]] {
        let call = in_runs(runs, flow("curl", "10.0.0.2", 80));
        let (verdict, _) = ask(&mut bench.engine, 1, call).unwrap();
        assert_eq!(verdict, Verdict::Deny);
    }
    assert!(
        bench.engine.answers().0.is_empty(),
        "it is none of the session's"
    );
}

#[test]
fn a_wide_answer_to_a_nested_question_settles_none_of_the_sessions() {
    let rules = [(Action::Allow, "10.0.0.1")];
    let mut bench = bench(Action::Ask, &rules);
    let asks = narrowing(Action::Allow, &[(Action::Ask, "10.0.0.1")]);
    bench.engine.nested_began(1, 100, asks);
    let own = flow("curl", "10.0.0.9", 80);
    assert_eq!(ask(&mut bench.engine, 1, own.clone()), None);
    let inside = in_runs(&[1], flow("curl", "10.0.0.1", 80));
    assert_eq!(ask(&mut bench.engine, 2, inside), None);
    let wide = answer(Verdict::Allow, For::Run, Scope::Any);
    let offers = bench.engine.pending(bench.now)[1].offers.clone();
    assert!(offers.iter().all(|offer| offer.settles == 1), "{offers:?}");
    let rule = bench.engine.plan(2, &wide).unwrap();
    assert_eq!(
        bench.engine.answer(2, &wide, &rule, "x", bench.now, WALL),
        1
    );
    assert_eq!(
        bench.engine.pending(bench.now).len(),
        1,
        "the session's waits on"
    );
    assert_eq!(ask(&mut bench.engine, 3, own), None);
    // A refusal narrows, and so counts for everybody.
    let inside = in_runs(&[1], flow("wget", "10.0.0.1", 80));
    assert_eq!(ask(&mut bench.engine, 4, inside), None);
    let id = bench.engine.pending(bench.now)[1].id;
    let no = answer(Verdict::Deny, For::Run, Scope::Host);
    let rule = bench.engine.plan(id, &no).unwrap();
    bench.engine.answer(id, &no, &rule, "x", bench.now, WALL);
    let outside = flow("wget", "10.0.0.1", 80);
    assert_eq!(ask(&mut bench.engine, 5, outside).unwrap().0, Verdict::Deny);
}

#[test]
fn an_answer_of_before_settles_what_a_nested_run_asks() {
    let mut bench = bench(Action::Ask, &[]);
    assert_eq!(verdict(&mut bench.engine, &[]), None);
    let run = answer(Verdict::Allow, For::Run, Scope::Host);
    let rule = bench.engine.plan(1, &run).unwrap();
    bench.engine.answer(1, &run, &rule, "x", bench.now, WALL);
    let asks = narrowing(Action::Allow, &[(Action::Ask, "@any")]);
    bench.engine.nested_began(1, 100, asks);
    assert_eq!(verdict(&mut bench.engine, &[1]), Some(Verdict::Allow));
    // But not what it denies.
    let denies = narrowing(Action::Allow, &[(Action::Deny, "10.0.0.1")]);
    bench.engine.nested_began(2, 200, denies);
    assert_eq!(verdict(&mut bench.engine, &[1, 2]), Some(Verdict::Deny));
}

#[test]
fn an_answer_for_once_is_for_the_same_askers() {
    let mut bench = bench(Action::Allow, &[]);
    let asks = || narrowing(Action::Allow, &[(Action::Ask, "@any")]);
    bench.engine.nested_began(1, 100, asks());
    bench.engine.nested_began(2, 200, asks());
    assert_eq!(verdict(&mut bench.engine, &[1]), None);
    let once = answer(Verdict::Allow, For::Once, Scope::Host);
    let rule = bench.engine.plan(1, &once).unwrap();
    assert_eq!(
        bench.engine.answer(1, &once, &rule, "x", bench.now, WALL),
        1
    );
    let settled = bench.engine.take_effects();
    assert!(settled.iter().any(|effect| matches!(
        effect,
        Effect::Settle {
            verdict: Verdict::Allow,
            ..
        }
    )));
    assert_eq!(verdict(&mut bench.engine, &[1]), None, "asked again");
}

#[test]
fn a_run_that_asks_nobody_refuses_and_answers_still_count() {
    let mut bench = bench(Action::Ask, &[]);
    let asks = Narrowing {
        asks_nobody: true,
        ..narrowing(Action::Ask, &[])
    };
    bench.engine.nested_began(1, 100, asks);
    assert_eq!(verdict(&mut bench.engine, &[1]), Some(Verdict::Deny));
    assert_eq!(verdict(&mut bench.engine, &[]), None);
    let run = answer(Verdict::Allow, For::Run, Scope::Host);
    let rule = bench.engine.plan(1, &run).unwrap();
    bench.engine.answer(1, &run, &rule, "x", bench.now, WALL);
    assert_eq!(verdict(&mut bench.engine, &[1]), Some(Verdict::Allow));
}

#[test]
fn calls_are_counted_for_each_run_they_are_made_in() {
    let mut bench = bench(Action::Allow, &[]);
    bench
        .engine
        .nested_began(1, 100, narrowing(Action::Allow, &[]));
    bench
        .engine
        .nested_began(2, 200, narrowing(Action::Deny, &[]));
    for runs in [&[][..], &[1], &[1, 2], &[2]] {
        verdict(&mut bench.engine, runs);
    }
    let totals = |id| {
        let totals = bench.engine.nested_totals(id);
        (totals.allowed, totals.denied)
    };
    assert_eq!(totals(1), (1, 1));
    assert_eq!(totals(2), (0, 2));
    let all = bench.engine.totals();
    assert_eq!((all.allowed, all.denied), (2, 2));
}

#[test]
fn kept_verdicts_end_where_a_run_begins_or_ends() {
    let mut bench = bench(Action::Allow, &[]);
    let before = bench.engine.generation();
    bench
        .engine
        .nested_began(1, 100, narrowing(Action::Deny, &[]));
    let during = bench.engine.generation();
    bench.engine.nested_ended(1);
    assert!(before < during && during < bench.engine.generation());
    // A name could change it: it must not be kept.
    let rules = [(Action::Allow, "a.test")];
    bench
        .engine
        .nested_began(2, 200, narrowing(Action::Deny, &rules));
    let call = in_runs(&[2], named("curl", "203.0.113.1", 80, "a.test"));
    let (allowed, source) = ask(&mut bench.engine, 1, call.clone()).unwrap();
    assert_eq!(allowed, Verdict::Allow);
    assert!(!bench.engine.may_be_kept(&call, &source, WALL));
    assert!(bench.engine.may_be_kept(&in_runs(&[], call), &source, WALL));
}

#[test]
fn names_of_nested_rules_count_where_who_brought_them_may_ask_name_servers() {
    let mut bench = bench(Action::Allow, &[]);
    bench.engine.trust_only_verified_names();
    let environment = Environment {
        nameservers: vec![[10, 0, 0, 53].into()],
        ..Environment::default()
    };
    bench
        .engine
        .environment_changed(environment, bench.now, WALL);
    let rules = [(Action::Deny, "10.0.0.53"), (Action::Deny, "evil.test")];
    let outer = narrowing(Action::Allow, &rules);
    bench.engine.nested_began(1, 100, outer);
    // A process of the first run, which may not ask name servers, must not have names told to them.
    let inner = narrowing(Action::Allow, &[(Action::Deny, "secret.test")]);
    bench.engine.nested_began(2, 200, inner);
    let wanted = |runs: &[RunId]| {
        let call = in_runs(runs, flow("curl", "10.0.0.1", 80));
        let wanted = bench.engine.names_wanted(&call, WALL);
        wanted.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(wanted(&[1]), ["evil.test"]);
    assert_eq!(wanted(&[1, 2]), ["evil.test"]);
    assert_eq!(wanted(&[2]), ["secret.test"]);
    assert!(wanted(&[]).is_empty());
}

#[test]
fn a_name_that_a_nested_run_could_not_open_is_looked_up_by_the_others_only() {
    let mut bench = bench(Action::Allow, &[]);
    let opens = narrowing(Action::Deny, &[(Action::Allow, "one.test")]);
    bench.engine.nested_began(1, 100, opens);
    bench
        .engine
        .nested_began(2, 200, narrowing(Action::Allow, &[]));
    let could = |name, runs: &[RunId]| bench.engine.could_open_name(name, runs);
    assert!(could("one.test", &[1]) && could("one.test", &[1, 2]));
    assert!(!could("other.test", &[1]) && !could("other.test", &[1, 2]));
    assert!(could("other.test", &[2]) && could("other.test", &[]));
}
