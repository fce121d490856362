//! Whatever happens in whatever order: each call gets one verdict, and none passes unasked.

use super::{AskId, Effect, Engine, Settings, Step};
use crate::control::protocol::{Answer, Duration as For, Scope};
use crate::engine::tests::flow;
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Action, Environment, Layer, Policy, Rule};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

const WALL: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;
const APPS: [&str; 2] = ["curl", "wget"];
/// 10.0.0.1 is allowed and 10.0.0.2 denied by flags; the rest is asked about.
const ADDRESSES: [&str; 4] = ["10.0.0.1", "10.0.0.2", "192.0.2.1", "192.0.2.2"];

#[derive(Clone, Debug)]
enum Move {
    Ask {
        app: usize,
        address: usize,
        port: u16,
    },
    Withdraw {
        nth: usize,
        may_return: bool,
    },
    Answer {
        nth: usize,
        allow: bool,
        duration: For,
        scope: Scope,
    },
    Dismiss {
        nth: usize,
    },
    Touch {
        nth: usize,
        client: u64,
    },
    Join {
        client: u64,
    },
    Leave {
        client: u64,
    },
    Save {
        allow: Vec<usize>,
    },
    Halt,
    Release,
    Pass {
        ms: u64,
    },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let duration = prop_oneof![
        Just(For::Once),
        Just(For::Run),
        Just(For::Seconds(3)),
        Just(For::Always)
    ];
    let scope = prop_oneof![
        Just(Scope::Port),
        Just(Scope::Host),
        Just(Scope::Subnet),
        Just(Scope::Any)
    ];
    let one = prop_oneof![
        6 => (0..APPS.len(), 0..ADDRESSES.len(), 1..3_u16)
            .prop_map(|(app, address, port)| Move::Ask { app, address, port }),
        2 => (0..20_usize, any::<bool>()).prop_map(|(nth, may_return)| Move::Withdraw { nth, may_return }),
        3 => (0..4_usize, any::<bool>(), duration, scope)
            .prop_map(|(nth, allow, duration, scope)| Move::Answer { nth, allow, duration, scope }),
        1 => (0..4_usize).prop_map(|nth| Move::Dismiss { nth }),
        1 => (0..4_usize, 1..3_u64).prop_map(|(nth, client)| Move::Touch { nth, client }),
        2 => (1..3_u64).prop_map(|client| Move::Join { client }),
        1 => (1..3_u64).prop_map(|client| Move::Leave { client }),
        1 => prop::collection::vec(0..ADDRESSES.len(), 0..3).prop_map(|allow| Move::Save { allow }),
        1 => Just(Move::Halt),
        1 => Just(Move::Release),
        3 => (0..4_000_u64).prop_map(|ms| Move::Pass { ms }),
    ];
    prop::collection::vec(one, 1..60)
}

/// Plays moves, and keeps its own account of what may be said.
struct Game {
    engine: Engine,
    now: Instant,
    waiting: HashSet<AskId>,
    addresses: HashMap<AskId, usize>,
    next: AskId,
    /// A person or a saved rule has allowed something; before that only 10.0.0.1 may pass.
    somebody_allowed: bool,
}

impl Game {
    fn new(timeout: Option<Duration>) -> Self {
        let mut policy = Policy::new();
        policy.set_default(Action::Ask);
        policy.set_layer(
            Layer::Flag,
            vec![rule(Action::Allow, 0), rule(Action::Deny, 1)],
        );
        let settings = Settings {
            ask_timeout: timeout,
            may_save: true,
            audit: false,
            client_expected_until: None,
            hold: crate::hold::Hold::Block,
        };
        Self {
            engine: Engine::new(settings, policy, Environment::default()),
            now: Instant::now(),
            waiting: HashSet::new(),
            addresses: HashMap::new(),
            next: 0,
            somebody_allowed: false,
        }
    }

    fn check(&self, ask: AskId, verdict: Verdict, source: &Source) {
        if let Source::Fallback { .. } = source {
            assert_eq!(verdict, Verdict::Deny, "a fallback never allows");
        }
        if verdict == Verdict::Allow && self.addresses[&ask] != 0 {
            assert!(self.somebody_allowed, "passed though nobody allowed it");
        }
    }

    fn take_verdicts(&mut self) {
        for effect in self.engine.take_effects() {
            if let Effect::Settle {
                ask,
                verdict,
                source,
            } = effect
            {
                assert!(
                    self.waiting.remove(&ask),
                    "{ask} had its verdict or was withdrawn"
                );
                self.check(ask, verdict, &source);
            }
        }
    }

    fn play(&mut self, one: &Move) {
        let question = |game: &Self, nth: &usize| Some(game.engine.pending(game.now).get(*nth)?.id);
        match one {
            Move::Ask { app, address, port } => {
                self.next += 1;
                self.addresses.insert(self.next, *address);
                let flow = flow(APPS[*app], ADDRESSES[*address], *port);
                match self.engine.ask(self.next, flow, self.now, WALL) {
                    Step::Held => assert!(self.waiting.insert(self.next)),
                    Step::Decided(verdict, source) => self.check(self.next, verdict, &source),
                }
            }
            Move::Withdraw { nth, may_return } => {
                let mut waiting: Vec<AskId> = self.waiting.iter().copied().collect();
                waiting.sort_unstable();
                if let Some(ask) = waiting.get(*nth) {
                    self.waiting.remove(ask);
                    self.engine.withdraw(*ask, *may_return, self.now);
                }
            }
            Move::Answer {
                nth,
                allow,
                duration,
                scope,
            } => {
                let Some(id) = question(self, nth) else {
                    return;
                };
                let answer = Answer {
                    verdict: if *allow {
                        Verdict::Allow
                    } else {
                        Verdict::Deny
                    },
                    duration: *duration,
                    scope: *scope,
                };
                let rule = self.engine.plan(id, &answer).unwrap();
                self.somebody_allowed |= *allow;
                let waited = self.engine.question(id, self.now).unwrap().waiting;
                let settled = self
                    .engine
                    .answer(id, &answer, &rule, "test", self.now, WALL);
                assert!(settled >= waited);
                assert!(self.engine.question(id, self.now).is_none());
            }
            Move::Dismiss { nth } => {
                if let Some(id) = question(self, nth) {
                    self.engine.dismiss(id, "test").unwrap();
                }
            }
            Move::Touch { nth, client } => {
                if let Some(id) = question(self, nth) {
                    self.engine.touch(id, *client, self.now).unwrap();
                }
            }
            Move::Join { client } => self.engine.client_joined(*client),
            Move::Leave { client } => self.engine.client_left(*client, self.now),
            Move::Save { allow } => {
                self.somebody_allowed |= !allow.is_empty();
                let rules = allow.iter().map(|address| rule(Action::Allow, *address));
                self.engine
                    .saved_rules_changed(rules.collect(), self.now, WALL);
            }
            Move::Halt => self.engine.halt(),
            Move::Release => self.engine.release(self.now, WALL),
            Move::Pass { ms } => {
                self.now += Duration::from_millis(*ms);
                self.engine.tick(self.now);
            }
        }
    }
}

fn rule(action: Action, address: usize) -> Rule {
    Rule::new(action, vec![ADDRESSES[address].parse().unwrap()])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_call_gets_one_verdict_and_none_passes_unasked(moves in moves(), timeout in any::<bool>()) {
        let mut game = Game::new(timeout.then_some(Duration::from_secs(5)));
        for one in &moves {
            game.play(one);
            game.take_verdicts();
            // A question is open only for calls that wait, or for a moment's grace.
            let asked: usize = game.engine.pending(game.now).iter().map(|q| q.waiting).sum();
            if game.engine.is_halted() {
                prop_assert_eq!(asked, 0);
            } else {
                prop_assert_eq!(asked, game.waiting.len());
            }
            // A deadline that is over does not stay: the clock's thread would spin.
            game.engine.tick(game.now);
            game.take_verdicts();
            prop_assert!(game.engine.next_deadline().is_none_or(|at| at > game.now));
        }
        game.engine.refuse_all(Fallback::SessionEnding);
        game.take_verdicts();
        prop_assert!(game.waiting.is_empty());
        prop_assert_eq!(game.engine.pending(game.now).len(), 0);
        let totals = game.engine.totals();
        prop_assert!(totals.allowed + totals.denied <= game.next);
    }
}
