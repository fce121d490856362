//! Which answers keys and clicks give.

use super::*;

#[test]
fn a_answers_with_what_is_preselected() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.press(Press::Allow);
    let expected = answered(1, Verdict::Allow, Duration::Run, Scope::Host);
    assert_eq!(bench.calls(), [expected]);
    assert_eq!(bench.front(), None);
    bench.press(Press::Allow);
    assert_eq!(bench.calls(), [], "a question is answered once");
}

#[test]
fn numbers_and_arrows_change_how_long_and_how_wide() {
    let mut bench = Bench::asked(&[(1, "curl", "a.b.test")]);
    for key in [Press::Length(3), Press::Narrower, Press::Deny] {
        bench.press(key);
    }
    let expected = answered(1, Verdict::Deny, Duration::Seconds(300), Scope::Port);
    assert_eq!(bench.calls(), [expected]);
    bench.ask(question(2, "wget", "a.b.test"));
    bench.wait(SURPRISE);
    for key in [Press::Length(4), Press::Wider, Press::Allow] {
        bench.press(key);
    }
    let expected = answered(2, Verdict::Allow, Duration::Always, Scope::Domain);
    assert_eq!(bench.calls(), [expected]);
}

#[test]
fn escape_refuses_the_front_question_and_makes_no_rule() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test"), (2, "npm", "b.test")]);
    bench.press(Press::Refuse);
    assert_eq!(bench.calls(), [Call::Dismiss { question: 1 }]);
    assert_eq!(bench.front(), Some(2));
}

#[test]
fn escape_leaves_an_edit_first() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.press(Press::Edit);
    assert_eq!(bench.model.edit().unwrap().text, "a.test");
    bench.press(Press::Refuse);
    assert!(bench.model.edit().is_none());
    assert_eq!(bench.calls(), []);
}

#[test]
fn an_edited_rule_must_cover_the_call() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.press(Press::Edit);
    bench.model.edit_mut().unwrap().text = "b.test".to_owned();
    bench.press(Press::Allow);
    assert_eq!(bench.calls(), []);
    assert!(
        bench
            .model
            .edit_problem()
            .unwrap()
            .contains("does not cover")
    );
    bench.model.edit_mut().unwrap().text = "*.test, 10.0.0.0/8".to_owned();
    bench.press(Press::Allow);
    let to = ["*.test", "10.0.0.0/8"].map(str::to_owned).to_vec();
    let expected = Call::AnswerTo {
        question: 1,
        verdict: Verdict::Allow,
        duration: Duration::Run,
        to,
    };
    assert_eq!(bench.calls(), [expected]);
}

#[test]
fn all_of_one_app_are_answered_together_and_no_others() {
    let mut bench = Bench::asked(&[
        (1, "curl", "a.test"),
        (2, "npm", "b.test"),
        (3, "curl", "c.test"),
    ]);
    bench.press(Press::Length(1));
    bench.press(Press::DenyAll);
    let denied = |id| answered(id, Verdict::Deny, Duration::Once, Scope::Host);
    assert_eq!(bench.calls(), [denied(1), denied(3)]);
    assert_eq!(bench.front(), Some(2));
}

#[test]
fn a_width_that_a_question_does_not_offer_becomes_its_host() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    let mut other = question(2, "curl", "b.test");
    other.offers.retain(|offer| offer.scope != Scope::Port);
    bench.ask(other);
    bench.press(Press::Narrower);
    bench.press(Press::AllowAll);
    let expected = [
        answered(1, Verdict::Allow, Duration::Run, Scope::Port),
        answered(2, Verdict::Allow, Duration::Run, Scope::Host),
    ];
    assert_eq!(bench.calls(), expected);
}

#[test]
fn the_last_length_is_preselected_for_its_app_only_and_never_for_good() {
    let mut bench = Bench::asked(&[
        (1, "curl", "a.test"),
        (2, "curl", "b.test"),
        (3, "npm", "b.test"),
    ]);
    bench.press(Press::Length(1));
    bench.press(Press::Wider);
    bench.press(Press::Allow);
    let choice = bench.model.choice().unwrap();
    assert_eq!(
        (choice.duration, choice.scope),
        (Duration::Once, Scope::Host)
    );
    bench.wait(EXPECTED);
    bench.press(Press::Length(4));
    bench.press(Press::Allow);
    assert_eq!(
        bench.model.choice().unwrap().duration,
        Duration::Run,
        "npm's own"
    );
    bench.ask(question(4, "curl", "d.test"));
    bench.wait(EXPECTED);
    bench.press(Press::Allow);
    assert_eq!(
        bench.model.choice().unwrap().duration,
        Duration::Run,
        "not for good"
    );
}

#[test]
fn a_refused_answer_brings_its_question_back_and_says_why() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.press(Press::Allow);
    let ticket = bench.model.take_commands()[0].ticket;
    bench.ask(question(1, "curl", "a.test"));
    assert_eq!(
        bench.front(),
        None,
        "news of it do not bring it back meanwhile"
    );
    bench.report(Report::Replied(ticket, Err("the disk is full".to_owned())));
    assert_eq!(bench.front(), Some(1));
    assert!(
        bench
            .model
            .notice()
            .unwrap()
            .text
            .contains("the disk is full")
    );
    bench.press(Press::Allow);
    assert_eq!(bench.calls(), [], "it came by surprise");
}

#[test]
fn a_program_that_asks_again_and_again_can_be_denied_for_the_run() {
    let mut bench = Bench::new();
    for id in 1..=3 {
        assert!(!bench.model.is_loop(bench.now));
        bench.ask(question(id, "curl", "a.test"));
        bench.wait(SURPRISE);
        bench.press(Press::Refuse);
    }
    bench.calls();
    bench.ask(question(4, "curl", "a.test"));
    assert!(bench.model.is_loop(bench.now));
    bench.wait(SURPRISE);
    bench.press(Press::DenyRun);
    let expected = answered(4, Verdict::Deny, Duration::Run, Scope::Host);
    assert_eq!(bench.calls(), [expected]);
}
