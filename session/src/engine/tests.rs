use super::{
    Effect, Engine, GRACE, MAX_QUESTIONS_PER_APP, MAX_WAITING_PER_APP, Settings, SocketRules, Step,
};
use crate::address::{Address, Socket};
use crate::control::protocol::{Answer, Duration as For, Question, Scope};
use crate::event::Kind;
use crate::flow::{App, Flow, Name};
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Action, Environment, Layer, Policy, Protocol, Rule, Subject};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An engine with a clock that a test turns by hand.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) now: Instant,
    pub(super) effects: Vec<Effect>,
}

pub(super) const PERSON: u64 = 1;

pub(super) fn rule(action: Action, to: &str) -> Rule {
    Rule {
        action,
        to: vec![to.parse().unwrap()],
        app: None,
        note: None,
        until: None,
    }
}

pub(super) fn flow(app: &str, address: &str, port: u16) -> Flow {
    let subject = Subject {
        exe: format!("/usr/bin/{app}"),
        name: app.to_owned(),
        ..Subject::default()
    };
    Flow {
        pid: 7,
        app: Arc::new(App {
            subject,
            argv: vec![app.to_owned()],
            cwd: "/".to_owned(),
            step: None,
            uid: 0,
        }),
        protocol: Protocol::Tcp,
        address: address.parse().unwrap(),
        scope_id: 0,
        port,
        names: Vec::new(),
        runs: Arc::default(),
    }
}

pub(super) fn named(app: &str, address: &str, port: u16, name: &str) -> Flow {
    Flow {
        names: vec![Name::claimed(name.to_owned())],
        ..flow(app, address, port)
    }
}

pub(super) fn answer(verdict: Verdict, duration: For, scope: Scope) -> Answer {
    Answer {
        verdict,
        duration,
        scope,
    }
}

pub(super) fn fallback(reason: Fallback) -> Source {
    Source::Fallback { reason }
}

impl Bench {
    /// Default ask, and a person who can answer.
    pub(super) fn new() -> Self {
        let mut bench = Self::nobody(None);
        bench.engine.client_joined(PERSON);
        bench
    }

    pub(super) fn nobody(ask_timeout: Option<Duration>) -> Self {
        Self::with(ask_timeout, &[])
    }

    pub(super) fn with(ask_timeout: Option<Duration>, flags: &[Rule]) -> Self {
        let mut policy = Policy::new();
        policy.set_default(Action::Ask);
        policy.set_layer(Layer::Flag, flags.to_vec());
        let settings = Settings {
            ask_timeout,
            may_save: true,
            audit: false,
            client_expected_until: None,
            hold: crate::hold::Hold::Block,
        };
        Self {
            engine: Engine::new(settings, policy, Environment::default()),
            now: Instant::now(),
            effects: Vec::new(),
        }
    }

    pub(super) fn ask(&mut self, ask: u64, flow: Flow) -> Step {
        self.engine
            .ask(ask, flow, self.now, jiff::Timestamp::UNIX_EPOCH)
    }

    pub(super) fn answer(&mut self, question: u64, answer: &Answer) -> usize {
        let rule = self.engine.plan(question, answer).unwrap();
        let wall = jiff::Timestamp::UNIX_EPOCH;
        self.engine
            .answer(question, answer, &rule, "terminal", self.now, wall)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.tick(self.now);
    }

    pub(super) fn pending(&self) -> Vec<Question> {
        self.engine.pending(self.now)
    }

    /// The verdicts given since the last look, by ask.
    pub(super) fn settled(&mut self) -> Vec<(u64, Verdict, Source)> {
        self.effects = self.engine.take_effects();
        let settle = |effect: &Effect| match effect {
            Effect::Settle {
                ask,
                verdict,
                source,
            } => Some((*ask, *verdict, source.clone())),
            _ => None,
        };
        self.effects.iter().filter_map(settle).collect()
    }

    pub(super) fn set_saved(&mut self, rules: Vec<Rule>) {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        self.engine.saved_rules_changed(rules, self.now, wall);
    }
}

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
    assert_eq!(
        bench.engine.next_deadline(),
        Some(bench.now + super::REFRESH)
    );
    bench.pass(Duration::from_secs(4));
    assert_eq!(bench.settled(), []);
    bench.pass(Duration::from_secs(1));
    assert_eq!(
        bench.settled(),
        [(1, Verdict::Deny, fallback(Fallback::NobodyToAsk))]
    );
}

#[test]
fn equal_calls_are_one_question_and_an_answer_settles_all() {
    let mut bench = Bench::new();
    for ask in 1..=3 {
        assert_eq!(bench.ask(ask, flow("curl", "192.0.2.1", 80)), Step::Held);
    }
    assert_eq!(bench.ask(4, flow("wget", "192.0.2.1", 80)), Step::Held);
    let pending = bench.pending();
    assert_eq!(pending.len(), 2);
    assert_eq!((pending[0].waiting, pending[1].waiting), (3, 1));
    assert_eq!(
        bench.answer(1, &answer(Verdict::Allow, For::Run, Scope::Port)),
        3
    );
    let settled: Vec<u64> = bench.settled().iter().map(|(ask, ..)| *ask).collect();
    assert_eq!(settled, [1, 2, 3]);
    // The same app again, this run: no question. Another port: one.
    assert!(matches!(
        bench.ask(5, flow("curl", "192.0.2.1", 80)),
        Step::Decided(Verdict::Allow, _)
    ));
    assert_eq!(bench.ask(6, flow("curl", "192.0.2.1", 81)), Step::Held);
}

#[test]
fn several_addresses_of_one_name_are_one_question() {
    let mut bench = Bench::new();
    bench.ask(1, named("curl", "198.51.100.1", 443, "www.example.com"));
    bench.ask(2, named("curl", "198.51.100.2", 443, "www.example.com"));
    assert_eq!(bench.pending().len(), 1);
    bench.answer(1, &answer(Verdict::Allow, For::Run, Scope::Host));
    assert_eq!(bench.settled().len(), 2);
    let third = bench.ask(3, named("curl", "198.51.100.3", 443, "www.example.com"));
    assert!(matches!(
        third,
        Step::Decided(Verdict::Allow, Source::Rule { .. })
    ));
}

#[test]
fn once_settles_what_waits_and_nothing_that_comes() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.answer(1, &answer(Verdict::Allow, For::Once, Scope::Host));
    assert_eq!(bench.settled().len(), 1);
    assert_eq!(bench.ask(2, flow("curl", "192.0.2.1", 80)), Step::Held);
}

#[test]
fn a_wider_answer_settles_other_questions_of_the_app_and_of_no_other() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.ask(2, flow("curl", "192.0.2.9", 443));
    bench.ask(3, flow("wget", "192.0.2.9", 443));
    let question = &bench.pending()[0];
    let settles = |scope| {
        let offer = question.offers.iter().find(|offer| offer.scope == scope);
        offer.unwrap().settles
    };
    assert_eq!(
        (
            settles(Scope::Port),
            settles(Scope::Subnet),
            settles(Scope::Any)
        ),
        (1, 2, 2)
    );
    assert_eq!(
        bench.answer(1, &answer(Verdict::Deny, For::Once, Scope::Subnet)),
        2
    );
    assert_eq!(bench.pending().len(), 1);
}

#[test]
fn an_answer_for_a_while_ends_on_time() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.answer(1, &answer(Verdict::Allow, For::Seconds(300), Scope::Host));
    bench.settled();
    bench.now += Duration::from_millis(299_999);
    assert!(matches!(
        bench.ask(2, flow("curl", "192.0.2.1", 80)),
        Step::Decided(Verdict::Allow, _)
    ));
    bench.now += Duration::from_millis(1);
    assert_eq!(bench.ask(3, flow("curl", "192.0.2.1", 80)), Step::Held);
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
fn an_answer_for_good_ends_when_its_saved_rule_is_removed() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    let always = answer(Verdict::Allow, For::Always, Scope::Host);
    let saved = bench.engine.plan(1, &always).unwrap();
    bench.answer(1, &always);
    bench.set_saved(vec![saved]);
    assert!(matches!(
        bench.ask(2, flow("curl", "192.0.2.1", 80)),
        Step::Decided(Verdict::Allow, _)
    ));
    bench.set_saved(Vec::new());
    assert_eq!(bench.ask(3, flow("curl", "192.0.2.1", 80)), Step::Held);
}

#[test]
fn a_hermetic_run_saves_nothing() {
    let mut bench = Bench::new();
    bench.engine.settings.may_save = false;
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    let refusal = bench
        .engine
        .plan(1, &answer(Verdict::Allow, For::Always, Scope::Host));
    assert!(refusal.unwrap_err().contains("hermetic"));
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
    bench.pass(super::REFRESH);
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

#[test]
fn a_name_that_resolves_into_the_lan_is_offered_by_address_only() {
    let mut bench = Bench::new();
    bench.ask(1, named("curl", "127.0.0.1", 80, "www.example.com"));
    bench.ask(2, named("curl", "198.51.100.7", 80, "api.example.com"));
    bench.ask(3, named("curl", "127.0.0.1", 80, "localhost"));
    bench.ask(4, named("curl", "127.0.0.1", 80, "lan"));
    let to = |question: usize, scope| {
        let pending = bench.pending();
        let offers = &pending[question].offers;
        let offer = offers.iter().find(|offer| offer.scope == scope);
        offer.map(|offer| offer.to.clone())
    };
    assert_eq!(to(0, Scope::Host), Some(vec!["127.0.0.1".to_owned()]));
    assert_eq!(to(0, Scope::Domain), None);
    assert_eq!(
        to(1, Scope::Port),
        Some(vec!["api.example.com:80/tcp".to_owned()])
    );
    let domain = vec!["example.com".to_owned(), "*.example.com".to_owned()];
    assert_eq!(to(1, Scope::Domain), Some(domain));
    assert_eq!(to(2, Scope::Host), Some(vec!["localhost".to_owned()]));
    // A machine that is called like a group is not the group.
    assert_eq!(to(3, Scope::Host), Some(vec!["lan.".to_owned()]));
    bench.answer(4, &answer(Verdict::Allow, For::Run, Scope::Port));
    let again = bench.ask(5, named("curl", "127.0.0.1", 80, "lan"));
    assert!(matches!(again, Step::Decided(Verdict::Allow, _)));
}

#[test]
fn every_answer_is_on_record_with_the_rule_it_made() {
    let mut bench = Bench::new();
    bench.ask(1, flow("curl", "192.0.2.1", 80));
    bench.answer(1, &answer(Verdict::Deny, For::Run, Scope::Port));
    bench.settled();
    let answered = bench.effects.iter().find_map(|effect| match effect {
        Effect::Event(Kind::Answered {
            by, rule, settled, ..
        }) => Some((by, rule, settled)),
        _ => None,
    });
    let (by, rule, settled) = answered.unwrap();
    assert_eq!((by.as_str(), *settled), ("terminal", 1));
    assert!(
        rule.as_ref().unwrap().contains("192.0.2.1:80/tcp"),
        "{rule:?}"
    );
}

#[test]
fn a_rule_of_a_persons_own_has_to_cover_the_call() {
    let mut bench = Bench::new();
    bench.ask(1, named("curl", "10.0.0.1", 80, "a.example.test"));
    let own = |to: &[&str]| to.iter().map(|to| (*to).to_owned()).collect::<Vec<_>>();
    let plan = |to: &[String]| bench.engine.plan_to(1, Verdict::Allow, For::Run, to);
    assert!(plan(&[]).unwrap_err().contains("write 1 to"));
    assert!(
        plan(&own(&["@any"; 17]))
            .unwrap_err()
            .contains("write 1 to")
    );
    assert!(plan(&own(&["127.1"])).is_err());
    for elsewhere in ["b.example.test", "10.0.0.1:443", "192.168.0.0/16"] {
        assert!(
            plan(&own(&[elsewhere])).unwrap_err().contains("cover"),
            "{elsewhere}"
        );
    }
    let rule = plan(&own(&["*.example.test:80", "10.0.0.0/8"])).unwrap();
    let answer = answer(Verdict::Allow, For::Run, Scope::Host);
    let wall = jiff::Timestamp::UNIX_EPOCH;
    let settled = bench
        .engine
        .answer(1, &answer, &rule, "agent", bench.now, wall);
    assert_eq!(settled, 1);
    let next = bench.ask(2, flow("curl", "10.9.9.9", 443));
    assert!(
        matches!(next, Step::Decided(Verdict::Allow, Source::Rule { .. })),
        "{next:?}"
    );
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
fn a_broker_is_asked_about_with_widths_that_cover_it() {
    let mut bench = Bench::new();
    let docker = Flow {
        protocol: Protocol::Unix,
        address: Address::Unix(Socket::new(
            "/run/docker.sock".to_owned(),
            ["/home/me/link".to_owned()],
        )),
        ..flow("docker", "10.0.0.1", 0)
    };
    let now = Instant::now();
    for ask in [1, 2] {
        let step = bench
            .engine
            .ask(ask, docker.clone(), now, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(step, Step::Held);
    }
    let questions = bench.engine.pending(now);
    assert_eq!(questions.len(), 1, "one question for equal calls");
    let question = &questions[0];
    assert_eq!((question.place.as_str(), question.waiting), ("socket", 2));
    let offers: Vec<_> = question
        .offers
        .iter()
        .map(|it| (it.scope, it.to[0].as_str()))
        .collect();
    let expected = [
        (Scope::Host, "unix:/run/docker.sock"),
        (Scope::Any, "@broker"),
    ];
    assert_eq!(offers, expected);
    assert!(question.offers.iter().all(|offer| offer.settles == 2));
    let wanted = answer(Verdict::Allow, For::Run, Scope::Host);
    let rule = bench.engine.plan(question.id, &wanted).unwrap();
    assert_eq!(rule.to[0].to_string(), "unix:/run/docker.sock");
    let wall = jiff::Timestamp::UNIX_EPOCH;
    assert_eq!(
        bench
            .engine
            .answer(question.id, &wanted, &rule, "x", now, wall),
        2
    );
    assert!(bench.engine.refuses_by_default(
        &Flow {
            address: "unix:/run/nscd/socket".parse().unwrap(),
            ..docker
        },
        wall
    ));
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
