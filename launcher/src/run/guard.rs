//! Between the guard and the engine: what the one tells of is put to the other.
//!
//! Nothing is decided here but what no rule can say: which UNIX sockets are nobody's business,
//! and which are out of every target's reach.

mod brokers;
mod look_ups;
mod outside;
mod ping;
mod refusals;
mod remarks;
mod sockets;
mod staged;

use super::coverage::{self, Named};
use brokers::Brokers;
use hallpass_guard::{
    Call, CallKind, Caller, Decide, Destination, InstallError, Protocol, Refusal, Reply, Verdict,
    Withdraw,
};
use hallpass_policy::is_name_service_path;
use hallpass_session::address::Socket;
use hallpass_session::core::{Core, Way};
use hallpass_session::engine::SocketRules;
use hallpass_session::event::Kind;
use hallpass_session::flow::App;
use hallpass_session::identity::Identity;
use hallpass_session::names::Noted;
use hallpass_session::nested::RunId;
use hallpass_session::targets::Targets;
use hallpass_session::verdict::{self, Fallback};
use hallpass_session::verify::Verifier;
use hallpass_wire::{NameReport, Note};
use look_ups::LookUps;
use refusals::{Refusals, Said};
use sockets::OutOfReach;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Why there is no guard, and what a person can do.
pub(crate) fn cannot_install(error: &InstallError) -> String {
    match error {
        InstallError::AlreadyGuarded
        | InstallError::Refused(_)
        | InstallError::NoSight(_)
        | InstallError::NoWayToSockets(..) => format!(
            "there can be no guard here: {error}; with --guard=off the preloaded library decides \
             alone, which static programs and raw system calls get around"
        ),
        InstallError::Thread(_) | InstallError::Start(_) => {
            format!("cannot start a process: {error}")
        }
    }
}

/// Puts the guard's calls to the engine.
pub(super) struct Decider {
    core: Core,
    targets: Mutex<Targets>,
    verifier: Verifier,
    look_ups: Mutex<LookUps>,
    rebound: Mutex<Said>,
    /// Programs whose look-ups go past nscd and systemd-resolved.
    without_service: Mutex<Said>,
    refusals: Mutex<Refusals>,
    out_of_reach: OutOfReach,
    brokers: Brokers,
    named: Named,
    /// Programs, and the sockets by which they have others work for them.
    leaving: Mutex<Said>,
    /// [`Verifier::changes`] as the core knows of.
    look_ups_known: AtomicU64,
}

impl Decider {
    /// For the session with this process id, which has started `command` and whose runtime
    /// directory is `dir`. `named` are the programs that coverage lines have named.
    pub(super) fn new(
        core: Core,
        session_pid: u32,
        command: u32,
        dir: &Path,
        named: Named,
    ) -> Self {
        core.trust_only_verified_names();
        Self {
            core,
            targets: Mutex::new(Targets::new(session_pid, command).guarded()),
            verifier: Verifier::default(),
            look_ups: Mutex::default(),
            rebound: Mutex::default(),
            without_service: Mutex::default(),
            refusals: Mutex::default(),
            out_of_reach: OutOfReach::new(dir),
            brokers: Brokers::default(),
            named,
            leaving: Mutex::default(),
            look_ups_known: AtomicU64::new(0),
        }
    }

    /// By an equal call's verdict, else by the rules. None where somebody must be asked, a name
    /// looked up, or it is no process of ours.
    fn decide_at_once(
        &self,
        caller: Caller,
        protocol: Protocol,
        to: SocketAddr,
    ) -> Option<verdict::Verdict> {
        let look_ups = self.verifier.changes();
        if self.look_ups_known.swap(look_ups, Ordering::AcqRel) != look_ups {
            self.core.names_changed();
        }
        let way = Way {
            pid: caller.pid,
            protocol: policy(protocol),
            to,
        };
        let generation = self.core.repeats_generation();
        let mut targets = lock(&self.targets);
        let identity = targets.identify(caller.pid)?;
        if let Some(verdict) = self.core.ask_again(way, &identity.app) {
            return Some(verdict);
        }
        let mut flow = targets.flow(caller.pid, &identity, way.protocol, to);
        drop(targets);
        self.verifier.mark(&mut flow);
        if !self.core.names_wanted(&flow).is_empty() {
            return None;
        }
        self.core.ask_rules(&flow, way, generation)
    }

    fn ask(
        &self,
        caller: Caller,
        protocol: Protocol,
        to: SocketAddr,
        reply: Reply,
    ) -> Option<Withdraw> {
        let flow = {
            let mut targets = lock(&self.targets);
            let identity = targets.identify(caller.pid);
            identity.map(|identity| targets.flow(caller.pid, &identity, policy(protocol), to))
        };
        let Some(mut flow) = flow else {
            reply.refuse(Refusal::Stranger);
            return None;
        };
        self.verifier.mark(&mut flow);
        let wanted = self.core.names_wanted(&flow);
        if wanted.is_empty() {
            return staged::ask(&self.core, flow, reply);
        }
        staged::ask_with_names(&self.core, &self.verifier, flow, wanted, reply)
    }

    fn is_ping(&self, caller: Caller) -> bool {
        let identity = lock(&self.targets).identify(caller.pid);
        identity.is_some_and(|identity| ping::is_ping(&identity.app))
    }

    /// A look-up that has succeeded, and been noted, may be held before its program has the result.
    fn look_up(&self, caller: Caller, report: &NameReport, reply: Reply) -> Option<Withdraw> {
        let flows = {
            let mut targets = lock(&self.targets);
            let identity = targets.identify(caller.pid);
            identity.map(|identity| targets.looked_up(caller.pid, &identity, report))
        };
        let Some(flows) = flows else {
            reply.refuse(Refusal::Stranger);
            return None;
        };
        staged::look_up(&self.core, &self.verifier, caller.pid, flows, reply)
    }

    /// The nested runs that a process is in.
    fn runs(&self, caller: Caller) -> Arc<[RunId]> {
        let mut targets = lock(&self.targets);
        if !targets.has_runs() {
            return Arc::default();
        }
        let identity = targets.identify(caller.pid);
        identity.map(|identity| identity.runs).unwrap_or_default()
    }

    /// What the rules for this process say about UNIX sockets.
    fn socket_rules(&self, caller: Caller) -> Arc<SocketRules> {
        self.core.socket_rules(&self.runs(caller))
    }

    fn may_be_looked_up(&self, name: &str, caller: Caller) -> bool {
        let runs = self.runs(caller);
        self.core.may_be_looked_up(name, caller.pid, &runs)
    }

    /// A socket that nobody has a word about passes.
    fn ask_socket(&self, caller: Caller, socket: Option<Socket>, reply: Reply) -> Option<Withdraw> {
        let Some(socket) = socket else {
            reply.settle(Verdict::Allow);
            return None;
        };
        let flow = {
            let mut targets = lock(&self.targets);
            let identity = targets.identify(caller.pid);
            identity.map(|identity| targets.socket_flow(caller.pid, &identity, socket.clone()))
        };
        let Some(flow) = flow else {
            reply.refuse(Refusal::Stranger);
            return None;
        };
        if is_name_service_path(socket.path()) && self.core.refuses_by_default(&flow) {
            self.say_who_looks_up(&flow, socket.path());
            reply.settle(Verdict::Deny);
            return None;
        }
        staged::ask(&self.core, flow, reply)
    }

    fn refuse(&self, caller: Caller, identity: Option<&Identity>, what: &str, reason: Fallback) {
        let runs = identity.map_or(&[][..], |identity| &identity.runs);
        let app = identity.map(|identity| &*identity.app);
        let name = app.map_or("", App::identity);
        let package = app.and_then(App::package).map_or("", String::as_str);
        let Some(what) = lock(&self.refusals).say(name, package, what) else {
            self.core.count_refusal(runs);
            return;
        };
        let refused = Kind::refused(caller.pid, app, what, reason);
        self.core.record_refusal(refused, runs);
    }
}

impl Decide for Decider {
    fn at_once(&self, call: &Call) -> Option<Verdict> {
        if lock(&self.look_ups).is_probe(call, Instant::now) {
            return Some(Verdict::Probe);
        }
        let Destination::Ip(protocol, to) = call.destination else {
            return None;
        };
        if call.kind == CallKind::Connect
            && ping::may_be_its_look(protocol, to)
            && self.is_ping(call.caller)
        {
            return Some(Verdict::Probe);
        }
        self.decide_at_once(call.caller, protocol, to).map(guards)
    }

    fn decide(&self, call: Call, reply: Reply) -> Option<Withdraw> {
        match call.destination {
            Destination::Ip(protocol, to) => self.ask(call.caller, protocol, to, reply),
            Destination::Path {
                path,
                device,
                inode,
            } => {
                let (caller, file) = (call.caller, (device, inode));
                if self.out_of_reach.has(&path, file) {
                    let identity = lock(&self.targets).identify(caller.pid);
                    let what = "a connection to a session's control socket";
                    self.refuse(caller, identity.as_ref(), what, Fallback::Closed);
                    reply.settle(Verdict::Deny);
                    return None;
                }
                let rules = self.socket_rules(caller);
                let socket = self.brokers.at_path(&path, file, caller.tid, &rules);
                self.ask_socket(caller, socket, reply)
            }
            // No control socket is abstract.
            Destination::Abstract(name) => {
                let rules = self.socket_rules(call.caller);
                let socket = self.brokers.at_name(&name, &rules);
                self.ask_socket(call.caller, socket, reply)
            }
        }
    }

    fn report(&self, caller: Caller, report: &[u8], reply: Reply) -> Option<Withdraw> {
        match Note::decode(report) {
            Ok(Note::Entered(name)) => {
                if !name.is_empty() && !self.may_be_looked_up(name, caller) {
                    let identity = lock(&self.targets).identify(caller.pid);
                    let what = hallpass_session::verdict::look_up_of(name);
                    self.refuse(caller, identity.as_ref(), &what, Fallback::NoRuleForName);
                    reply.settle(Verdict::Deny);
                    return None;
                }
                lock(&self.look_ups).enter(caller, Instant::now());
            }
            Ok(Note::Unprivileged(path)) => {
                if let Some(text) = self.named.unprivileged(caller.pid, path) {
                    self.core.record(Kind::Coverage { text });
                }
            }
            Ok(Note::Left) => lock(&self.look_ups).leave(caller),
            // Who it is now it stays, whatever it calls itself.
            Ok(Note::Started) => {
                let _ = lock(&self.targets).identify(caller.pid);
            }
            Ok(Note::Found(names)) => {
                let noted = lock(&self.targets).note(caller.pid, &names);
                if noted != Noted::Nothing {
                    self.core.names_changed();
                }
                if noted == Noted::Name {
                    self.core.name_learned();
                    self.point_out_rebinding(&names);
                }
                if self.core.holds_look_ups() {
                    return self.look_up(caller, &names, reply);
                }
            }
            // A yes is what no kernel says by itself.
            Ok(Note::Nested(said)) => {
                let yes = lock(&self.targets).nested(&self.core, caller.pid, caller.tid, &said);
                if yes {
                    reply.settle(Verdict::Deny);
                    return None;
                }
            }
            // A program's own connect to nothing.
            Err(_) => {}
        }
        reply.settle(Verdict::Allow);
        None
    }

    fn connected(&self, caller: Caller, peer: u32, destination: &Destination) {
        self.say_who_leaves(caller, peer, destination);
    }

    fn refused(&self, caller: Caller, refusal: Refusal) {
        let identity = lock(&self.targets).identify(caller.pid);
        let what = refusal.to_string();
        match reason(refusal) {
            Some(reason) => self.refuse(caller, identity.as_ref(), &what, reason),
            // Programs try these and go on without: no connection is refused, so none is counted.
            None => {
                let app = identity.map_or_else(String::new, |it| it.app.identity().to_owned());
                if let Some(what) = lock(&self.refusals).say(&app, "", &what) {
                    self.core.record(Kind::Coverage {
                        text: refusals::line(&app, caller.pid, &what),
                    });
                }
            }
        }
    }
}

/// The named reason; none for what is no call to anywhere.
fn reason(refusal: Refusal) -> Option<Fallback> {
    match refusal {
        Refusal::Family(_) | Refusal::Protocol(_) => Some(Fallback::UnknownFamily),
        Refusal::RawHeader | Refusal::Rerouting | Refusal::Convention => Some(Fallback::Closed),
        Refusal::IoUring | Refusal::Typing | Refusal::ForeignProcess => None,
        Refusal::Unreadable(_) | Refusal::Credentials | Refusal::NoCopy => {
            Some(Fallback::NotVisible)
        }
        Refusal::OutOfResources(_) => Some(Fallback::OutOfResources),
        Refusal::Stranger => Some(Fallback::NotOurs),
        Refusal::Unanswered => Some(Fallback::SessionEnding),
    }
}

fn settle(reply: &Mutex<Option<Reply>>, verdict: verdict::Verdict) {
    if let Some(reply) = lock(reply).take() {
        reply.settle(guards(verdict));
    }
}

fn guards(verdict: verdict::Verdict) -> Verdict {
    match verdict {
        verdict::Verdict::Allow => Verdict::Allow,
        verdict::Verdict::Deny => Verdict::Deny,
    }
}

fn policy(protocol: Protocol) -> hallpass_policy::Protocol {
    match protocol {
        Protocol::Tcp => hallpass_policy::Protocol::Tcp,
        Protocol::Udp => hallpass_policy::Protocol::Udp,
        Protocol::Icmp => hallpass_policy::Protocol::Icmp,
        Protocol::Raw => hallpass_policy::Protocol::Raw,
    }
}

/// A panic aborts the session (its panic hook), so a poisoned lock is never seen.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
