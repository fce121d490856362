//! The window's promises, by a clock that is turned by hand.

mod answers;
mod arming;

use super::samples::question;
use super::*;
use hallpass_policy::Protocol;
use hallpass_session::control::protocol::{Answer, Duration, Question, Scope};
use hallpass_session::verdict::{Source, Verdict};
use std::time::Duration as Span;

const SURPRISE: Span = crate::model::arming::SURPRISE;
const EXPECTED: Span = crate::model::arming::EXPECTED;
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
        denies_rest: false,
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
fn the_rest_of_a_session_is_denied_until_it_is_released() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test"), (2, "npm", "b.test")]);
    bench.press(Press::DenyRest);
    assert_eq!(bench.front(), None);
    let command = bench.model.take_commands().remove(0);
    assert_eq!(command.call, Call::DenyRest);
    bench.report(Report::Replied(command.ticket, Ok(2)));
    assert!(bench.model.sessions().get("s").unwrap().denies_rest);

    bench.model.halt("s", false);
    let command = bench.model.take_commands().remove(0);
    assert_eq!(command.call, Call::Release);
    bench.report(Report::Replied(command.ticket, Ok(0)));
    assert!(!bench.model.sessions().get("s").unwrap().denies_rest);
}

#[test]
fn a_rest_that_could_not_be_denied_is_asked_for_again() {
    let mut bench = Bench::asked(&[(1, "curl", "a.test")]);
    bench.press(Press::DenyRest);
    let command = bench.model.take_commands().remove(0);
    bench.report(Report::Replied(command.ticket, Err("no".to_owned())));
    assert_eq!(bench.calls(), [Call::Pending]);
    assert!(!bench.model.sessions().get("s").unwrap().denies_rest);
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
