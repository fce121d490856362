use super::super::tests::rule;
use super::super::{Engine, Ruling, Settings, Step};
use super::MAX_RULE_NAMES;
use crate::control::protocol::{Answer, Duration as For, Scope};
use crate::flow::{Flow, Name, Trust};
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Action, Environment, Layer, Policy};
use std::net::IpAddr;
use std::time::Instant;

const THEN: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;
const NAME_SERVER: [u8; 4] = [198, 51, 100, 53];

fn engine(default: Action, rules: &[(Action, &str)]) -> Engine {
    let mut policy = Policy::new();
    policy.set_default(default);
    let rules = rules.iter().map(|(action, to)| rule(*action, to));
    policy.set_layer(Layer::Flag, rules.collect());
    let settings = Settings {
        ask_timeout: None,
        may_save: true,
        audit: false,
        client_expected_until: None,
        hold: crate::hold::Hold::Block,
    };
    let environment = Environment {
        attached: Vec::new(),
        nameservers: vec![IpAddr::from(NAME_SERVER)],
    };
    let mut engine = Engine::new(settings, policy, environment);
    engine.client_joined(1);
    engine.trust_only_verified_names();
    engine
}

fn flow(names: &[(&str, Trust)]) -> Flow {
    let named = names.iter().map(|(name, trust)| Name {
        name: (*name).to_owned(),
        trust: *trust,
    });
    Flow {
        names: named.collect(),
        ..Flow::of_nobody([203, 0, 113, 7], 443)
    }
}

fn claimed(name: &str) -> Flow {
    flow(&[(name, Trust::Claimed)])
}

fn verified(name: &str) -> Flow {
    flow(&[(name, Trust::Verified)])
}

fn verdict(engine: &mut Engine, flow: Flow) -> Option<(Verdict, Source)> {
    match engine.ask(1, flow, Instant::now(), THEN) {
        Step::Decided(verdict, source) => Some((verdict, source)),
        Step::Held => None,
    }
}

/// Names that are wanted; those that would close have a `-`.
fn wanted(engine: &Engine, flow: &Flow) -> Vec<String> {
    let wanted = engine.names_wanted(flow, THEN);
    let show =
        |it: &crate::verify::Wanted| format!("{}{}", if it.opens { "" } else { "-" }, it.name);
    wanted.iter().map(show).collect()
}

#[test]
fn a_claimed_name_allows_nothing_and_a_verified_one_does() {
    let mut engine = engine(Action::Deny, &[(Action::Allow, "a.example")]);
    let not_verified = Source::Fallback {
        reason: Fallback::NameNotVerified,
    };
    let of_claim = verdict(&mut engine, claimed("a.example"));
    assert_eq!(of_claim, Some((Verdict::Deny, not_verified)));
    let of_other = verdict(&mut engine, claimed("b.example")).unwrap();
    assert_eq!(of_other, (Verdict::Deny, Source::Default));
    let (allowed, _) = verdict(&mut engine, verified("a.example")).unwrap();
    assert_eq!(allowed, Verdict::Allow);
}

#[test]
fn a_claimed_name_closes() {
    let mut engine = engine(
        Action::Allow,
        &[(Action::Deny, "bad.example"), (Action::Ask, "odd.example")],
    );
    let (denied, _) = verdict(&mut engine, claimed("bad.example")).unwrap();
    assert_eq!(denied, Verdict::Deny);
    assert_eq!(verdict(&mut engine, claimed("odd.example")), None);
    let (allowed, _) = verdict(&mut engine, claimed("c.example")).unwrap();
    assert_eq!(allowed, Verdict::Allow);
}

#[test]
fn names_that_change_nothing_are_not_looked_up() {
    let allow = [
        (Action::Allow, "a.example:443"),
        (Action::Allow, "*.b.example"),
    ];
    let strict = engine(Action::Deny, &allow);
    assert_eq!(wanted(&strict, &flow(&[])), ["a.example"]);
    assert_eq!(wanted(&strict, &claimed("a.example")), ["a.example"]);
    assert_eq!(
        wanted(&strict, &claimed("x.b.example")),
        ["a.example", "x.b.example"]
    );
    assert_eq!(wanted(&strict, &claimed("x.example")), ["a.example"]);
    assert!(wanted(&strict, &verified("a.example")).is_empty());
    let at_80 = Flow {
        port: 80,
        ..claimed("a.example")
    };
    assert!(wanted(&strict, &at_80).is_empty());
    // Where somebody is asked, what the program says is looked up for them.
    let asking = engine(Action::Ask, &[]);
    assert_eq!(wanted(&asking, &claimed("x.example")), ["x.example"]);
    assert!(wanted(&asking, &flow(&[])).is_empty());
    let open = engine(Action::Allow, &[(Action::Deny, "bad.example")]);
    assert_eq!(wanted(&open, &claimed("x.example")), ["-bad.example"]);
}

#[test]
fn where_dns_is_denied_no_claimed_name_is_looked_up() {
    let rules = [(Action::Allow, "*.b.example"), (Action::Deny, "@dns")];
    let engine = engine(Action::Deny, &rules);
    assert!(wanted(&engine, &claimed("secret.b.example")).is_empty());
}

#[test]
fn lists_are_not_looked_up_whole() {
    let names: Vec<String> = (0..MAX_RULE_NAMES * 2)
        .map(|n| format!("{n}.example"))
        .collect();
    let mut rules: Vec<(Action, &str)> =
        names.iter().map(|it| (Action::Deny, it.as_str())).collect();
    rules.push((Action::Allow, "a.example"));
    let engine = engine(Action::Deny, &rules);
    assert_eq!(engine.rule_names.len(), MAX_RULE_NAMES);
    assert!(engine.rule_names.iter().any(|name| name == "a.example"));
}

#[test]
fn a_question_about_a_claimed_name_offers_no_rule_for_it() {
    let mut engine = engine(Action::Ask, &[]);
    let now = Instant::now();
    engine.ask(1, claimed("a.example"), now, THEN);
    engine.ask(2, verified("b.example"), now, THEN);
    let pending = engine.pending(now);
    let widest = |n: usize| {
        pending[n]
            .offers
            .iter()
            .flat_map(|it| it.to.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(pending[0].names[0].name, "a.example", "it is shown");
    assert!(
        !widest(0).iter().any(|to| to.contains("example")),
        "{:?}",
        widest(0)
    );
    assert!(
        widest(1).contains(&"b.example:443/tcp".to_owned()),
        "{:?}",
        widest(1)
    );
}

#[test]
fn an_answer_for_a_name_settles_nobody_who_only_claims_it() {
    let mut engine = engine(Action::Ask, &[]);
    let now = Instant::now();
    engine.ask(1, verified("a.example"), now, THEN);
    engine.ask(2, claimed("a.example"), now, THEN);
    let questions: Vec<u64> = engine.pending(now).iter().map(|it| it.id).collect();
    assert_eq!(questions.len(), 2, "they are not one question");
    let answer = Answer {
        verdict: Verdict::Allow,
        duration: For::Run,
        scope: Scope::Host,
    };
    let rule = engine.plan(questions[0], &answer).unwrap();
    assert_eq!(
        engine.answer(questions[0], &answer, &rule, "x", now, THEN),
        1
    );
    assert_eq!(engine.pending(now).len(), 1);
}

#[test]
fn audit_looks_up_what_would_be_looked_up_without_it() {
    let rules = [(Action::Allow, "good.test"), (Action::Deny, "bad.test")];
    let mut engine = engine(Action::Deny, &rules);
    for flow in [flow(&[]), claimed("good.test"), claimed("other.test")] {
        engine.settings.audit = false;
        let enforced = engine.names_wanted(&flow, THEN);
        engine.settings.audit = true;
        assert_eq!(engine.names_wanted(&flow, THEN), enforced);
        assert!(enforced.iter().any(|it| it.name == "good.test"));
    }
    // Neither does where the program may not ask name servers itself.
    let closed = [(Action::Allow, "*.test"), (Action::Deny, "@dns")];
    let mut engine = self::engine(Action::Deny, &closed);
    engine.settings.audit = true;
    assert_eq!(engine.names_wanted(&claimed("good.test"), THEN), []);
}

#[test]
fn audit_says_so_where_only_a_claim_allows_and_where_a_claim_is_denied() {
    let rules = [(Action::Allow, "good.test"), (Action::Deny, "bad.test")];
    let mut engine = engine(Action::Deny, &rules);
    engine.settings.audit = true;
    let unverified = Source::Fallback {
        reason: Fallback::NameNotVerified,
    };
    let sure = flow(&[("good.test", Trust::Verified)]);
    assert!(matches!(
        engine.rule_on(&sure, THEN),
        Ruling::Settled(Verdict::Allow, Source::Rule { .. })
    ));
    let would = |ruling| match ruling {
        Ruling::Settled(Verdict::Allow, Source::Audit { would }) => *would,
        _ => panic!("not audited"),
    };
    assert_eq!(
        would(engine.rule_on(&claimed("good.test"), THEN)),
        unverified
    );
    let also_bad = flow(&[("bad.test", Trust::Claimed), ("good.test", Trust::Verified)]);
    let denied = would(engine.rule_on(&also_bad, THEN));
    assert!(matches!(denied, Source::Rule { .. }), "{denied:?}");
}
