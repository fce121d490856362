//! `--hold=retry` and `--hold=name`, race by race: what both need.

mod name;
mod retry;

use super::passes::TRY;
use super::tests::{Bench, PERSON, answer, fallback, flow, named, rule};
use super::{Effect, GRACE, LookUp, MAX_QUESTIONS_PER_APP, RETRY, Step};
use crate::control::protocol::{Duration as For, Scope};
use crate::event::Kind;
use crate::flow::Flow;
use crate::hold::Hold;
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Action, Layer};
use std::time::Duration;

const WALL: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;
const SECOND: Duration = Duration::from_secs(1);

fn holding(hold: Hold) -> Bench {
    let mut bench = Bench::new();
    bench.engine.settings.hold = hold;
    bench
}

fn told_no() -> Step {
    Step::Decided(Verdict::Deny, fallback(Fallback::WaitingForAnswer))
}

fn person(verdict: Verdict) -> Step {
    let by = "terminal".to_owned();
    Step::Decided(verdict, Source::Person { by })
}

fn is_by_rule(step: &Step, verdict: Verdict) -> bool {
    matches!(step, Step::Decided(given, Source::Rule { .. }) if *given == verdict)
}

fn once(verdict: Verdict) -> crate::control::protocol::Answer {
    answer(verdict, For::Once, Scope::Host)
}

fn run(verdict: Verdict) -> crate::control::protocol::Answer {
    answer(verdict, For::Run, Scope::Host)
}

fn curl() -> Flow {
    flow("curl", "192.0.2.1", 80)
}

fn from_process(pid: u32, flow: Flow) -> Flow {
    Flow { pid, ..flow }
}

impl Bench {
    fn closed(&mut self) -> Vec<(u64, Option<Verdict>)> {
        let effects = self.engine.take_effects();
        let closed = effects.into_iter().filter_map(|effect| match effect {
            Effect::Close {
                question, verdict, ..
            } => Some((question, verdict)),
            _ => None,
        });
        closed.collect()
    }

    fn look_up(&mut self, ask: u64, flows: &[Flow]) -> LookUp {
        self.engine.look_up(ask, flows.to_vec(), self.now, WALL)
    }
}
