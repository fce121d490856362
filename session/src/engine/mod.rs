//! The decision engine: a pure state machine.
//!
//! Flows, answers, rules and clock readings go in; [`Effect`]s come out, in order. It does no
//! I/O and reads no clock, so every race between an answer, a rule edit, a timeout and a caller
//! that goes away is an ordinary unit test.

mod answering;
mod clock;
mod halting;
#[cfg(test)]
mod hold_tests;
mod holding;
mod kept;
mod looking_up;
mod naming;
mod nested;
#[cfg(test)]
mod nested_tests;
mod offers;
mod passes;
#[cfg(test)]
mod properties;
mod question;
mod retrying;
mod ruling;
mod sockets;
#[cfg(test)]
mod tests;
mod ticking;

pub use looking_up::LookUp;
pub use offers::answer_rule;
pub use sockets::SocketRules;

use crate::control::protocol::QuestionId;
use crate::event::{FlowLine, Kind};
use crate::flow::Flow;
use crate::hold::Hold;
use crate::nested::RunId;
use crate::verdict::{Source, Verdict};
use hallpass_policy::{Environment, Policy, Rule};
use kept::HangsOn;
use nested::NestedRun;
use passes::Passes;
use question::{Key, Open};
use ruling::{Ruling, query, source_of};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A held call, as the engine and its caller name it.
pub type AskId = u64;
/// A client of the control socket.
pub type ClientId = u64;

/// How many calls may wait at once, in all; one more is refused.
pub const MAX_WAITING: usize = 8192;
/// How many calls of one app may wait at once.
pub const MAX_WAITING_PER_APP: usize = 4096;
/// How many questions may be open at once.
pub const MAX_QUESTIONS: usize = 1024;
/// How many questions of one app may be open at once.
pub const MAX_QUESTIONS_PER_APP: usize = 256;
/// How often clients are told that a question's count has changed.
pub const REFRESH: Duration = Duration::from_millis(100);
/// How long a question outlives its last caller, if that may come back (it ran a signal handler).
pub const GRACE: Duration = Duration::from_secs(1);
/// With [`Hold::Retry`]: how long a question waits for the program's next try, and an answer for
/// once likewise.
pub const RETRY: Duration = Duration::from_secs(600);

/// What does not change while a session runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Refuse a question that nobody answered for this long.
    pub ask_timeout: Option<Duration>,
    /// Whether an answer may be saved for good.
    pub may_save: bool,
    /// Let go on what would be refused or asked about, and say so.
    pub audit: bool,
    /// Until then somebody who can answer may still connect; calls wait for them.
    pub client_expected_until: Option<Instant>,
    /// How calls wait for an answer.
    pub hold: Hold,
}

/// What the engine wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give a held call its verdict.
    Settle {
        /// Which call.
        ask: AskId,
        /// Its verdict.
        verdict: Verdict,
        /// Why.
        source: Source,
    },
    /// Record this.
    Event(Kind),
    /// Show this question to those who can answer: it is new, or its count or clock changed.
    Show(QuestionId),
    /// The question is gone.
    Close {
        /// Which one.
        question: QuestionId,
        /// How it was settled; none where its callers have gone or a halt took it away.
        verdict: Option<Verdict>,
        /// Why.
        source: Option<Source>,
    },
}

/// What a call met at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It is decided. Whether the caller may keep the verdict, [`Engine::may_be_kept`] says.
    Decided(Verdict, Source),
    /// It waits.
    Held,
}

/// Calls so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Allowed.
    pub allowed: u64,
    /// Refused.
    pub denied: u64,
}

impl Totals {
    fn count(&mut self, verdict: Verdict, count: u64) {
        match verdict {
            Verdict::Allow => self.allowed += count,
            Verdict::Deny => self.denied += count,
        }
    }
}

/// What a verdict is asked for.
#[derive(Clone)]
struct Call {
    flow: Flow,
    /// A look-up: `flow` is the first of the calls it may lead to that somebody has to be asked
    /// about, these are all of them.
    look_up: Option<Vec<Flow>>,
}

impl From<Flow> for Call {
    fn from(flow: Flow) -> Self {
        Self {
            flow,
            look_up: None,
        }
    }
}

struct Waiting {
    call: Call,
    /// None while halted.
    question: Option<QuestionId>,
}

/// A rule that an answer of this run made.
struct Given {
    rule: Rule,
    /// On the session's monotonic clock.
    expires: Option<Instant>,
    /// It was also saved, so it goes when the saved rule goes.
    saved: bool,
    /// It allows what only nested runs ask about: to the session's own rules it is nothing.
    for_nested: bool,
}

/// See the module's text.
pub struct Engine {
    settings: Settings,
    policy: Policy,
    environment: Environment,
    halted: bool,
    /// What would be asked about is refused: the client that wanted it.
    rest_denied_by: Option<String>,
    waiting: BTreeMap<AskId, Waiting>,
    questions: BTreeMap<QuestionId, Open>,
    by_key: HashMap<Key, QuestionId>,
    last_question: QuestionId,
    /// Clients that can answer.
    askable: HashSet<ClientId>,
    given: Vec<Given>,
    passes: Passes,
    /// Questions of programs that may try again, put aside by a halt.
    aside: Vec<Open>,
    totals: Totals,
    effects: Vec<Effect>,
    /// Counts changes after which an earlier verdict may be another.
    generation: u64,
    /// What the rules of now hang on, besides the address.
    hangs_on: HangsOn,
    /// What they say about UNIX sockets.
    socket_rules: Arc<SocketRules>,
    /// Only a name that the session has looked up satisfies a rule that allows.
    only_verified: bool,
    /// The names that rules are written with, where they are looked up.
    rule_names: Vec<String>,
    /// `hallpass run` inside the session.
    nested: BTreeMap<RunId, NestedRun>,
    /// All answers of this run, those for questions that only nested runs ask included: what they
    /// ask about is settled by these.
    answers: Policy,
}

impl Engine {
    /// An engine with nothing waiting.
    #[must_use]
    pub fn new(settings: Settings, policy: Policy, environment: Environment) -> Self {
        let hangs_on = HangsOn::of(&policy);
        let socket_rules = SocketRules::of(&policy);
        Self {
            settings,
            policy,
            environment,
            halted: false,
            rest_denied_by: None,
            waiting: BTreeMap::new(),
            questions: BTreeMap::new(),
            by_key: HashMap::new(),
            last_question: 0,
            askable: HashSet::new(),
            given: Vec::new(),
            passes: Passes::default(),
            aside: Vec::new(),
            totals: Totals::default(),
            effects: Vec::new(),
            generation: 0,
            hangs_on,
            socket_rules,
            only_verified: false,
            rule_names: Vec::new(),
            nested: BTreeMap::new(),
            answers: Policy::new(),
        }
    }

    /// Everything that is to be done since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Takes the memory of what has been carried out back: an allocation of this size makes the
    /// allocator tidy up, for each call anew.
    pub fn reuse(&mut self, mut carried_out: Vec<Effect>) {
        const FEW: usize = 64;
        carried_out.clear();
        if self.effects.is_empty() && carried_out.capacity() <= FEW {
            self.effects = carried_out;
        }
    }

    /// Calls so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// True between [`Self::halt`] and [`Self::release`].
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// Whether all that would be asked is refused: see [`Self::deny_rest`].
    #[must_use]
    pub fn denies_rest(&self) -> bool {
        self.rest_denied_by.is_some()
    }

    /// A new call. A call that is `Held` gets its verdict by [`Effect::Settle`] later.
    pub fn ask(&mut self, ask: AskId, flow: Flow, now: Instant, wall: jiff::Timestamp) -> Step {
        self.expire(now);
        if self.halted {
            return self.hold_or_refuse(ask, flow.into(), None, now);
        }
        match self.rule_on(&flow, wall) {
            Ruling::Settled(verdict, source) => self.decided(&flow.into(), verdict, source),
            Ruling::Ask { why } => self.ask_somebody(ask, flow.into(), why, now),
        }
    }

    /// A new call, if the rules decide it at once; else nothing has happened.
    pub fn ask_rules(
        &mut self,
        flow: &Flow,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> Option<(Verdict, Source)> {
        self.expire(now);
        if self.halted {
            return None;
        }
        let Ruling::Settled(verdict, source) = self.rule_on(flow, wall) else {
            return None;
        };
        self.record_decided(FlowLine::of(flow), verdict, source.clone(), &flow.runs);
        Some((verdict, source))
    }

    /// Counts calls that got a verdict without being put to the engine.
    pub fn count(&mut self, verdict: Verdict, count: u64) {
        self.totals.count(verdict, count);
    }

    /// The caller is gone, or is about to run a signal handler and `may_return`.
    pub fn withdraw(&mut self, ask: AskId, may_return: bool, now: Instant) {
        let Some(waiting) = self.waiting.remove(&ask) else {
            return;
        };
        let Some(id) = waiting.question else { return };
        let Some(question) = self.questions.get_mut(&id) else {
            return;
        };
        question.asks.remove(&ask);
        if !question.asks.is_empty() {
            question.count_changed(now);
        } else if may_return {
            question.alone_until = Some(now + GRACE);
        } else {
            self.close_unanswered(id);
        }
    }

    /// A client that can answer is there.
    pub fn client_joined(&mut self, client: ClientId) {
        self.askable.insert(client);
        self.settings.client_expected_until = None;
    }

    /// A client is gone: its hand on a question's clock too.
    pub fn client_left(&mut self, client: ClientId, now: Instant) {
        for (id, question) in &mut self.questions {
            if question.clock.release(client, now) {
                self.effects.push(Effect::Show(*id));
            }
        }
        if self.askable.remove(&client) {
            self.refuse_if_nobody_is_left(now);
        }
    }
}
