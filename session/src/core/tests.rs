//! Equal calls: decided once, counted exactly, and decided anew when anything has changed.

use super::{Asked, Config, Core, Way};
use crate::control::protocol::{Answer, Duration as For, Scope};
use crate::control::{Controlled, Wants};
use crate::event::{Event, Kind};
use crate::flow::{Flow, Name, Trust};
use crate::hold::Hold;
use crate::verdict::{Fallback, Verdict};
use hallpass_policy::{Action, Environment, Layer, Policy, Protocol, Rule};
use std::sync::{Arc, Mutex};

struct Watched {
    core: Core,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Core {
    /// With these rules, and `ask` where none matches; and what it tells.
    pub(crate) fn for_tests(rules: &[(Action, &str)]) -> (Self, Arc<Mutex<Vec<Event>>>) {
        let mut policy = Policy::new();
        policy.set_default(Action::Ask);
        let rules = rules
            .iter()
            .map(|(action, to)| Rule::new(*action, vec![to.parse().unwrap()]));
        policy.set_layer(Layer::Flag, rules.collect());
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let sink = Arc::clone(&events);
        let core = Self::new(Config {
            session: "1-00000000".to_owned(),
            command: vec!["test".to_owned()],
            policy,
            environment: Environment::default(),
            saved: None,
            ask_timeout: None,
            audit: false,
            client_expected_within: None,
            hold: Hold::Block,
            sinks: vec![Box::new(move |event| {
                sink.lock().unwrap().push(event.clone())
            })],
            page: None,
        });
        (core, events)
    }
}

/// With these rules, `ask` where none matches, and somebody to ask.
fn watched(rules: &[(Action, &str)]) -> Watched {
    let (core, events) = Core::for_tests(rules);
    core.trust_only_verified_names();
    Watched { core, events }
}

fn flow(address: &str) -> Flow {
    let address: std::net::IpAddr = address.parse().unwrap();
    Flow {
        pid: 7,
        ..Flow::of_nobody(address, 80)
    }
}

fn way(flow: &Flow) -> Way {
    Way {
        pid: flow.pid,
        protocol: flow.protocol,
        to: (flow.address.ip().unwrap(), flow.port).into(),
    }
}

impl Watched {
    fn first(&self, flow: &Flow) -> Option<Verdict> {
        let generation = self.core.repeats_generation();
        self.core.ask_rules(flow, way(flow), generation)
    }

    fn again(&self, flow: &Flow) -> Option<Verdict> {
        self.core.ask_again(way(flow), &flow.app)
    }

    /// Counts of `decided` events.
    fn counts(&self) -> Vec<(Verdict, u64)> {
        let events = self.events.lock().unwrap();
        let decided = events.iter().filter_map(|event| match event.kind {
            Kind::Decided { verdict, count, .. } => Some((verdict, count)),
            _ => None,
        });
        decided.collect()
    }
}

#[test]
fn equal_calls_get_the_same_verdict_and_are_counted() {
    let it = watched(&[(Action::Allow, "10.0.0.1"), (Action::Deny, "10.0.0.2")]);
    let (good, bad) = (flow("10.0.0.1"), flow("10.0.0.2"));
    assert_eq!(it.again(&good), None, "nothing is known yet");
    assert_eq!(it.first(&good), Some(Verdict::Allow));
    assert_eq!(it.first(&bad), Some(Verdict::Deny));
    for _ in 0..5 {
        assert_eq!(it.again(&good), Some(Verdict::Allow));
    }
    assert_eq!(it.again(&bad), Some(Verdict::Deny));
    assert_eq!(it.core.totals().allowed, 6);
    let totals = it.core.shut_down(Fallback::SessionEnding);
    assert_eq!((totals.allowed, totals.denied), (6, 2));
    let mut counts = it.counts();
    counts.sort_unstable_by_key(|(_, count)| *count);
    assert_eq!(
        counts,
        [
            (Verdict::Allow, 1),
            (Verdict::Deny, 1),
            (Verdict::Deny, 1),
            (Verdict::Allow, 5)
        ]
    );
    assert_eq!(it.again(&good), None, "the session is over");
}

#[test]
fn a_caller_that_waits_hears_before_its_call_is_recorded() {
    let it = watched(&[(Action::Deny, "10.0.0.2")]);
    let mut heard = None;
    let at_once = |verdict, _: &_, _| heard = Some((verdict, it.counts()));
    it.core.ask_at_once(flow("10.0.0.2"), at_once, |_, _| {});
    assert_eq!(heard, Some((Verdict::Deny, Vec::new())));
    assert_eq!(it.counts(), [(Verdict::Deny, 1)]);
    it.core.subscribe(Wants::ASKS, "test", Box::new(|_| true));
    let nobody_hears = |_, _: &_, _| panic!("it is held");
    let asked = it
        .core
        .ask_at_once(flow("10.0.0.3"), nobody_hears, |_, _| {});
    assert!(matches!(asked, Asked::Held(_)), "{asked:?}");
}

#[test]
fn another_program_or_another_place_is_another_call() {
    let it = watched(&[(Action::Allow, "10.0.0.0/8")]);
    let first = flow("10.0.0.1");
    it.first(&first);
    // The same process after an exec, however alike the two are.
    assert_eq!(it.again(&flow("10.0.0.1")), None);
    let to = |flow: Flow| it.core.ask_again(way(&flow), &first.app);
    assert_eq!(to(flow("10.0.0.2")), None);
    assert_eq!(
        to(Flow {
            pid: 8,
            ..flow("10.0.0.1")
        }),
        None
    );
    assert_eq!(
        to(Flow {
            port: 81,
            ..flow("10.0.0.1")
        }),
        None
    );
    let protocol = Protocol::Udp;
    assert_eq!(
        to(Flow {
            protocol,
            ..flow("10.0.0.1")
        }),
        None
    );
    assert_eq!(it.again(&first), Some(Verdict::Allow));
}

#[test]
fn what_the_rules_leave_open_has_not_happened() {
    let it = watched(&[]);
    it.core.subscribe(Wants::ASKS, "test", Box::new(|_| true));
    assert_eq!(it.first(&flow("10.0.0.1")), None);
    assert!(it.counts().is_empty() && it.core.pending().is_empty());
}

#[test]
fn a_halt_an_answer_and_a_change_of_names_are_noticed_at_once() {
    let it = watched(&[(Action::Allow, "10.0.0.1")]);
    it.core.subscribe(Wants::ASKS, "test", Box::new(|_| true));
    let call = flow("10.0.0.1");
    let is_void = |why: &str| assert_eq!(it.again(&call), None, "{why}");
    it.first(&call);
    it.core.names_changed();
    is_void("names");
    assert_eq!(it.first(&call), Some(Verdict::Allow));
    it.core.halt();
    is_void("halted");
    assert_eq!(it.first(&call), None, "it would be held");
    it.core.release();
    assert_eq!(it.first(&call), Some(Verdict::Allow));
    // An answer to somebody else's question makes a rule that may be about this call as well.
    it.core.ask(flow("10.0.0.9"), |_, _| {});
    let answer = Answer {
        verdict: Verdict::Deny,
        duration: For::Run,
        scope: Scope::Any,
    };
    let question = it.core.pending()[0].id;
    it.core.answer(1, question, answer).unwrap();
    is_void("answered");
    assert_eq!(it.first(&call), Some(Verdict::Deny), "answers come first");
}

#[test]
fn what_changes_while_a_call_is_decided_counts() {
    let it = watched(&[(Action::Allow, "10.0.0.1")]);
    let call = flow("10.0.0.1");
    let generation = it.core.repeats_generation();
    // Between reading the names and deciding.
    it.core.names_changed();
    let verdict = it.core.ask_rules(&call, way(&call), generation);
    assert_eq!(verdict, Some(Verdict::Allow));
    assert_eq!(it.again(&call), None);
}

#[test]
fn an_answer_that_runs_out_is_given_no_more() {
    let it = watched(&[]);
    it.core.subscribe(Wants::ASKS, "test", Box::new(|_| true));
    let call = flow("10.0.0.1");
    it.core.ask(call.clone(), |_, _| {});
    let answer = Answer {
        verdict: Verdict::Allow,
        duration: For::Seconds(1),
        scope: Scope::Any,
    };
    let question = it.core.pending()[0].id;
    it.core.answer(1, question, answer).unwrap();
    assert_eq!(it.first(&call), Some(Verdict::Allow));
    assert_eq!(it.again(&call), Some(Verdict::Allow));
    // Nobody runs the clock: the verdict itself must know.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(it.again(&call), None);
    assert_eq!(it.first(&call), None, "it is to be asked about again");
}

#[test]
fn where_names_decide_only_sure_ones_may_be_built_on() {
    let it = watched(&[(Action::Allow, "10.0.0.0/8"), (Action::Deny, "bad.test")]);
    let named = |trust| Flow {
        names: vec![Name {
            trust,
            ..Name::claimed("a.test".to_owned())
        }],
        ..flow("10.0.0.1")
    };
    let claimed = named(Trust::Claimed);
    assert_eq!(it.first(&claimed), Some(Verdict::Allow));
    assert_eq!(it.again(&claimed), None);
    let sure = named(Trust::Verified);
    assert_eq!(it.first(&sure), Some(Verdict::Allow));
    assert_eq!(it.again(&sure), Some(Verdict::Allow));
}

#[test]
fn a_rule_with_a_date_is_looked_at_each_time() {
    let it = watched(&[(Action::Allow, "10.0.0.0/8")]);
    let mut policy = Policy::new();
    let mut rule = Rule::new(Action::Allow, vec!["10.0.0.0/8".parse().unwrap()]);
    rule.until = Some("2999-01-01T00:00:00Z".parse().unwrap());
    policy.set_layer(Layer::Flag, vec![rule]);
    let dated = {
        let mut state = it.core.lock();
        state.engine = crate::engine::Engine::new(
            crate::engine::Settings {
                ask_timeout: None,
                may_save: false,
                audit: false,
                client_expected_until: None,
                hold: Hold::Block,
            },
            policy,
            Environment::default(),
        );
        drop(state);
        it
    };
    let call = flow("10.0.0.1");
    assert_eq!(dated.first(&call), Some(Verdict::Allow));
    assert_eq!(dated.again(&call), None);
}

#[test]
fn no_count_is_lost_when_there_are_too_many_places() {
    let it = watched(&[(Action::Allow, "10.0.0.0/8")]);
    let calls = 3000;
    for n in 0..calls {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n);
        let call = flow(&address.to_string());
        assert_eq!(it.first(&call), Some(Verdict::Allow));
        assert_eq!(it.again(&call), Some(Verdict::Allow));
        // The same again, after an exec: what the one before had counted stays.
        let call = flow(&address.to_string());
        assert_eq!(it.first(&call), Some(Verdict::Allow));
    }
    assert_eq!(it.core.totals().allowed, u64::from(calls) * 3);
}

#[test]
fn a_session_in_which_nothing_happens_sleeps() {
    let it = watched(&[(Action::Allow, "10.0.0.0/8")]);
    it.first(&flow("10.0.0.1"));
    assert!(it.core.lock().next_deadline().is_some());
    for _ in 0..30 {
        let _ = it.core.totals();
    }
    assert!(it.core.lock().next_deadline().is_none());
}
