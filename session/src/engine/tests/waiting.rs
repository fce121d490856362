//! Who waits for an answer, how long, and how many at once.

use super::{Bench, PERSON, answer, fallback, flow, rule};
use crate::control::protocol::{Duration as For, Scope};
use crate::engine::{Effect, GRACE, MAX_QUESTIONS_PER_APP, MAX_WAITING_PER_APP, REFRESH, Step};
use crate::verdict::{Fallback, Verdict};
use hallpass_policy::Action;
use std::time::Duration;

#[test]
fn with_nobody_to_ask_a_call_is_refused_by_that_name() {
    let mut bench = Bench::nobody(None);
    let step = bench.ask(1, flow("curl", "192.0.2.1", 80));
    assert_eq!(
        step,
        Step::Decided(Verdict::Deny, fallback(Fallback::NobodyToAsk))
    );
}

#[test]
fn with_nobody_there_but_a_timeout_a_call_waits_for_a_shell() {
    let mut bench = Bench::nobody(Some(Duration::from_secs(30)));
    assert_eq!(bench.ask(1, flow("curl", "192.0.2.1", 80)), Step::Held);
    assert_eq!(bench.pending()[0].time_left_ms, Some(30_000));
    bench.answer(1, &answer(Verdict::Allow, For::Once, Scope::Port));
    assert_eq!(bench.settled()[0].1, Verdict::Allow);
}

#[test]
fn who_is_expected_is_waited_for_and_then_no_longer() {
    let mut bench = Bench::nobody(None);
    bench.engine.settings.client_expected_until = Some(bench.now + Duration::from_secs(5));
    assert_eq!(bench.ask(1, flow("curl", "192.0.2.1", 80)), Step::Held);
    assert_eq!(bench.engine.next_deadline(), Some(bench.now + REFRESH));
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.settled(), []);
    bench.pass(Duration::from_secs(1));
    assert_eq!(
        bench.settled(),
        [(1, Verdict::Deny, fallback(Fallback::NobodyToAsk))]
    );
}

#[test]
fn a_timeout_refuses_what_waits_and_writes_no_rule() {
    let mut bench = Bench::with(Some(Duration::from_secs(10)), &[]);
    bench.engine.client_joined(PERSON);
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.pass(Duration::from_millis(9_999));
    assert_eq!(bench.settled(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(
        bench.settled(),
        [(1, Verdict::Deny, fallback(Fallback::Timeout))]
    );
    assert_eq!(bench.ask(2, flow("curl", "192.0.2.1", 80)), Step::Held);
}

#[test]
fn a_touch_stops_the_clock_until_the_client_leaves() {
    let mut bench = Bench::with(Some(Duration::from_secs(10)), &[]);
    bench.engine.client_joined(PERSON);
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.pass(Duration::from_secs(4));
    bench.engine.touch(1, PERSON, bench.now).unwrap();
    assert_eq!(bench.pending()[0].time_left_ms, None);
    bench.pass(Duration::from_secs(100));
    assert_eq!(bench.settled(), []);
    bench.engine.client_left(PERSON, bench.now);
    assert_eq!(bench.pending()[0].time_left_ms, Some(6_000));
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.settled().len(), 1);
}

#[test]
fn closing_a_question_refuses_what_waits_and_writes_no_rule() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    assert_eq!(bench.engine.dismiss(1, "terminal"), Ok(1));
    assert_eq!(
        bench.settled(),
        [(1, Verdict::Deny, fallback(Fallback::Dismissed))]
    );
    assert_eq!(bench.ask(2, flow("curl", "192.0.2.1", 80)), Step::Held);
    assert!(bench.engine.dismiss(1, "terminal").is_err());
}

#[test]
fn a_question_goes_with_its_last_caller() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.ask(2, flow("curl", "192.0.2.1", 80));
    bench.engine.withdraw(1, false, bench.now);
    assert_eq!(bench.pending()[0].waiting, 1);
    bench.engine.withdraw(2, false, bench.now);
    assert_eq!(bench.pending(), []);
    assert_eq!(bench.settled(), []);
    let closed = bench
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Close { verdict: None, .. }));
    assert!(closed);
}

#[test]
fn a_caller_that_runs_a_signal_handler_finds_its_question_again() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.engine.withdraw(1, true, bench.now);
    bench.pass(GRACE / 2);
    bench.ask(2, flow("curl", "192.0.2.1", 80));
    bench.pass(GRACE * 2);
    let pending = bench.pending();
    assert_eq!(
        (pending.len(), pending[0].id, pending[0].waiting),
        (1, 1, 1)
    );
    bench.engine.withdraw(2, true, bench.now);
    bench.pass(GRACE);
    assert_eq!(bench.pending(), []);
}

#[test]
fn a_halt_holds_everything_and_asks_nobody() {
    let mut bench = Bench::with(None, &[rule(Action::Allow, "192.0.2.1")]);
    bench.engine.client_joined(PERSON);
    bench.ask(1, flow("curl", "192.0.2.2", 80));
    bench.engine.halt();
    assert_eq!(bench.ask(2, flow("curl", "192.0.2.1", 80)), Step::Held);
    assert_eq!(bench.pending(), []);
    bench.set_saved(vec![rule(Action::Allow, "@any")]);
    assert_eq!(bench.settled(), []);
    bench.set_saved(Vec::new());
    bench.engine.release(bench.now, jiff::Timestamp::UNIX_EPOCH);
    assert!(matches!(bench.settled()[..], [(2, Verdict::Allow, _)]));
    assert_eq!(bench.pending().len(), 1);
}

#[test]
fn the_last_client_leaving_refuses_what_waits_for_it() {
    let mut bench = Bench::new();
    bench.engine.client_joined(2);
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.engine.client_left(PERSON, bench.now);
    assert_eq!(bench.settled(), []);
    bench.engine.client_left(2, bench.now);
    assert_eq!(
        bench.settled(),
        [(1, Verdict::Deny, fallback(Fallback::NobodyToAsk))]
    );
}

#[test]
fn a_flood_of_calls_and_of_questions_is_bounded() {
    let mut bench = Bench::new();
    let too_many = Step::Decided(Verdict::Deny, fallback(Fallback::TooManyWaiting));
    let calls = u64::try_from(MAX_WAITING_PER_APP).unwrap();
    for ask in 0..calls {
        assert_eq!(bench.ask(ask, flow("curl", "192.0.2.1", 80)), Step::Held);
    }
    assert_eq!(bench.ask(calls, flow("curl", "192.0.2.1", 80)), too_many);
    assert_eq!(
        bench.ask(calls + 1, flow("wget", "192.0.2.1", 80)),
        Step::Held
    );

    let mut bench = Bench::new();
    for n in 0..MAX_QUESTIONS_PER_APP {
        let port = u16::try_from(n + 1).unwrap();
        assert_eq!(
            bench.ask(n as u64, flow("curl", "192.0.2.1", port)),
            Step::Held
        );
    }
    assert_eq!(bench.ask(9_000, flow("curl", "192.0.2.1", 9_000)), too_many);
    assert_eq!(
        bench.ask(9_001, flow("wget", "192.0.2.1", 9_000)),
        Step::Held
    );
}

#[test]
fn a_flood_tells_clients_ten_times_a_second_at_most() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.settled();
    for ask in 2..1000 {
        bench.ask(ask, flow("curl", "192.0.2.1", 80));
    }
    bench.settled();
    assert!(!bench.effects.contains(&Effect::Show(1)));
    bench.pass(REFRESH);
    bench.settled();
    assert_eq!(bench.effects, [Effect::Show(1)]);
    assert_eq!(bench.pending()[0].waiting, 999);
}

#[test]
fn the_end_refuses_everything_by_name() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.engine.halt();
    bench.ask(2, flow("curl", "192.0.2.1", 80));
    bench.engine.refuse_all(Fallback::SessionEnding);
    let settled = bench.settled();
    assert_eq!(settled.len(), 2);
    assert!(settled.iter().all(|(_, verdict, source)| {
        *verdict == Verdict::Deny && *source == fallback(Fallback::SessionEnding)
    }));
}
