//! When keys and clicks count.

use super::*;

#[test]
fn nothing_counts_before_a_new_question_has_stood_for_700_ms() {
    let all = [
        Press::Allow,
        Press::Deny,
        Press::AllowAll,
        Press::DenyAll,
        Press::DenyRun,
        Press::Refuse,
        Press::Length(4),
        Press::Wider,
        Press::Edit,
        Press::Details,
        Press::Later,
    ];
    let mut bench = Bench::new();
    bench.ask(question(1, "curl", "a.test"));
    let before = bench.model.choice();
    bench.wait(SURPRISE - TICK);
    for key in all {
        bench.press(key);
        bench.model.click(key, bench.now);
    }
    assert_eq!(bench.calls(), []);
    assert_eq!((bench.front(), bench.model.choice()), (Some(1), before));
    assert!(bench.model.edit().is_none() && !bench.model.details() && !bench.model.take_later());
    bench.wait(TICK);
    bench.press(Press::Allow);
    assert_eq!(bench.calls().len(), 1);
}

#[test]
fn after_an_own_answer_the_next_question_takes_300_ms() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test"), (2, "curl", "b.test")]);
    bench.press(Press::Allow);
    bench.wait(EXPECTED - TICK);
    bench.press(Press::Allow);
    assert_eq!(bench.calls().len(), 1, "a double press answers one");
    bench.wait(TICK);
    bench.press(Press::Allow);
    assert_eq!(bench.calls().len(), 1);
    assert_eq!(bench.front(), None);
}

#[test]
fn a_front_question_that_somebody_else_settles_disarms() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test"), (2, "npm", "b.test")]);
    bench.settled(1);
    assert_eq!(bench.front(), Some(2));
    bench.wait(SURPRISE - TICK);
    bench.press(Press::Allow);
    assert_eq!(bench.calls(), []);
    bench.wait(TICK);
    bench.press(Press::Allow);
    assert_eq!(bench.calls().len(), 1);
}

#[test]
fn a_count_or_a_question_behind_never_disarms() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.press(Press::Length(1));
    let mut more = question(1, "curl", "a.test");
    more.waiting = 7;
    bench.ask(more);
    bench.ask(question(2, "npm", "b.test"));
    bench.settled(2);
    assert_eq!(bench.model.front().unwrap().question.waiting, 7);
    bench.press(Press::Allow);
    let expected = answered(1, Verdict::Allow, Duration::Once, Scope::Host);
    assert_eq!(bench.calls(), [expected], "and what was chosen stays");
}

#[test]
fn a_hidden_window_arms_anew_when_it_is_shown() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.model.hidden();
    bench.wait(Span::from_secs(60));
    bench.press(Press::Allow);
    bench.model.click(Press::Allow, bench.now);
    assert_eq!(bench.calls(), []);
    bench.model.shown(bench.now);
    bench.wait(SURPRISE - TICK);
    bench.press(Press::Allow);
    assert_eq!(bench.calls(), []);
    bench.model.shown(bench.now);
    bench.wait(TICK);
    bench.press(Press::Allow);
    assert_eq!(bench.calls().len(), 1);
}

#[test]
fn the_keyboard_coming_to_the_window_holds_keys_back_only() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test"), (2, "curl", "b.test")]);
    bench.model.keyboard_came(bench.now);
    bench.press(Press::Allow);
    assert_eq!(bench.calls(), []);
    bench.model.click(Press::Allow, bench.now);
    assert_eq!(bench.calls().len(), 1);
}
