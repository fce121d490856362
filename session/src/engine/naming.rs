//! What a name is worth. Without the guard a name is the program's word, and so is the hook.
//! With it only a name that the session has looked up itself satisfies a rule that allows; what a
//! program merely claims can close, and is shown.

use super::nested::{AskedBy, Why};
use super::{Engine, Ruling};
use crate::flow::{Flow, Trust};
use crate::nested::RunId;
use crate::verdict::{Fallback, Source, Verdict};
use crate::verify::Wanted;
use hallpass_policy::{Action, Layer, Policy, Protocol, name_counts};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many names of rules are looked up. More are a list, of which a name is looked up where a
/// program says it.
const MAX_RULE_NAMES: usize = 256;

impl Engine {
    /// From now on names are worth what the session's own look-ups say.
    pub fn trust_only_verified_names(&mut self) {
        self.only_verified = true;
        self.rule_names = rule_names(&self.policy);
    }

    /// The names that would change what happens to this flow, if they had its address.
    #[must_use]
    pub fn names_wanted(&self, flow: &Flow, wall: jiff::Timestamp) -> Vec<Wanted> {
        let claims = flow.names.iter().any(|name| name.trust == Trust::Claimed);
        if flow.address.ip().is_none() {
            return Vec::new();
        }
        let has_nested = self.nested_of(flow).any(|run| !run.rule_names.is_empty());
        if !self.only_verified || (self.rule_names.is_empty() && !claims && !has_nested) {
            return Vec::new();
        }
        let nested = self.nested_names(flow, wall);
        let verified = names(flow, Some(Trust::Verified));
        let now = if_enforced(&self.rule_under(flow, &verified, wall));
        let with = |name: &str| {
            let mut all = verified.clone();
            all.push(name);
            if_enforced(&self.rule_under(flow, &all, wall))
        };
        let mut wanted = Vec::new();
        for name in self.rule_names.iter().chain(nested.take(MAX_RULE_NAMES)) {
            let then = with(name);
            let is_new = wanted.iter().all(|it: &Wanted| it.name != *name);
            if then != now && is_new && !verified.contains(&name.as_str()) {
                wanted.push(Wanted {
                    name: name.clone(),
                    opens: then < now,
                    of_rule: true,
                });
            }
        }
        if claims && self.may_look_up(flow, wall) {
            for name in names(flow, Some(Trust::Claimed)) {
                let then = with(name);
                // A person who is asked is told whether the name is the program's word.
                let is_shown = now == ASKED && self.policy.default_action() != Action::Deny;
                if (then != now || is_shown) && wanted.iter().all(|it| it.name != name) {
                    wanted.push(Wanted {
                        name: name.to_owned(),
                        opens: then <= now,
                        of_rule: false,
                    });
                }
            }
        }
        wanted
    }

    /// The names that the rules of the flow's nested runs are written with. Any process may bring
    /// rules, and data can leave in their names as in those it says: so they count where whoever
    /// brought them, who was in the runs around, might tell them to name servers itself.
    fn nested_names(&self, flow: &Flow, wall: jiff::Timestamp) -> impl Iterator<Item = &String> {
        let brought = flow
            .runs
            .iter()
            .enumerate()
            .filter_map(move |(around, id)| {
                let run = self.nested.get(id)?;
                let by = Flow {
                    runs: flow.runs.iter().take(around).copied().collect(),
                    ..flow.clone()
                };
                let counts = !run.rule_names.is_empty() && self.may_look_up(&by, wall);
                counts.then_some(&run.rule_names)
            });
        brought.flatten()
    }

    /// Whether there is any use in looking this canonical name up: a connection of these nested runs
    /// to its address could go on.
    #[must_use]
    pub fn could_open_name(&self, name: &str, runs: &[RunId]) -> bool {
        let mut nested = runs.iter().filter_map(|id| self.nested.get(id));
        let own = self.settings.audit || self.policy.could_open_name(name);
        self.halted || (own && nested.all(|run| run.could_open_name(name)))
    }

    /// Whether this name is outside the local zones and the address is not: rules for the name
    /// do not open it (DNS rebinding).
    #[must_use]
    pub fn is_rebound(&self, name: &str, address: IpAddr) -> bool {
        !name_counts(name, address, &self.environment)
    }

    /// What happens to a flow.
    pub(super) fn rule_on(&self, flow: &Flow, wall: jiff::Timestamp) -> Ruling {
        match (self.rule_by_trust(flow, wall), &self.rest_denied_by) {
            (Ruling::Ask { .. }, Some(by)) => {
                Ruling::Settled(Verdict::Deny, Source::Person { by: by.clone() })
            }
            (ruling, _) => ruling,
        }
    }

    fn rule_by_trust(&self, flow: &Flow, wall: jiff::Timestamp) -> Ruling {
        let all = self.rule_under(flow, &names(flow, None), wall);
        let is_sure = |name: &crate::flow::Name| name.trust == Trust::Verified;
        if !self.only_verified || flow.names.iter().all(is_sure) {
            return all;
        }
        let verified = self.rule_under(flow, &names(flow, Some(Trust::Verified)), wall);
        match (is_audited(&all), is_audited(&verified)) {
            // A nested run may still refuse or ask.
            (true, _) if strictness(&verified) == ALLOWED => return all,
            (true, _) => {}
            (false, true) => {
                let would = Box::new(Source::Fallback {
                    reason: Fallback::NameNotVerified,
                });
                return Ruling::Settled(Verdict::Allow, Source::Audit { would });
            }
            (false, false) => {}
        }
        match (strictness(&all), strictness(&verified)) {
            (ALLOWED, DENIED) => Ruling::Settled(
                Verdict::Deny,
                Source::Fallback {
                    reason: Fallback::NameNotVerified,
                },
            ),
            (ALLOWED, ASKED) => {
                let text =
                    "a rule allows the name, but no look-up of ours gave this address for it";
                let by = match verified {
                    Ruling::Ask { why } => why.by,
                    Ruling::Settled(..) => AskedBy::session(),
                };
                Ruling::Ask {
                    why: Why {
                        text: text.to_owned(),
                        by,
                    },
                }
            }
            (all_is, verified_is) if all_is > verified_is => all,
            _ => verified,
        }
    }

    /// The names that a rule with this action may match by.
    pub(super) fn names_for<'a>(&self, action: Action, flow: &'a Flow) -> Vec<&'a str> {
        let only = self.only_verified && action == Action::Allow;
        names(flow, only.then_some(Trust::Verified))
    }

    /// The flow as a person may answer about it: without names that are only claimed. A program
    /// could claim one for any address, and have it let through with what the name is for.
    pub(super) fn offered(&self, flow: &Flow) -> Flow {
        let mut flow = flow.clone();
        if self.only_verified {
            flow.names.retain(|name| name.trust == Trust::Verified);
        }
        flow
    }

    /// Whether a name that a program says may be told to name servers: not where the program may
    /// not do that itself, since data can leave in names.
    fn may_look_up(&self, flow: &Flow, wall: jiff::Timestamp) -> bool {
        let Some(server) = self.environment.nameservers.first() else {
            return true;
        };
        let to_server = Flow {
            protocol: Protocol::Udp,
            address: (*server).into(),
            port: 53,
            names: Vec::new(),
            ..flow.clone()
        };
        if_enforced(&self.rule_under(&to_server, &[], wall)) == ALLOWED
    }
}

const ALLOWED: u8 = 0;
const ASKED: u8 = 1;
const DENIED: u8 = 2;

fn strictness(ruling: &Ruling) -> u8 {
    match ruling {
        Ruling::Settled(Verdict::Allow, _) => ALLOWED,
        Ruling::Ask { .. } => ASKED,
        Ruling::Settled(Verdict::Deny, _) => DENIED,
    }
}

/// What `--audit` lets go on would be refused: a name that a rule allows is looked up all the same,
/// or the audit would find fault with it.
fn if_enforced(ruling: &Ruling) -> u8 {
    if is_audited(ruling) {
        return DENIED;
    }
    strictness(ruling)
}

/// The names of that trust. What a UNIX socket is also called by is the session's own finding.
fn names(flow: &Flow, trust: Option<Trust>) -> Vec<&str> {
    if let Some(socket) = flow.address.socket() {
        return socket.others().collect();
    }
    flow.names
        .iter()
        .filter(|name| trust.is_none_or(|trust| name.trust == trust))
        .map(|name| name.name.as_str())
        .collect()
}

/// The names that rules are written with, those of allow and ask first.
pub(super) fn rule_names(policy: &Policy) -> Vec<String> {
    let layers = [Layer::Answer, Layer::Flag, Layer::Policy, Layer::Saved];
    let (mut found, mut closing) = (BTreeSet::new(), BTreeSet::new());
    for rule in layers.iter().flat_map(|layer| policy.rules(*layer)) {
        let names = if rule.action == Action::Deny {
            &mut closing
        } else {
            &mut found
        };
        for name in rule.to.iter().filter_map(|to| to.name()) {
            if names.len() < MAX_RULE_NAMES {
                names.insert(name.to_owned());
            }
        }
    }
    for name in closing {
        if found.len() < MAX_RULE_NAMES {
            found.insert(name);
        }
    }
    found.into_iter().collect()
}

/// Whether only `--audit` lets it go on.
fn is_audited(ruling: &Ruling) -> bool {
    matches!(ruling, Ruling::Settled(_, Source::Audit { .. }))
}

#[cfg(test)]
mod tests {
    use super::super::{Engine, Ruling, Settings, Step};
    use super::MAX_RULE_NAMES;
    use crate::control::protocol::{Answer, Duration as For, Scope};
    use crate::flow::{App, Flow, Name, Trust};
    use crate::verdict::{Fallback, Source, Verdict};
    use hallpass_policy::{Action, Environment, Layer, Policy, Protocol, Rule, Subject};
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Instant;

    const THEN: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;
    const NAME_SERVER: [u8; 4] = [198, 51, 100, 53];

    fn rule(action: Action, to: &str) -> Rule {
        Rule {
            action,
            to: vec![to.parse().unwrap()],
            app: None,
            note: None,
            until: None,
        }
    }

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
        Flow {
            pid: 1,
            app: Arc::new(App {
                subject: Subject::default(),
                argv: Vec::new(),
                cwd: String::new(),
                step: None,
                uid: 0,
            }),
            protocol: Protocol::Tcp,
            address: [203, 0, 113, 7].into(),
            scope_id: 0,
            port: 443,
            names: names
                .iter()
                .map(|(name, trust)| Name {
                    name: (*name).to_owned(),
                    trust: *trust,
                })
                .collect(),
            runs: Arc::default(),
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
}
