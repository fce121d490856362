//! The engine, race by race: the bench that its tests share.

mod answers;
mod ruling;
mod waiting;

use super::{Effect, Engine, Settings, Step};
use crate::control::protocol::{Answer, Duration as For, Question, Scope};
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
