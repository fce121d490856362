//! The window's promises, by a clock that is turned by hand.

use super::samples::question;
use super::*;
use hallpass_policy::Protocol;
use hallpass_session::control::protocol::{Answer, Duration, Scope};
use hallpass_session::verdict::Source;
use std::time::Duration as Span;

const SURPRISE: Span = arming::SURPRISE;
const EXPECTED: Span = arming::EXPECTED;
const TICK: Span = Span::from_millis(1);

struct Bench {
    model: Model,
    now: Instant,
}

fn hello(session: &str) -> Hello {
    Hello {
        re: 1,
        version: 1,
        session: session.to_owned(),
        pid: 7,
        command: vec!["make".to_owned()],
        terminal: Some("pts/3".to_owned()),
        halted: false,
        may_save: true,
    }
}

impl Bench {
    /// A window on screen, and a session.
    fn new() -> Self {
        let mut bench = Self {
            model: Model::default(),
            now: Instant::now(),
        };
        bench.report(Report::Joined(hello("s")));
        bench.model.shown(bench.now);
        bench.wait(SURPRISE);
        bench
    }

    /// With the first question in front, and armed.
    fn asked(asked: &[(u64, &str, &str)]) -> Self {
        let mut bench = Self::new();
        for (id, app, host) in asked {
            bench.ask(question(*id, app, host));
        }
        bench.wait(SURPRISE);
        bench
    }

    fn ask(&mut self, question: Question) {
        self.report(Report::Said(
            "s".to_owned(),
            Message::Question(Box::new(question)),
        ));
    }

    fn settled(&mut self, id: u64) {
        let message = Message::Settled {
            question: id,
            verdict: Some(Verdict::Allow),
            source: Some(Source::Person {
                by: "shell".to_owned(),
            }),
        };
        self.report(Report::Said("s".to_owned(), message));
    }

    fn report(&mut self, report: Report) {
        self.model.report(report, self.now);
    }

    fn wait(&mut self, span: Span) {
        self.now += span;
    }

    fn press(&mut self, key: Press) {
        self.model.press(key, self.now);
    }

    fn calls(&mut self) -> Vec<Call> {
        let commands = self.model.take_commands();
        commands.into_iter().map(|command| command.call).collect()
    }

    fn front(&self) -> Option<u64> {
        self.model.front().map(|item| item.key.question)
    }
}

fn answered(question: u64, verdict: Verdict, duration: Duration, scope: Scope) -> Call {
    Call::Answer {
        question,
        answer: Answer {
            verdict,
            duration,
            scope,
        },
    }
}

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
fn a_question_that_was_settled_does_not_come_back() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.press(Press::Allow);
    let ticket = bench.model.take_commands()[0].ticket;
    bench.settled(1);
    bench.report(Report::Replied(
        ticket,
        Err("question 1 does not wait".to_owned()),
    ));
    assert_eq!(bench.front(), None);
}

#[test]
fn a_session_takes_its_questions_along() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.report(Report::Left("s".to_owned()));
    assert_eq!(bench.front(), None);
    assert!(bench.model.sessions().is_empty());
}

#[test]
fn a_touch_stops_the_clock_once() {
    let mut bench = Bench::new();
    let mut timed = question(1, "curl", "a.test");
    timed.time_left_ms = Some(30_000);
    bench.ask(timed);
    assert_eq!(
        bench.model.front().unwrap().ends,
        Some(bench.now + Span::from_secs(30))
    );
    bench.model.touch();
    bench.model.touch();
    assert_eq!(bench.calls(), [Call::Touch { question: 1 }]);
    bench.ask(question(1, "curl", "a.test"));
    bench.model.touch();
    assert_eq!(bench.calls(), [], "no clock runs");
}

#[test]
fn closing_with_questions_says_so_first_and_then_refuses_all() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test"), (2, "npm", "b.test")]);
    assert!(!bench.model.close(bench.now));
    assert!(bench.model.closing());
    assert_eq!(bench.calls(), []);
    bench.press(Press::Allow);
    assert_eq!(bench.calls(), [], "keys do not reach what is behind");
    assert!(
        !bench.model.close(bench.now),
        "a double click on the close button is one"
    );
    bench.wait(EXPECTED);
    assert!(bench.model.close(bench.now));
    let refused = [1, 2].map(|question| Call::Dismiss { question });
    assert_eq!(bench.calls(), refused);
    assert!(bench.model.close(bench.now), "nothing waits any more");
}

#[test]
fn closing_can_be_thought_better_of() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.model.close(bench.now);
    bench.wait(EXPECTED);
    bench.press(Press::Refuse);
    assert!(!bench.model.closing());
    assert_eq!((bench.calls(), bench.front()), (Vec::new(), Some(1)));
    assert!(!bench.model.refuse_all(bench.now), "not without being told");
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

#[test]
fn halt_and_release_show_once_they_are_done() {
    let mut bench = Bench::new();
    bench.model.halt("s", true);
    assert!(!bench.model.sessions().get("s").unwrap().halted);
    let command = bench.model.take_commands().remove(0);
    assert_eq!(command.call, Call::Halt);
    bench.report(Report::Replied(command.ticket, Ok(0)));
    assert!(bench.model.sessions().get("s").unwrap().halted);
}

#[test]
fn a_flood_is_bounded() {
    let mut bench = Bench::new();
    for id in 0..2 * MAX_QUESTIONS as u64 {
        let mut asked = question(1, "curl", "a.test");
        asked.id = id;
        asked.protocol = Protocol::Udp;
        bench.ask(asked);
    }
    assert_eq!(bench.model.queue().len(), MAX_QUESTIONS);
    assert_eq!(bench.calls(), []);
    for id in 0..=MAX_QUESTIONS as u64 / 2 {
        bench.settled(id);
    }
    assert_eq!(
        bench.calls(),
        [Call::Pending],
        "the rest is asked for, once"
    );
}

#[test]
fn sums_are_asked_for_once_and_only_by_who_looks() {
    let mut bench = Bench::new();
    bench.ask(question(1, "curl", "printer.lan"));
    assert_eq!(bench.calls(), []);
    bench.wait(SURPRISE);
    bench.model.press(Press::Details, bench.now);
    let sum = Call::Checksum { question: 1 };
    assert_eq!(bench.calls(), [sum]);
    bench.model.press(Press::Details, bench.now);
    bench.model.press(Press::Details, bench.now);
    assert_eq!(bench.calls(), []);
    let key = bench.model.front().unwrap().key.clone();
    assert_eq!(bench.model.sums(&key), None);
    let other = Key {
        question: 2,
        ..key.clone()
    };
    bench.report(Report::Summed(other.clone(), Ok(Vec::new())));
    assert_eq!(bench.model.sums(&key), None);
    bench.report(Report::Summed(key.clone(), Err("gone".to_owned())));
    assert_eq!(bench.model.sums(&key), Some(&Err("gone".to_owned())));
    // The next question's are made as well while details are open.
    bench.ask(question(2, "curl", "printer.lan"));
    bench.model.press(Press::Deny, bench.now);
    assert!(bench.calls().contains(&Call::Checksum { question: 2 }));
    assert_eq!(bench.model.sums(&other), None);
}
