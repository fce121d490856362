//! A call on its way to the engine: first the names that matter to it are looked up, then it is
//! put to the engine, which may hold it. It can be withdrawn at any time. Likewise a look-up of a
//! program with `--hold=name`.

use super::{lock, settle};
use hallpass_guard::{Reply, Withdraw, Withdrawn};
use hallpass_session::core::{Asked, Core, LookedUp};
use hallpass_session::engine::AskId;
use hallpass_session::flow::Flow;
use hallpass_session::identity::is_alive;
use hallpass_session::verdict;
use hallpass_session::verify::{Verifier, Wanted};
use std::sync::{Arc, Mutex};

/// Where the call is.
enum Stage {
    /// Its names are being looked up.
    LookingUp,
    /// The engine holds it.
    Held(AskId),
    /// It has its verdict, or nobody wants it any more.
    Over,
}

/// A call whose names are being looked up.
#[derive(Clone)]
struct Staged {
    core: Core,
    pid: u32,
    stage: Arc<Mutex<Stage>>,
}

impl Staged {
    fn new(core: &Core, pid: u32) -> Self {
        Self {
            core: core.clone(),
            pid,
            stage: Arc::new(Mutex::new(Stage::LookingUp)),
        }
    }

    /// The names are there: `put` puts the call to the engine, unless nobody wants it any more.
    fn go_on(&self, put: impl FnOnce(&Core) -> Option<AskId>) {
        // Held meanwhile, so that a withdrawal finds either the look-up or what came of it.
        let mut stage = lock(&self.stage);
        if matches!(*stage, Stage::LookingUp) {
            *stage = put(&self.core).map_or(Stage::Over, Stage::Held);
        }
    }

    fn withdraw(self) -> Withdraw {
        Box::new(move |why| {
            let was = std::mem::replace(&mut *lock(&self.stage), Stage::Over);
            if let Stage::Held(id) = was {
                self.core.withdraw(id, may_return(why, self.pid));
            }
        })
    }
}

/// Puts a call to the engine as it is. What is returned is called when it is not waited for any
/// more; nothing where it has its verdict.
pub(super) fn ask(core: &Core, flow: Flow, reply: Reply) -> Option<Withdraw> {
    let pid = flow.pid;
    let id = put(core, flow, reply)?;
    let core = core.clone();
    Some(Box::new(move |why| {
        core.withdraw(id, may_return(why, pid));
    }))
}

/// The same after these names have been looked up.
pub(super) fn ask_with_names(
    core: &Core,
    verifier: &Verifier,
    flow: Flow,
    wanted: Vec<Wanted>,
    reply: Reply,
) -> Option<Withdraw> {
    let staged = Staged::new(core, flow.pid);
    let then = staged.clone();
    verifier.check(flow, wanted, move |flow| {
        then.go_on(|core| put(core, flow, reply));
    });
    Some(staged.withdraw())
}

/// Puts the calls that a look-up of `pid` may lead to, after their names have been looked up here.
pub(super) fn look_up(
    core: &Core,
    verifier: &Verifier,
    pid: u32,
    flows: Vec<Flow>,
    reply: Reply,
) -> Option<Withdraw> {
    let with_names = flows.into_iter().map(|mut flow| {
        verifier.mark(&mut flow);
        let wanted = core.names_wanted_by_look_up(&flow);
        (flow, wanted)
    });
    let staged = Staged::new(core, pid);
    let then = staged.clone();
    verifier.check_all(with_names.collect(), move |flows| {
        then.go_on(|core| put_look_up(core, flows, reply));
    });
    Some(staged.withdraw())
}

/// The engine's number for it, if it holds the call.
fn put(core: &Core, flow: Flow, reply: Reply) -> Option<AskId> {
    // Whoever comes first, this or the callback, takes it.
    let reply = Arc::new(Mutex::new(Some(reply)));
    let late = Arc::clone(&reply);
    let asked = core.ask(flow, move |verdict, _| settle(&late, verdict));
    match asked {
        Asked::Decided { verdict, .. } => {
            settle(&reply, verdict);
            None
        }
        Asked::Held(id) => Some(id),
    }
}

/// The engine's number for the look-up, if it is held.
fn put_look_up(core: &Core, flows: Vec<Flow>, reply: Reply) -> Option<AskId> {
    let reply = Arc::new(Mutex::new(Some(reply)));
    let late = Arc::clone(&reply);
    let verdict = match core.look_up(flows, move |verdict, _| settle(&late, verdict)) {
        LookedUp::Held(id) => return Some(id),
        LookedUp::GoesOn => verdict::Verdict::Allow,
        LookedUp::Refused(_) => verdict::Verdict::Deny,
    };
    settle(&reply, verdict);
    None
}

fn may_return(why: Withdrawn, pid: u32) -> bool {
    match why {
        Withdrawn::Interrupted | Withdrawn::TimedOut => true,
        Withdrawn::Gone => is_alive(pid),
    }
}
