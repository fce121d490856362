//! The session's heart: the engine behind one lock, with those who ask and those who answer.
//!
//! Every thread calls in here (the ask socket's, each control client's, the clock's), holds the
//! lock for one step, and hands the engine's effects on before it lets go: so verdicts, messages
//! and events are in one order. Callbacks run under the lock; they queue and return, they never
//! block or call back.

mod asking;
mod beginning;
mod clients;
mod clock;
mod live;
mod looking_up;
mod nested;
mod recent;
mod repeats;
mod state;
mod tally;
#[cfg(test)]
mod tests;

use crate::control::protocol::Message;
use crate::engine::{AskId, Effect, Engine, Settings, SocketRules, Totals};
use crate::event::{self, Event, Kind};
use crate::flow::Flow;
use crate::hold::Hold;
use crate::nested::RunId;
use crate::page::SharedPage;
use crate::terminal;
use crate::verdict::{Fallback, Source, Verdict};
pub use asking::Asked;
use hallpass_policy::{Environment, Policy, Rule};
pub use looking_up::LookedUp;
use recent::Recent;
use repeats::Repeats;
pub use repeats::Way;
use state::{Client, State};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tally::Tally;

type Reply = Box<dyn FnOnce(Verdict, &Source) + Send>;
/// Takes every event: the log, a counter.
pub type Sink = Box<dyn FnMut(&Event) + Send>;

/// Where answers for good are kept.
pub trait SavedRules: Send + Sync {
    /// All saved rules.
    ///
    /// # Errors
    /// They cannot be read; where, why, and what to do.
    fn load(&self) -> Result<Vec<Rule>, String>;
    /// Adds a rule.
    ///
    /// # Errors
    /// It could not be saved; where, why, and what to do.
    fn add(&self, rule: &Rule) -> Result<(), String>;
}

/// What a session starts with.
pub struct Config {
    /// The session's name.
    pub session: String,
    /// The command it runs, escaped.
    pub command: Vec<String>,
    /// Rules and default.
    pub policy: Policy,
    /// Attached networks and name servers.
    pub environment: Environment,
    /// Where answers for good go; none for a hermetic run.
    pub saved: Option<Box<dyn SavedRules>>,
    /// See [`Settings::ask_timeout`].
    pub ask_timeout: Option<Duration>,
    /// See [`Settings::audit`].
    pub audit: bool,
    /// How long a client that can answer may take to turn up; none if nobody is expected.
    pub client_expected_within: Option<Duration>,
    /// How calls wait for an answer.
    pub hold: Hold,
    /// Who takes every event.
    pub sinks: Vec<Sink>,
    /// Shared with the hooks, so that they may keep verdicts; without it they ask each time.
    pub page: Option<SharedPage>,
}

/// A handle on the session; clones are the same session.
#[derive(Clone)]
pub struct Core {
    shared: Arc<Shared>,
}

struct Shared {
    session: String,
    command: Vec<String>,
    /// Where it was started: it leaves it later.
    terminal: Option<String>,
    saved: Option<Box<dyn SavedRules>>,
    hold: Hold,
    state: Mutex<State>,
    /// Its lock is taken before no other.
    repeats: Repeats,
    /// Held while live connections are looked for; taken before `state`, never while holding it.
    looking: Mutex<live::Looking>,
    /// Tells the clock that the next deadline may have changed.
    changed: Condvar,
}

impl Core {
    /// A session in which nothing has happened yet but `started`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let now = Instant::now();
        let settings = Settings {
            ask_timeout: config.ask_timeout,
            may_save: config.saved.is_some(),
            audit: config.audit,
            client_expected_until: config
                .client_expected_within
                .and_then(|within| now.checked_add(within)),
            hold: config.hold,
        };
        let core = Self {
            shared: Arc::new(Shared {
                session: config.session,
                command: config.command.clone(),
                terminal: terminal::name(),
                saved: config.saved,
                hold: config.hold,
                state: Mutex::new(State {
                    engine: Engine::new(settings, config.policy, config.environment),
                    replies: HashMap::new(),
                    clients: HashMap::new(),
                    sinks: config.sinks,
                    last_ask: 0,
                    last_client: 0,
                    last_event: 0,
                    beginning: beginning::Beginning::new(),
                    last_rules_turn: 0,
                    rules_turn_in_force: 0,
                    is_over: false,
                    recent: Recent::default(),
                    tally: config.page.map(Tally::new),
                    generation: 0,
                    next_taking: None,
                    clock_sleeps_until: None,
                }),
                repeats: Repeats::default(),
                looking: Mutex::default(),
                changed: Condvar::new(),
            }),
        };
        core.record(Kind::Started {
            command: config.command,
        });
        core
    }

    /// Names of addresses have changed, or how far they may be trusted.
    pub fn names_changed(&self) {
        self.shared.repeats.void();
    }

    /// Counts and records a call that was refused before it could be put to the policy; `runs`: the
    /// nested runs that it was made in.
    pub fn record_refusal(&self, kind: Kind, runs: &[RunId]) {
        let mut state = self.lock();
        state.engine.count_for(Verdict::Deny, 1, runs);
        self.publish(&mut state, kind);
    }

    /// Counts a refusal that is like one recorded a moment ago.
    pub fn count_refusal(&self, runs: &[RunId]) {
        self.lock().engine.count_for(Verdict::Deny, 1, runs);
    }

    /// The caller of a held call is gone; it may come back at once if it still lives.
    pub fn withdraw(&self, ask: AskId, may_return: bool) {
        let mut state = self.lock();
        state.replies.remove(&ask);
        let now = Instant::now();
        state.engine.withdraw(ask, may_return, now);
        self.carry_out(&mut state, now);
    }

    /// Attached networks or name servers have changed.
    pub fn environment_changed(&self, environment: Environment) {
        let mut state = self.lock();
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        state.engine.environment_changed(environment, now, wall);
        self.carry_out(&mut state, now);
    }

    /// Calls so far, those that hooks have settled by kept verdicts included.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut state = self.lock();
        self.take_counts(&mut state);
        state.engine.totals()
    }

    /// The rules that answers have made, but for those that hold for a time only; and the number of
    /// these.
    #[must_use]
    pub fn answers(&self) -> (Vec<Rule>, usize) {
        self.lock().engine.answers()
    }

    /// What the rules of now say about UNIX sockets, those of these nested runs included.
    #[must_use]
    pub fn socket_rules(&self, runs: &[RunId]) -> Arc<SocketRules> {
        self.lock().engine.socket_rules(runs)
    }

    /// Whether the call would be refused though no rule says so.
    #[must_use]
    pub fn refuses_by_default(&self, flow: &Flow) -> bool {
        let wall = jiff::Timestamp::now();
        self.lock().engine.refuses_by_default(flow, wall)
    }

    /// Records something that the engine does not know of.
    pub fn record(&self, kind: Kind) {
        let mut state = self.lock();
        self.publish(&mut state, kind);
    }

    /// Refuses all that waits now; what comes later is decided as before.
    pub fn refuse_waiting(&self, reason: Fallback) {
        let mut state = self.lock();
        state.engine.refuse_all(reason);
        self.carry_out(&mut state, Instant::now());
    }

    /// A panic under the lock aborts the session (its panic hook), so a poisoned lock is seen
    /// only by tests.
    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Before anybody hears of a change: who then asks gets nothing old.
    fn void_if_changed(&self, state: &mut State) {
        if state.generation != state.engine.generation() {
            state.generation = state.engine.generation();
            self.shared.repeats.void();
            if let Some(tally) = &state.tally {
                tally.page().bump();
            }
        }
    }

    fn carry_out(&self, state: &mut State, now: Instant) {
        self.void_if_changed(state);
        let mut effects = state.engine.take_effects();
        let mut shown = BTreeSet::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Settle {
                    ask,
                    verdict,
                    source,
                } => {
                    if let Some(reply) = state.replies.remove(&ask) {
                        reply(verdict, &source);
                    }
                }
                Effect::Event(kind) => self.publish(state, kind),
                Effect::Show(id) => {
                    shown.insert(id);
                }
                Effect::Close {
                    question,
                    verdict,
                    source,
                } => {
                    let message = Message::Settled {
                        question,
                        verdict,
                        source,
                    };
                    send(state, &message, |client| client.asks);
                }
            }
        }
        state.engine.reuse(effects);
        // Once, however often it changed in this step; and not if it is gone again.
        for id in shown {
            if let Some(question) = state.engine.question(id, now) {
                let message = Message::Question(Box::new(question));
                send(state, &message, |client| client.asks);
            }
        }
        self.wake_clock(state);
    }

    fn publish(&self, state: &mut State, kind: Kind) {
        state.recent.note(&kind, Instant::now());
        state.last_event += 1;
        let event = Event {
            v: event::VERSION,
            seq: state.last_event,
            time: jiff::Timestamp::now().to_string(),
            session: self.shared.session.clone(),
            kind,
        };
        for sink in &mut state.sinks {
            sink(&event);
        }
        state.beginning.note(&event);
        if state.clients.values().any(|client| client.events) {
            let message = Message::Event(Box::new(event));
            send(state, &message, |client| client.events);
        }
    }
}

/// A client that does not take its messages is dropped by its own thread, which unsubscribes it.
fn send(state: &State, message: &Message, wants: impl Fn(&Client) -> bool) {
    for client in state.clients.values().filter(|client| wants(client)) {
        (client.outlet)(message.clone());
    }
}
