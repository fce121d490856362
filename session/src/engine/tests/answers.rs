//! What an answer may say, what it settles and how long it is good.

use super::{Bench, answer, flow, named};
use crate::address::{Address, Socket};
use crate::control::protocol::{Duration as For, Scope};
use crate::engine::{Effect, Step};
use crate::event::Kind;
use crate::flow::Flow;
use crate::verdict::{Source, Verdict};
use hallpass_policy::Protocol;
use std::time::{Duration, Instant};

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
