//! The session's heart: the engine behind one lock, with those who ask and those who answer.
//!
//! Every thread calls in here (the ask socket's, each control client's, the clock's), holds the
//! lock for one step, and hands the engine's effects on before it lets go: so verdicts, messages
//! and events are in one order. Callbacks run under the lock; they queue and return, they never
//! block or call back.

use crate::control::protocol::{Answer, Duration as For, Message, Question, QuestionId};
use crate::engine::{AskId, ClientId, Effect, Engine, Settings, Step, Totals};
use crate::event::{self, Event, Kind};
use crate::flow::Flow;
use crate::verdict::{Fallback, Source, Verdict};
use hallpass_policy::{Environment, Policy, Rule};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

type Reply = Box<dyn FnOnce(Verdict, &Source) + Send>;
/// Takes messages for a client; false says that it is gone or too slow.
pub type Outbox = Box<dyn Fn(Message) -> bool + Send>;
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

/// What a call met.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// It is decided.
    Decided(Verdict, Source),
    /// It waits; its verdict comes by the callback.
    Held(AskId),
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
    /// How long a client that can answer may take to turn up; none if nobody is expected.
    pub client_expected_within: Option<Duration>,
    /// Who takes every event.
    pub sinks: Vec<Sink>,
}

/// A handle on the session; clones are the same session.
#[derive(Clone)]
pub struct Core {
    shared: Arc<Shared>,
}

struct Shared {
    session: String,
    command: Vec<String>,
    saved: Option<Box<dyn SavedRules>>,
    state: Mutex<State>,
    /// Tells the clock that the next deadline may have changed.
    changed: Condvar,
}

struct State {
    engine: Engine,
    replies: HashMap<AskId, Reply>,
    clients: HashMap<ClientId, Client>,
    sinks: Vec<Sink>,
    last_ask: AskId,
    last_client: ClientId,
    last_event: u64,
    is_over: bool,
}

struct Client {
    events: bool,
    asks: bool,
    outbox: Outbox,
}

impl Core {
    /// A session in which nothing has happened yet but `started`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let now = Instant::now();
        let settings = Settings {
            ask_timeout: config.ask_timeout,
            may_save: config.saved.is_some(),
            client_expected_until: config
                .client_expected_within
                .and_then(|within| now.checked_add(within)),
        };
        let core = Self {
            shared: Arc::new(Shared {
                session: config.session,
                command: config.command.clone(),
                saved: config.saved,
                state: Mutex::new(State {
                    engine: Engine::new(settings, config.policy, config.environment),
                    replies: HashMap::new(),
                    clients: HashMap::new(),
                    sinks: config.sinks,
                    last_ask: 0,
                    last_client: 0,
                    last_event: 0,
                    is_over: false,
                }),
                changed: Condvar::new(),
            }),
        };
        core.record(Kind::Started {
            command: config.command,
        });
        core
    }

    /// The session's name.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.shared.session
    }

    /// The command it runs, escaped.
    #[must_use]
    pub fn command(&self) -> &[String] {
        &self.shared.command
    }

    /// True where answers may be saved for good.
    #[must_use]
    pub fn may_save(&self) -> bool {
        self.shared.saved.is_some()
    }

    /// A new call. `reply` takes the verdict of a call that is held, once, from any thread and
    /// maybe before this returns; never if the call is withdrawn first.
    pub fn ask(&self, flow: Flow, reply: impl FnOnce(Verdict, &Source) + Send + 'static) -> Asked {
        let mut state = self.lock();
        state.last_ask += 1;
        let ask = state.last_ask;
        let now = Instant::now();
        let asked = match state.engine.ask(ask, flow, now, jiff::Timestamp::now()) {
            Step::Decided(verdict, source) => Asked::Decided(verdict, source),
            Step::Held => {
                state.replies.insert(ask, Box::new(reply));
                Asked::Held(ask)
            }
        };
        self.carry_out(&mut state, now);
        asked
    }

    /// Counts and records a call that was refused before it could be put to the policy.
    pub fn record_refusal(&self, kind: Kind) {
        let mut state = self.lock();
        state.engine.count_refusal();
        self.publish(&mut state, kind);
    }

    /// The caller of a held call is gone; it may come back at once if it still lives.
    pub fn withdraw(&self, ask: AskId, may_return: bool) {
        let mut state = self.lock();
        state.replies.remove(&ask);
        let now = Instant::now();
        state.engine.withdraw(ask, may_return, now);
        self.carry_out(&mut state, now);
    }

    /// A client wants events, questions, or both. It gets the questions that wait at once.
    pub fn subscribe(&self, events: bool, asks: bool, outbox: Outbox) -> ClientId {
        let mut state = self.lock();
        let now = Instant::now();
        state.last_client += 1;
        let id = state.last_client;
        if asks {
            for question in state.engine.pending(now) {
                outbox(Message::Question(Box::new(question)));
            }
            state.engine.client_joined(id);
        }
        state.clients.insert(
            id,
            Client {
                events,
                asks,
                outbox,
            },
        );
        self.carry_out(&mut state, now);
        id
    }

    /// A client is gone.
    pub fn unsubscribe(&self, client: ClientId) {
        let mut state = self.lock();
        state.clients.remove(&client);
        let now = Instant::now();
        state.engine.client_left(client, now);
        self.carry_out(&mut state, now);
    }

    /// The questions that wait, oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<Question> {
        self.lock().engine.pending(Instant::now())
    }

    /// Answers a question in the name of `by`. An answer for good is saved before it counts.
    ///
    /// Returns how many waiting calls it settled.
    ///
    /// # Errors
    /// The question is gone, the answer is none it offers, or it could not be saved; in words.
    pub fn answer(&self, id: QuestionId, answer: &Answer, by: &str) -> Result<usize, String> {
        let rule = self.lock().engine.plan(id, answer)?;
        // Saved without the lock: fsync may take long, and decisions must not wait for a disk.
        if answer.duration == For::Always
            && let Some(saved) = &self.shared.saved
        {
            saved.add(&rule)?;
        }
        let mut state = self.lock();
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        let settled = state.engine.answer(id, answer, &rule, by, now, wall);
        self.carry_out(&mut state, now);
        Ok(settled)
    }

    /// Refuses what waits in a question; writes no rule. Returns how many calls that was.
    ///
    /// # Errors
    /// The question is gone.
    pub fn dismiss(&self, id: QuestionId, by: &str) -> Result<usize, String> {
        let mut state = self.lock();
        let settled = state.engine.dismiss(id, by)?;
        self.carry_out(&mut state, Instant::now());
        Ok(settled)
    }

    /// Stops a question's clock while the client is there.
    ///
    /// # Errors
    /// The question is gone.
    pub fn touch(&self, id: QuestionId, client: ClientId) -> Result<(), String> {
        let mut state = self.lock();
        let now = Instant::now();
        state.engine.touch(id, client, now)?;
        self.carry_out(&mut state, now);
        Ok(())
    }

    /// Reads the saved rules again; they are in force when this returns.
    ///
    /// # Errors
    /// They cannot be read: the ones before stay in force.
    pub fn rules_changed(&self) -> Result<(), String> {
        let Some(saved) = &self.shared.saved else {
            // A hermetic run leaves saved rules out, so no edit of them concerns it.
            return Ok(());
        };
        // Under the lock, so that of two edits the later one is the one that stays.
        let mut state = self.lock();
        let rules = saved.load()?;
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        state.engine.saved_rules_changed(rules, now, wall);
        self.carry_out(&mut state, now);
        Ok(())
    }

    /// Attached networks or name servers have changed.
    pub fn environment_changed(&self, environment: Environment) {
        let mut state = self.lock();
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        state.engine.environment_changed(environment, now, wall);
        self.carry_out(&mut state, now);
    }

    /// Holds every call from now on and asks nobody.
    pub fn halt(&self) {
        let mut state = self.lock();
        state.engine.halt();
        self.carry_out(&mut state, Instant::now());
    }

    /// Ends a halt; what waits is decided anew.
    pub fn release(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        state.engine.release(now, jiff::Timestamp::now());
        self.carry_out(&mut state, now);
    }

    /// True between halt and release.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.lock().engine.is_halted()
    }

    /// Calls so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.lock().engine.totals()
    }

    /// Records something that the engine does not know of.
    pub fn record(&self, kind: Kind) {
        let mut state = self.lock();
        self.publish(&mut state, kind);
    }

    /// Refuses all that waits, says the totals, and stops the clock.
    pub fn shut_down(&self, reason: Fallback) -> Totals {
        let mut state = self.lock();
        state.engine.refuse_all(reason);
        self.carry_out(&mut state, Instant::now());
        let totals = state.engine.totals();
        self.publish(
            &mut state,
            Kind::Totals {
                allowed: totals.allowed,
                denied: totals.denied,
            },
        );
        state.is_over = true;
        self.shared.changed.notify_all();
        totals
    }

    /// Lets the engine's time pass until [`Self::shut_down`]; a thread of its own runs this.
    pub fn run_clock(&self) {
        let mut state = self.lock();
        while !state.is_over {
            let now = Instant::now();
            state = match state.engine.next_deadline() {
                Some(deadline) if deadline <= now => {
                    state.engine.tick(now);
                    self.carry_out(&mut state, now);
                    state
                }
                Some(deadline) => {
                    let wait = self.shared.changed.wait_timeout(state, deadline - now);
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let wait = self.shared.changed.wait(state);
                    wait.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    /// A panic under the lock aborts the session (its panic hook), so a poisoned lock is seen
    /// only by tests.
    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, state: &mut State, now: Instant) {
        let effects = state.engine.take_effects();
        let mut shown = BTreeSet::new();
        for effect in effects {
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
        // Once, however often it changed in this step; and not if it is gone again.
        for id in shown {
            if let Some(question) = state.engine.question(id, now) {
                let message = Message::Question(Box::new(question));
                send(state, &message, |client| client.asks);
            }
        }
        self.shared.changed.notify_all();
    }

    fn publish(&self, state: &mut State, kind: Kind) {
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
        if state.clients.values().any(|client| client.events) {
            let message = Message::Event(Box::new(event));
            send(state, &message, |client| client.events);
        }
    }
}

/// A client that does not take its messages is dropped by its own thread, which unsubscribes it.
fn send(state: &State, message: &Message, wants: impl Fn(&Client) -> bool) {
    for client in state.clients.values().filter(|client| wants(client)) {
        (client.outbox)(message.clone());
    }
}
