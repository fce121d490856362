//! The decision engine: a pure state machine.
//!
//! Flows, answers, rules and clock readings go in; [`Effect`]s come out, in order. It does no
//! I/O and reads no clock, so every race between an answer, a rule edit, a timeout and a caller
//! that goes away is an ordinary unit test.

mod clock;
mod offers;
mod question;
#[cfg(test)]
mod tests;

pub use offers::answer_rule;

use crate::control::protocol::{Answer, Duration as For, Question, QuestionId};
use crate::event::{FlowLine, Kind};
use crate::flow::Flow;
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Action, Endpoint, Environment, Layer, Policy, Query, Rule};
use question::{Key, Open};
use std::collections::{BTreeMap, HashMap, HashSet};
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

/// What does not change while a session runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Refuse a question that nobody answered for this long.
    pub ask_timeout: Option<Duration>,
    /// Whether an answer may be saved for good.
    pub may_save: bool,
    /// Until then somebody who can answer may still connect; calls wait for them.
    pub client_expected_until: Option<Instant>,
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
    /// It is decided.
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

struct Waiting {
    flow: Flow,
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
}

/// See the module's text.
pub struct Engine {
    settings: Settings,
    policy: Policy,
    environment: Environment,
    halted: bool,
    waiting: BTreeMap<AskId, Waiting>,
    questions: BTreeMap<QuestionId, Open>,
    by_key: HashMap<Key, QuestionId>,
    last_question: QuestionId,
    /// Clients that can answer.
    askable: HashSet<ClientId>,
    given: Vec<Given>,
    totals: Totals,
    effects: Vec<Effect>,
}

/// What the policy, or the lack of one, says about a flow.
enum Ruling {
    Settled(Verdict, Source),
    Ask { why: String },
}

impl Engine {
    /// An engine with nothing waiting.
    #[must_use]
    pub fn new(settings: Settings, policy: Policy, environment: Environment) -> Self {
        Self {
            settings,
            policy,
            environment,
            halted: false,
            waiting: BTreeMap::new(),
            questions: BTreeMap::new(),
            by_key: HashMap::new(),
            last_question: 0,
            askable: HashSet::new(),
            given: Vec::new(),
            totals: Totals::default(),
            effects: Vec::new(),
        }
    }

    /// Everything that is to be done since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
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

    /// A new call. A call that is `Held` gets its verdict by [`Effect::Settle`] later.
    pub fn ask(&mut self, ask: AskId, flow: Flow, now: Instant, wall: jiff::Timestamp) -> Step {
        self.expire(now);
        if self.halted {
            return self.hold_or_refuse(ask, flow, None, now);
        }
        match self.rule_on(&flow, wall) {
            Ruling::Settled(verdict, source) => self.decided(&flow, verdict, source),
            Ruling::Ask { why } => self.ask_somebody(ask, flow, why, now),
        }
    }

    /// Counts a call that was refused before it could be put to the policy.
    pub fn count_refusal(&mut self) {
        self.totals.denied += 1;
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
            question.grace_until = Some(now + GRACE);
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

    /// The questions that wait, oldest first.
    #[must_use]
    pub fn pending(&self, now: Instant) -> Vec<Question> {
        let ids = self.questions.keys().copied();
        ids.filter_map(|id| self.question(id, now)).collect()
    }

    /// One question as clients see it.
    #[must_use]
    pub fn question(&self, id: QuestionId, now: Instant) -> Option<Question> {
        let open = self.questions.get(&id)?;
        let offers = offers::offers(&open.flow, &self.environment)
            .into_iter()
            .map(|mut offer| {
                let rule = offers::rule(&open.flow, Verdict::Allow, &offer.to);
                offer.settles = rule.map_or(0, |rule| self.matching(&rule).len());
                offer
            })
            .collect();
        let place = hallpass_policy::place(open.flow.address, &self.environment);
        Some(Question {
            id,
            pid: open.flow.pid,
            app: (*open.flow.app).clone(),
            protocol: open.flow.protocol,
            address: open.flow.address,
            scope_id: open.flow.scope_id,
            port: open.flow.port,
            names: open.flow.names.clone(),
            place: place.to_string(),
            waiting: open.asks.len(),
            why: open.why.clone(),
            time_left_ms: open
                .clock
                .left(now)
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            offers,
            may_save: self.settings.may_save,
        })
    }

    /// The rule an answer would make, so that it can be saved before it takes effect.
    ///
    /// # Errors
    /// The question is gone, or the answer is none that it offers; in words for the client.
    pub fn plan(&self, id: QuestionId, answer: &Answer) -> Result<Rule, String> {
        let open = self.questions.get(&id).ok_or_else(|| gone(id))?;
        if answer.duration == For::Always && !self.settings.may_save {
            return Err("this run is hermetic (--policy or --default deny): \
                        answers cannot be saved; use for=run"
                .to_owned());
        }
        answer_rule(&open.flow, answer, &self.environment)
    }

    /// Puts an answer into force: `rule` is what [`Self::plan`] gave for it.
    ///
    /// It holds also if the question was settled meanwhile. Returns how many calls it settled.
    pub fn answer(
        &mut self,
        id: QuestionId,
        answer: &Answer,
        rule: &Rule,
        by: &str,
        now: Instant,
        wall: jiff::Timestamp,
    ) -> usize {
        let source = Source::Person { by: by.to_owned() };
        let mut settled: Vec<AskId> = match self.questions.get(&id) {
            Some(open) => open.asks.iter().copied().collect(),
            None => Vec::new(),
        };
        for ask in self.matching(rule) {
            if !settled.contains(&ask) {
                settled.push(ask);
            }
        }
        if answer.duration != For::Once {
            let expires = match answer.duration {
                For::Seconds(seconds) => now.checked_add(Duration::from_secs(seconds)),
                _ => None,
            };
            self.given.push(Given {
                rule: rule.clone(),
                expires,
                saved: answer.duration == For::Always,
            });
            self.put_answers_in_force();
        }
        self.effects.push(Effect::Event(Kind::Answered {
            question: id,
            verdict: Some(answer.verdict),
            by: by.to_owned(),
            rule: (answer.duration != For::Once).then(|| rule.to_string()),
            settled: settled.len() as u64,
        }));
        for ask in &settled {
            self.settle(*ask, answer.verdict, source.clone());
        }
        // A question whose only caller runs a signal handler has no asks left to close it.
        self.close(id, Some(answer.verdict), Some(source));
        self.decide_all_anew(now, wall);
        settled.len()
    }

    /// Refuses what waits in a question, and writes no rule. Returns how many calls that was.
    ///
    /// # Errors
    /// The question is gone.
    pub fn dismiss(&mut self, id: QuestionId, by: &str) -> Result<usize, String> {
        if !self.questions.contains_key(&id) {
            return Err(gone(id));
        }
        let settled = self.fall_back(id, Fallback::Dismissed);
        self.effects.push(Effect::Event(Kind::Answered {
            question: id,
            verdict: Some(Verdict::Deny),
            by: by.to_owned(),
            rule: None,
            settled: settled as u64,
        }));
        Ok(settled)
    }

    /// Stops a question's clock for as long as `client` is there.
    ///
    /// # Errors
    /// The question is gone.
    pub fn touch(&mut self, id: QuestionId, client: ClientId, now: Instant) -> Result<(), String> {
        let open = self.questions.get_mut(&id).ok_or_else(|| gone(id))?;
        if open.clock.hold(client, now) {
            self.effects.push(Effect::Show(id));
        }
        Ok(())
    }

    /// The saved rules are now these; what waits is decided anew.
    pub fn saved_rules_changed(&mut self, rules: Vec<Rule>, now: Instant, wall: jiff::Timestamp) {
        self.given
            .retain(|given| !given.saved || rules.contains(&given.rule));
        self.policy.set_layer(Layer::Saved, rules);
        self.put_answers_in_force();
        self.decide_all_anew(now, wall);
    }

    /// The attached networks or name servers are now these.
    pub fn environment_changed(
        &mut self,
        environment: Environment,
        now: Instant,
        wall: jiff::Timestamp,
    ) {
        self.environment = environment;
        self.decide_all_anew(now, wall);
    }

    /// Holds every call from now on, and asks nobody.
    pub fn halt(&mut self) {
        self.halted = true;
        let open: Vec<QuestionId> = self.questions.keys().copied().collect();
        for id in open {
            self.close(id, None, None);
        }
        for waiting in self.waiting.values_mut() {
            waiting.question = None;
        }
    }

    /// Ends a halt: everything that waits is decided anew.
    pub fn release(&mut self, now: Instant, wall: jiff::Timestamp) {
        self.halted = false;
        self.decide_all_anew(now, wall);
    }

    /// Refuses everything that waits, for good: the session ends.
    pub fn refuse_all(&mut self, reason: Fallback) {
        let open: Vec<QuestionId> = self.questions.keys().copied().collect();
        for id in open {
            self.fall_back(id, reason);
        }
        let rest: Vec<AskId> = self.waiting.keys().copied().collect();
        for ask in rest {
            self.settle(ask, Verdict::Deny, Source::Fallback { reason });
        }
    }

    /// Lets time pass: out-of-time questions, expired answers, grace, people who never came.
    pub fn tick(&mut self, now: Instant) {
        self.expire(now);
        let (mut late, mut left_alone) = (Vec::new(), Vec::new());
        for (id, open) in &mut self.questions {
            if open.refresh_at.is_some_and(|at| at <= now) {
                open.refresh_at = None;
                self.effects.push(Effect::Show(*id));
            }
            if open.clock.is_over(now) {
                late.push(*id);
            } else if open.asks.is_empty() && open.grace_until.is_some_and(|until| until <= now) {
                left_alone.push(*id);
            }
        }
        for id in late {
            self.fall_back(id, Fallback::Timeout);
        }
        for id in left_alone {
            self.close_unanswered(id);
        }
        if self
            .settings
            .client_expected_until
            .is_some_and(|until| until <= now)
        {
            self.settings.client_expected_until = None;
            self.refuse_if_nobody_is_left(now);
        }
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let questions = self
            .questions
            .values()
            .flat_map(|open| [open.clock.ends(), open.grace_until, open.refresh_at])
            .flatten();
        let answers = self.given.iter().filter_map(|given| given.expires);
        questions
            .chain(answers)
            .chain(self.settings.client_expected_until)
            .min()
    }

    fn rule_on(&self, flow: &Flow, wall: jiff::Timestamp) -> Ruling {
        let names: Vec<&str> = flow.names.iter().map(|name| name.name.as_str()).collect();
        let query = query(flow, &names);
        let decision = self.policy.decide(&query, &self.environment, wall);
        let source = match decision.winner {
            Some((layer, rule)) => Source::Rule {
                layer: layer.to_string(),
                rule: rule.to_string(),
            },
            None => Source::Default,
        };
        match (decision.action, &source) {
            (Action::Allow, _) => Ruling::Settled(Verdict::Allow, source),
            (Action::Deny, _) => Ruling::Settled(Verdict::Deny, source),
            (Action::Ask, Source::Rule { layer, rule }) => Ruling::Ask {
                why: format!("{rule} ({layer})"),
            },
            (Action::Ask, _) => Ruling::Ask {
                why: "no rule matches, and the default is ask".to_owned(),
            },
        }
    }

    fn ask_somebody(&mut self, ask: AskId, flow: Flow, why: String, now: Instant) -> Step {
        if !self.somebody_may_answer() {
            return self.refuse(&flow, Fallback::NobodyToAsk);
        }
        let key = Key::of(&flow);
        if let Some(id) = self.by_key.get(&key).copied() {
            return self.hold_or_refuse(ask, flow, Some(id), now);
        }
        let same_app = |open: &&Open| open.key.app == key.app;
        if self.questions.len() >= MAX_QUESTIONS
            || self.questions.values().filter(same_app).count() >= MAX_QUESTIONS_PER_APP
            || self.is_full(&flow)
        {
            return self.refuse(&flow, Fallback::TooManyWaiting);
        }
        self.last_question += 1;
        let id = self.last_question;
        self.effects.push(Effect::Event(Kind::Asked {
            question: id,
            flow: line(&flow),
            argv: flow.app.argv.clone(),
        }));
        self.by_key.insert(key.clone(), id);
        let open = Open::new(key, flow.clone(), why, self.settings.ask_timeout, now);
        self.questions.insert(id, open);
        let step = self.hold_or_refuse(ask, flow, Some(id), now);
        self.effects.push(Effect::Show(id));
        step
    }

    fn hold_or_refuse(
        &mut self,
        ask: AskId,
        flow: Flow,
        question: Option<QuestionId>,
        now: Instant,
    ) -> Step {
        if self.is_full(&flow) {
            return self.refuse(&flow, Fallback::TooManyWaiting);
        }
        if let Some(open) = question.and_then(|id| self.questions.get_mut(&id)) {
            open.asks.insert(ask);
            open.grace_until = None;
            open.count_changed(now);
        }
        self.waiting.insert(ask, Waiting { flow, question });
        Step::Held
    }

    fn refuse(&mut self, flow: &Flow, reason: Fallback) -> Step {
        self.decided(flow, Verdict::Deny, Source::Fallback { reason })
    }

    fn is_full(&self, flow: &Flow) -> bool {
        let app = flow.app.identity();
        self.waiting.len() >= MAX_WAITING
            || (self.waiting.len() >= MAX_WAITING_PER_APP
                && self
                    .waiting
                    .values()
                    .filter(|waiting| waiting.flow.app.identity() == app)
                    .count()
                    >= MAX_WAITING_PER_APP)
    }

    fn somebody_may_answer(&self) -> bool {
        !self.askable.is_empty()
            || self.settings.ask_timeout.is_some()
            || self.settings.client_expected_until.is_some()
    }

    fn refuse_if_nobody_is_left(&mut self, _now: Instant) {
        if self.somebody_may_answer() {
            return;
        }
        let open: Vec<QuestionId> = self.questions.keys().copied().collect();
        for id in open {
            self.fall_back(id, Fallback::NobodyToAsk);
        }
    }

    /// Refuses all that waits in a question now, by a named fallback.
    fn fall_back(&mut self, id: QuestionId, reason: Fallback) -> usize {
        let source = Source::Fallback { reason };
        let asks = match self.questions.get(&id) {
            Some(open) => open.asks.clone(),
            None => return 0,
        };
        for ask in &asks {
            self.settle(*ask, Verdict::Deny, source.clone());
        }
        self.close(id, Some(Verdict::Deny), Some(source));
        asks.len()
    }

    fn close_unanswered(&mut self, id: QuestionId) {
        self.effects.push(Effect::Event(Kind::Answered {
            question: id,
            verdict: None,
            by: "caller gone".to_owned(),
            rule: None,
            settled: 0,
        }));
        self.close(id, None, None);
    }

    fn close(&mut self, id: QuestionId, verdict: Option<Verdict>, source: Option<Source>) {
        let Some(open) = self.questions.remove(&id) else {
            return;
        };
        self.by_key.remove(&open.key);
        self.effects.push(Effect::Close {
            question: id,
            verdict,
            source,
        });
    }

    fn settle(&mut self, ask: AskId, verdict: Verdict, source: Source) {
        let Some(waiting) = self.waiting.remove(&ask) else {
            return;
        };
        if let Some(id) = waiting.question
            && let Some(open) = self.questions.get_mut(&id)
        {
            open.asks.remove(&ask);
            if open.asks.is_empty() {
                self.close(id, Some(verdict), Some(source.clone()));
            } else {
                self.effects.push(Effect::Show(id));
            }
        }
        self.decided(&waiting.flow, verdict, source.clone());
        self.effects.push(Effect::Settle {
            ask,
            verdict,
            source,
        });
    }

    fn decided(&mut self, flow: &Flow, verdict: Verdict, source: Source) -> Step {
        match verdict {
            Verdict::Allow => self.totals.allowed += 1,
            Verdict::Deny => self.totals.denied += 1,
        }
        self.effects.push(Effect::Event(Kind::Decided {
            flow: line(flow),
            verdict,
            source: source.clone(),
            count: 1,
        }));
        Step::Decided(verdict, source)
    }

    /// Every waiting call meets the rules as they are now.
    fn decide_all_anew(&mut self, now: Instant, wall: jiff::Timestamp) {
        if self.halted {
            return;
        }
        let asks: Vec<AskId> = self.waiting.keys().copied().collect();
        for ask in asks {
            let Some(waiting) = self.waiting.get(&ask) else {
                continue;
            };
            match self.rule_on(&waiting.flow, wall) {
                Ruling::Settled(verdict, source) => self.settle(ask, verdict, source),
                Ruling::Ask { .. } if waiting.question.is_some() => {}
                Ruling::Ask { why } => {
                    // It waited through a halt, and is asked about only now.
                    if let Some(waiting) = self.waiting.remove(&ask)
                        && let Step::Decided(verdict, source) =
                            self.ask_somebody(ask, waiting.flow, why, now)
                    {
                        self.effects.push(Effect::Settle {
                            ask,
                            verdict,
                            source,
                        });
                    }
                }
            }
        }
    }

    /// The waiting calls that a rule matches.
    fn matching(&self, rule: &Rule) -> Vec<AskId> {
        let asks = self.waiting.iter().filter(|(_, waiting)| {
            let flow = &waiting.flow;
            let names: Vec<&str> = flow.names.iter().map(|name| name.name.as_str()).collect();
            rule.matches(&query(flow, &names), &self.environment)
        });
        asks.map(|(ask, _)| *ask).collect()
    }

    fn expire(&mut self, now: Instant) {
        let before = self.given.len();
        self.given
            .retain(|given| given.expires.is_none_or(|at| at > now));
        if self.given.len() != before {
            self.put_answers_in_force();
        }
    }

    fn put_answers_in_force(&mut self) {
        let rules = self.given.iter().map(|given| given.rule.clone()).collect();
        self.policy.set_layer(Layer::Answer, rules);
    }
}

fn query<'a>(flow: &'a Flow, names: &'a [&'a str]) -> Query<'a> {
    Query {
        subject: &flow.app.subject,
        protocol: flow.protocol,
        endpoint: Endpoint::Ip {
            address: flow.address,
            port: flow.port,
        },
        names,
    }
}

fn line(flow: &Flow) -> FlowLine {
    FlowLine {
        pid: flow.pid,
        app: flow.app.identity().to_owned(),
        proto: flow.protocol,
        address: flow.address,
        port: flow.port,
        names: flow.names.clone(),
    }
}

fn gone(id: QuestionId) -> String {
    format!("question {id} does not wait: it was answered, or its caller has gone")
}
