//! Names that the session has looked up itself: with the guard an address has a name only if one
//! of these look-ups gave it (docs/policy.md). It is no part of the program: its look-ups are
//! held by nobody.

mod checks;
mod together;

pub use checks::Wanted;

use crate::flow::{Flow, Name, Trust};
use checks::{CallId, Checks, Todo};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// How many look-ups are made at once; each may take as long as the system's resolver does.
const MAX_THREADS: usize = 8;

/// Looks a name up, as the system does.
pub type LookUp = fn(&str) -> Vec<IpAddr>;

type Then = Box<dyn FnOnce(Flow) + Send>;

/// See the module's text. Clones are the same.
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

struct Shared {
    look_up: LookUp,
    state: Mutex<State>,
    /// Look-ups that have begun or come back.
    changes: AtomicU64,
    /// There is a name to look up.
    work: Condvar,
    /// The next deadline may have changed.
    changed: Condvar,
}

/// A call whose names are looked up.
struct Checked {
    flow: Flow,
    /// Names of rules that refuse it or have somebody asked, if it has them.
    closing: Vec<String>,
    then: Then,
}

#[derive(Default)]
struct State {
    checks: Checks,
    queue: VecDeque<String>,
    calls: HashMap<CallId, Checked>,
    last_call: CallId,
    threads: usize,
    idle: usize,
    has_clock: bool,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::with(by_the_system)
    }
}

impl Verifier {
    /// With another way to look names up.
    #[must_use]
    pub fn with(look_up: LookUp) -> Self {
        Self {
            shared: Arc::new(Shared {
                look_up,
                state: Mutex::default(),
                changes: AtomicU64::new(0),
                work: Condvar::new(),
                changed: Condvar::new(),
            }),
        }
    }

    /// Says of each of the flow's names how far it may be trusted, and adds the names of rules
    /// that are known to have its address.
    pub fn mark(&self, flow: &mut Flow) {
        self.lock().mark(flow);
    }

    /// Looks up what matters to a flow, then calls `then` with the flow as [`Self::mark`] leaves
    /// it: from any thread, after at most five seconds, maybe before this returns.
    pub fn check(&self, flow: Flow, wanted: Vec<Wanted>, then: impl FnOnce(Flow) + Send + 'static) {
        // A UNIX socket has no names.
        let Some(address) = flow.address.ip() else {
            then(flow);
            return;
        };
        let mut state = self.lock();
        state.last_call += 1;
        let id = state.last_call;
        let closing = wanted.iter().filter(|it| it.of_rule && !it.opens);
        let call = Checked {
            flow,
            closing: closing.map(|it| it.name.clone()).collect(),
            then: Box::new(then),
        };
        state.calls.insert(id, call);
        let todo = state.checks.begin(id, address, wanted, Instant::now());
        // It may have made a name one of rules.
        self.shared.changes.fetch_add(1, Ordering::AcqRel);
        self.carry_out(state, todo);
    }

    /// Another number whenever [`Self::mark`] may say something else than before.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::Acquire)
    }

    fn carry_out(&self, mut state: MutexGuard<'_, State>, todo: Todo) {
        let mut ready = state.take(&todo.go_on);
        state.queue.extend(todo.look_up);
        self.start_threads(&mut state);
        if state.threads == 0 || !state.has_clock {
            // Nobody would ever wake those who wait.
            let all: Vec<CallId> = state.calls.keys().copied().collect();
            ready.extend(state.take(&all));
        }
        drop(state);
        self.shared.changed.notify_all();
        for (flow, then) in ready {
            then(flow);
        }
    }

    /// As many as there is work for; a thread that cannot be had means waiting, or no name.
    fn start_threads(&self, state: &mut State) {
        for _ in 0..state.queue.len().min(MAX_THREADS) {
            self.shared.work.notify_one();
        }
        while state.queue.len() > state.idle && state.threads < MAX_THREADS {
            let this = self.clone();
            let started = thread::Builder::new()
                .name("names".to_owned())
                .spawn(move || this.work());
            if started.is_err() {
                break;
            }
            state.threads += 1;
            // It counts as idle until it has taken something.
            state.idle += 1;
        }
        if !state.has_clock && !state.calls.is_empty() {
            let this = self.clone();
            let started = thread::Builder::new()
                .name("names-clock".to_owned())
                .spawn(move || this.run_clock());
            state.has_clock = started.is_ok();
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            let Some(name) = state.queue.pop_front() else {
                let waited = self.shared.work.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.idle = state.idle.saturating_sub(1);
            state.checks.has_begun(&name);
            drop(state);
            let addresses = (self.shared.look_up)(&name);
            state = self.lock();
            state.idle += 1;
            let todo = state.checks.looked_up(&name, addresses, Instant::now());
            self.shared.changes.fetch_add(1, Ordering::AcqRel);
            self.carry_out(state, todo);
            state = self.lock();
        }
    }

    fn run_clock(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let late = state.checks.tick(now);
            if !late.is_empty() {
                let go_on = Todo {
                    go_on: late,
                    look_up: Vec::new(),
                };
                self.carry_out(state, go_on);
                state = self.lock();
                continue;
            }
            state = match state.checks.next_deadline() {
                None => {
                    let waited = self.shared.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Some(at) => {
                    let left = at.saturating_duration_since(now);
                    let waited = self.shared.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// A panic aborts the session (its panic hook), so a poisoned lock is never seen.
    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn mark(&self, flow: &mut Flow) {
        let Some(address) = flow.address.ip() else {
            return;
        };
        for name in &mut flow.names {
            if self.checks.is_verified(&name.name, address) {
                name.trust = Trust::Verified;
            }
        }
        for name in self.checks.of_rules(address) {
            if flow.names.iter().all(|known| known.name != name) {
                flow.names.push(Name {
                    name,
                    trust: Trust::Verified,
                });
            }
        }
    }

    fn take(&mut self, ids: &[CallId]) -> Vec<(Flow, Then)> {
        let mut taken = Vec::new();
        for id in ids {
            let Some(call) = self.calls.remove(id) else {
                continue;
            };
            let mut flow = call.flow;
            self.mark(&mut flow);
            self.suspect(&mut flow, call.closing);
            taken.push((flow, call.then));
        }
        taken
    }

    /// Programs can have so much looked up that a name of a rule never gets its turn. The call counts
    /// as having it then, as if its program had said so: that opens nothing.
    fn suspect(&self, flow: &mut Flow, closing: Vec<String>) {
        for name in closing {
            let is_known = flow.names.iter().any(|known| known.name == name);
            if !is_known && self.checks.is_crowded_out(&name) {
                flow.names.push(Name::claimed(name));
            }
        }
    }
}

/// getaddrinfo(3), as programs use it: /etc/hosts, search domains and name servers as configured.
fn by_the_system(name: &str) -> Vec<IpAddr> {
    use std::net::ToSocketAddrs;
    let found = (name, 0).to_socket_addrs();
    found.map_or_else(|_| Vec::new(), |found| found.map(|it| it.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::{Verifier, Wanted};
    use crate::flow::{Flow, Name, Trust};
    use std::net::IpAddr;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    fn answers(name: &str) -> Vec<IpAddr> {
        match name {
            slow if slow.starts_with("slow") => std::thread::sleep(Duration::from_secs(30)),
            "here.test" => return vec![IpAddr::from([10, 0, 0, 7])],
            _ => {}
        }
        Vec::new()
    }

    fn flow(names: &[&str]) -> Flow {
        let named = names.iter().map(|it| Name::claimed((*it).to_owned()));
        Flow {
            names: named.collect(),
            ..Flow::of_nobody([10, 0, 0, 7], 80)
        }
    }

    fn wanted(name: &str, of_rule: bool) -> Wanted {
        Wanted {
            name: name.to_owned(),
            opens: true,
            of_rule,
        }
    }

    #[test]
    fn names_are_marked_when_they_have_been_looked_up() {
        let verifier = Verifier::with(answers);
        let (sender, seen) = channel();
        let names = ["here.test", "elsewhere.test"];
        let wanted = names.map(|name| wanted(name, false)).to_vec();
        verifier.check(flow(&names), wanted, move |flow| {
            sender.send(flow).unwrap();
        });
        let flow = seen.recv_timeout(Duration::from_secs(20)).unwrap();
        let trust: Vec<Trust> = flow.names.iter().map(|name| name.trust).collect();
        assert_eq!(trust, [Trust::Verified, Trust::Claimed]);
    }

    #[test]
    fn a_name_of_a_rule_needs_nobody_who_claims_it() {
        let verifier = Verifier::with(answers);
        let (sender, seen) = channel();
        let wanted = vec![wanted("here.test", true)];
        verifier.check(flow(&[]), wanted, move |flow| sender.send(flow).unwrap());
        let first = seen.recv_timeout(Duration::from_secs(20)).unwrap();
        let mut later = flow(&[]);
        verifier.mark(&mut later);
        for flow in [first, later] {
            assert_eq!(flow.names.len(), 1);
            assert_eq!(flow.names[0].name, "here.test");
            assert_eq!(flow.names[0].trust, Trust::Verified);
        }
    }

    #[test]
    fn a_name_of_a_rule_that_closes_is_not_crowded_out() {
        let verifier = Verifier::with(answers);
        let (sender, seen) = channel();
        let closing = || {
            vec![Wanted {
                opens: false,
                ..wanted("closed.test", true)
            }]
        };
        // More than are looked up at once, by somebody who controls how long it takes.
        let slow: Vec<String> = (0..20).map(|n| format!("slow{n}.test")).collect();
        let crowd = slow.iter().map(|name| wanted(name, true)).collect();
        verifier.check(flow(&[]), crowd, |_| {});
        verifier.check(flow(&[]), closing(), move |flow| sender.send(flow).unwrap());
        let flow = seen.recv_timeout(Duration::from_secs(20)).unwrap();
        let names: Vec<_> = flow.names.iter().map(|it| (&*it.name, it.trust)).collect();
        assert_eq!(names, [("closed.test", Trust::Claimed)]);
    }

    #[test]
    fn a_name_of_a_rule_that_closes_is_not_forgotten_among_many() {
        let verifier = Verifier::with(answers);
        let (sender, seen) = channel();
        for at in 0..20 {
            let names: Vec<String> = (0..250).map(|n| format!("n{at}-{n}.test")).collect();
            let many = names.iter().map(|name| wanted(name, true)).collect();
            let sender = sender.clone();
            verifier.check(flow(&[]), many, move |flow| sender.send(flow).unwrap());
            seen.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        let closing = vec![Wanted {
            opens: false,
            ..wanted("closed.test", true)
        }];
        verifier.check(flow(&[]), closing, move |flow| sender.send(flow).unwrap());
        let flow = seen.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(flow.names.len(), 1);
        assert_eq!(flow.names[0].trust, Trust::Claimed);
    }

    #[test]
    fn a_name_server_that_says_nothing_delays_a_call_for_a_while() {
        let verifier = Verifier::with(answers);
        let (sender, seen) = channel();
        let begun = Instant::now();
        let wanted = vec![wanted("slow.test", false)];
        verifier.check(flow(&["slow.test"]), wanted, move |flow| {
            sender.send(flow).unwrap();
        });
        let flow = seen.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(5));
        assert_eq!(flow.names[0].trust, Trust::Claimed);
    }
}
