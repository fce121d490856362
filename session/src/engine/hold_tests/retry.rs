//! `--hold=retry`.

use super::*;

#[test]
fn a_call_is_told_no_and_its_question_stays_when_it_goes() {
    let mut bench = holding(Hold::Retry);
    assert_eq!(bench.ask(1, curl()), told_no());
    bench.engine.withdraw(1, false, bench.now);
    bench.pass(RETRY - SECOND);
    let pending = bench.pending();
    assert_eq!(pending.len(), 1);
    let asked = &pending[0];
    assert_eq!(
        (asked.hold, asked.waiting, asked.told_no),
        (Hold::Retry, 0, 1)
    );
    assert_eq!(asked.offers[0].settles, 1);
    assert_eq!(bench.settled(), []);
}

#[test]
fn an_answer_before_the_retry_is_for_it_and_for_it_only() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    assert_eq!(bench.answer(1, &once(Verdict::Allow)), 1);
    assert_eq!(bench.closed(), [(1, Some(Verdict::Allow))]);
    assert_eq!(bench.ask(2, curl()), person(Verdict::Allow));
    assert_eq!(bench.ask(3, curl()), told_no());
    assert_eq!(bench.pending()[0].id, 2);
}

#[test]
fn a_retry_before_the_answer_is_told_no_again_in_the_same_question() {
    let mut bench = holding(Hold::Retry);
    for ask in 1..=3 {
        assert_eq!(bench.ask(ask, curl()), told_no());
    }
    let pending = bench.pending();
    assert_eq!((pending.len(), pending[0].told_no), (1, 3));
    bench.answer(1, &run(Verdict::Allow));
    assert!(is_by_rule(&bench.ask(4, curl()), Verdict::Allow));
    assert!(is_by_rule(&bench.ask(5, curl()), Verdict::Allow));
    assert_eq!(bench.pending(), []);
}

#[test]
fn a_denied_retry_is_denied_without_another_question() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.answer(1, &once(Verdict::Deny));
    assert_eq!(bench.ask(2, curl()), person(Verdict::Deny));
    assert_eq!(bench.pending(), []);
    assert_eq!(bench.engine.totals().denied, 2);
}

#[test]
fn a_question_is_given_up_ten_minutes_after_the_last_try() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.pass(RETRY - SECOND);
    bench.ask(2, curl());
    bench.pass(RETRY - SECOND);
    assert_eq!(bench.pending().len(), 1);
    let deadline = bench.engine.next_deadline().unwrap();
    assert_eq!(deadline, bench.now + SECOND);
    bench.pass(SECOND);
    assert_eq!(bench.pending(), []);
    assert_eq!(bench.closed(), [(1, None)]);
    assert_eq!(bench.ask(3, curl()), told_no());
}

#[test]
fn an_answer_for_once_is_given_up_ten_minutes_later() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.answer(1, &once(Verdict::Allow));
    bench.pass(RETRY);
    assert_eq!(bench.ask(2, curl()), told_no());
}

#[test]
fn the_same_question_from_two_processes_has_one_answer_for_the_first_to_retry() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, from_process(7, curl()));
    bench.ask(2, from_process(8, curl()));
    assert_eq!(bench.pending().len(), 1);
    bench.answer(1, &once(Verdict::Allow));
    let second = bench.ask(3, from_process(8, curl()));
    assert_eq!(second, person(Verdict::Allow));
    assert_eq!(bench.ask(4, from_process(7, curl())), told_no());
}

#[test]
fn one_try_goes_through_a_hosts_addresses_and_then_is_over() {
    let mut bench = holding(Hold::Retry);
    let to = |address: &str| named("curl", address, 443, "www.example.com");
    bench.ask(1, to("2001:db8::1"));
    bench.ask(2, to("198.51.100.1"));
    assert_eq!(bench.pending().len(), 1);
    bench.answer(1, &once(Verdict::Allow));
    assert_eq!(bench.ask(3, to("2001:db8::1")), person(Verdict::Allow));
    bench.pass(TRY / 2);
    assert_eq!(bench.ask(4, to("198.51.100.1")), person(Verdict::Allow));
    assert_eq!(bench.ask(5, to("198.51.100.1")), told_no());
    bench.answer(2, &once(Verdict::Allow));
    assert_eq!(bench.ask(6, to("2001:db8::1")), person(Verdict::Allow));
    bench.pass(TRY);
    assert_eq!(bench.ask(7, to("198.51.100.1")), told_no());
}

#[test]
fn an_answer_is_for_no_other_app_port_or_host() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.answer(1, &once(Verdict::Allow));
    for other in [
        flow("wget", "192.0.2.1", 80),
        flow("curl", "192.0.2.1", 81),
        flow("curl", "192.0.2.2", 80),
    ] {
        assert_eq!(bench.ask(2, other), told_no());
    }
    assert_eq!(bench.ask(3, curl()), person(Verdict::Allow));
}

#[test]
fn a_wide_answer_is_for_the_next_try_of_each_question_it_covers() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.ask(2, flow("curl", "192.0.2.9", 443));
    bench.ask(3, flow("wget", "192.0.2.9", 443));
    let anywhere = answer(Verdict::Allow, For::Once, Scope::Any);
    assert_eq!(bench.answer(1, &anywhere), 2);
    assert_eq!(bench.pending().len(), 1);
    let other = bench.ask(4, flow("curl", "192.0.2.9", 443));
    assert_eq!(other, person(Verdict::Allow));
    assert_eq!(bench.ask(5, curl()), person(Verdict::Allow));
}

#[test]
fn a_rule_edit_answers_what_was_told_no() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.set_saved(vec![rule(Action::Allow, "192.0.2.1")]);
    assert_eq!(bench.closed(), [(1, Some(Verdict::Allow))]);
    assert!(is_by_rule(&bench.ask(2, curl()), Verdict::Allow));
}

#[test]
fn a_rule_made_meanwhile_comes_before_an_answer_for_once() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.answer(1, &once(Verdict::Allow));
    bench.set_saved(vec![rule(Action::Deny, "192.0.2.1")]);
    assert!(is_by_rule(&bench.ask(2, curl()), Verdict::Deny));
}

#[test]
fn a_halt_holds_retries_and_puts_their_questions_aside() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.ask(2, flow("curl", "192.0.2.2", 80));
    bench.engine.halt();
    assert_eq!(bench.pending(), []);
    assert_eq!(bench.ask(3, curl()), Step::Held);
    bench.set_saved(vec![rule(Action::Allow, "192.0.2.2")]);
    bench.engine.release(bench.now, WALL);
    let waiting = fallback(Fallback::WaitingForAnswer);
    assert_eq!(bench.settled(), [(3, Verdict::Deny, waiting)]);
    let pending = bench.pending();
    assert_eq!((pending.len(), pending[0].told_no), (1, 2));
    bench.answer(pending[0].id, &once(Verdict::Allow));
    assert_eq!(bench.ask(4, curl()), person(Verdict::Allow));
}

#[test]
fn what_a_halt_puts_aside_is_given_up_in_time() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.engine.halt();
    bench.pass(RETRY);
    bench.engine.release(bench.now, WALL);
    assert_eq!(bench.pending(), []);
}

#[test]
fn an_answer_for_once_survives_a_halt() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.answer(1, &once(Verdict::Allow));
    bench.settled();
    bench.engine.halt();
    assert_eq!(bench.ask(2, curl()), Step::Held);
    bench.engine.release(bench.now, WALL);
    assert!(matches!(
        bench.settled()[..],
        [(2, Verdict::Allow, Source::Person { .. })]
    ));
}

#[test]
fn a_question_that_nobody_is_held_by_waits_for_whoever_comes() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.engine.client_left(PERSON, bench.now);
    assert_eq!(bench.pending().len(), 1);
    assert_eq!(bench.ask(2, curl()), told_no());
    bench.answer(1, &once(Verdict::Allow));
    assert_eq!(bench.ask(3, curl()), person(Verdict::Allow));
}

#[test]
fn an_ask_timeout_closes_the_question_and_the_next_try_asks_again() {
    let mut bench = Bench::with(Some(10 * SECOND), &[]);
    bench.engine.settings.hold = Hold::Retry;
    bench.ask(1, curl());
    assert_eq!(bench.pending()[0].time_left_ms, Some(10_000));
    bench.pass(10 * SECOND);
    assert_eq!(bench.closed(), [(1, Some(Verdict::Deny))]);
    assert_eq!(bench.ask(2, curl()), told_no());
    assert_eq!(bench.pending()[0].id, 2);
}

#[test]
fn a_closed_question_makes_no_rule_and_no_pass() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    assert_eq!(bench.engine.dismiss(1, "terminal"), Ok(0));
    assert_eq!(bench.ask(2, curl()), told_no());
}

#[test]
fn a_flood_of_retries_and_of_questions_is_bounded() {
    let mut bench = holding(Hold::Retry);
    for n in 0..MAX_QUESTIONS_PER_APP {
        let port = u16::try_from(n + 1).unwrap();
        assert_eq!(
            bench.ask(n as u64, flow("curl", "192.0.2.1", port)),
            told_no()
        );
    }
    let too_many = Step::Decided(Verdict::Deny, fallback(Fallback::TooManyWaiting));
    assert_eq!(bench.ask(9_000, flow("curl", "192.0.2.1", 9_000)), too_many);
    bench.settled();
    for ask in 9_001..19_000 {
        bench.ask(ask, flow("curl", "192.0.2.1", 1));
    }
    bench.settled();
    assert!(
        !bench.effects.contains(&Effect::Show(1)),
        "clients are flooded"
    );
    bench.pass(crate::engine::REFRESH);
    bench.settled();
    assert!(bench.effects.contains(&Effect::Show(1)));
    assert_eq!(bench.pending()[0].told_no, 10_000);
}

#[test]
fn the_end_closes_what_was_told_no() {
    let mut bench = holding(Hold::Retry);
    bench.ask(1, curl());
    bench.engine.halt();
    bench.engine.refuse_all(Fallback::SessionEnding);
    bench.engine.release(bench.now, WALL);
    assert_eq!(bench.pending(), []);
}

#[test]
fn all_addresses_of_a_name_that_does_not_count_are_answered_for() {
    let mut bench = holding(Hold::Retry);
    let to = |address: &str| named("curl", address, 80, "www.example.com");
    bench.ask(1, to("127.0.0.1"));
    bench.ask(2, to("127.0.0.2"));
    bench.answer(1, &run(Verdict::Allow));
    assert!(is_by_rule(&bench.ask(3, to("127.0.0.1")), Verdict::Allow));
    assert!(is_by_rule(&bench.ask(4, to("127.0.0.2")), Verdict::Allow));
    assert_eq!(bench.ask(5, to("127.0.0.3")), told_no());
}
